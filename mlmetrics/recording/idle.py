"""A store that records nothing, for a program that is switched off: its registry holds nothing of it.

It has all rows of the catalogue, so declarations are checked against them as ever.
"""

from collections.abc import Collection, Iterable, Mapping

from mlmetrics.recording.host import Host
from mlmetrics.recording.labels import RawLabels
from mlmetrics.recording.store import Store


class Nothing:
    """A series that records nothing: one for all names and labels."""

    pending: tuple[()] = ()

    def record(self, _number: object) -> None:
        """Record nothing."""

    def take(self, numbers: list[float]) -> None:
        """Empty the list."""
        numbers.clear()


NOTHING = Nothing()


class IdleStore(Store):
    """The store of a registry in a program that is switched off."""

    def _series(self, _appended: object, _placed: object, _name: str, _labels: RawLabels) -> Nothing:
        return NOTHING

    def _shared(self) -> Host | None:
        """Use no files."""
        return None

    def add(self, foldable: object, name: str) -> None:
        """Fold nothing."""

    def admit(
        self,
        metric: str,  # noqa: ARG002 (as its base)
        base: RawLabels,
        values: tuple[object, ...],
        optional: Collection[str] = (),  # noqa: ARG002 (as its base)
    ) -> RawLabels:
        """Return labels without the values of a call, which are not looked at: there is one series for all."""
        return (*base, *("off" for _ in values))

    def declare_overflow(self, metric: str, labels: Iterable[str]) -> None:
        """Declare nothing."""

    def failed(self, where: str, problem: object, series: Mapping[str, str] | None = None) -> None:
        """Count nothing, and log nothing."""
