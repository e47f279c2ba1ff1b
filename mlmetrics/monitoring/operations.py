"""What a project records: `[[operation]]` names the operations in use, and `[requests]` what is recorded of requests.

Everything is rendered for these alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated

from pydantic import Field

from mlmetrics.catalog import METRICS, SHIPPED, Metric, Operation
from mlmetrics.catalog.measuring import MEASURING
from mlmetrics.catalog.own import own_operation
from mlmetrics.catalog.requests import BODY_SIZES, REQUESTS, WEBSOCKETS
from mlmetrics.errors import DeclarationError
from mlmetrics.monitoring.reading import Expects, Flag, KeyPath, Section, key

REQUEST = "request"
"""What objectives call the HTTP requests, which every service has."""
_NAMES = Expects("a list of names")


class Requests(Section):
    """What the services record of HTTP requests beside their number and duration."""

    body_sizes: Flag = key(
        "Whether they record the sizes of bodies: `instrument(app, body_sizes=True)`.", default=False
    )
    websockets: Flag = key("Whether they serve WebSockets.", default=False)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics of requests, and of WebSockets, that the services may expose."""
        return (*REQUESTS, *(BODY_SIZES if self.body_sizes else ()), *(WEBSOCKETS if self.websockets else ()))


ONLY_REQUESTS, ALL_OF_REQUESTS = Requests(), Requests(body_sizes=True, websockets=True)


class OperationInUse(Section):
    """An operation that the services record.

    Without any such section, all that mlmetrics ships are rendered; `operation = []`, above all sections, means that
    there are HTTP requests only.
    """

    name: Annotated[str, Expects("a text")] = Field(
        description=f"Its name: {', '.join(SHIPPED)}, or that of an operation of your own."
    )
    records: Annotated[tuple[str, ...] | None, _NAMES] = Field(
        None, description="Of an operation that mlmetrics ships, what is recorded beside the calls; without it, all."
    )
    calls: Flag = Field(
        default=True,
        description="Of an operation that mlmetrics ships, false if only numbers such as scores are recorded.",
    )
    labels: Annotated[tuple[str, ...], _NAMES] = Field(
        (), description="Of an operation of your own, its labels, as in `metrics.operation(labelnames=...)`."
    )
    subject: Annotated[str, Expects("a text")] = Field(
        "", description="Of an operation of your own, the label that tells its calls apart; by default the first one."
    )
    score: Flag = Field(default=False, description="Whether the results of an operation of your own have scores.")

    def row(self) -> Operation:
        """Return the operation with what it records.

        Raises:
            DeclarationError: a project cannot declare an operation like this.
        """
        ships = SHIPPED.get(self.name)
        if ships is None:
            return own_operation(self.name, self.labels, score=self.score, subject=self.subject or None)
        return ships.recording(ships.parts if self.records is None else frozenset(self.records), calls=self.calls)


def operation_problems(sections: Sequence[OperationInUse]) -> Iterator[tuple[KeyPath, str]]:
    """Yield the path of each key that cannot work, with what was expected."""
    names = [section.name for section in sections]
    for index, section in enumerate(sections):
        path: KeyPath = ("operation", index)
        ships = SHIPPED.get(section.name)
        if section.name in names[:index]:
            first = names.index(section.name)
            yield (*path, "name"), f"a different name for each operation; operation[{first}] has it too"
        elif ships is None:
            yield from _own_problems(path, section)
        else:
            yield from _shipped_problems(path, section, ships)


def _own_problems(path: KeyPath, section: OperationInUse) -> Iterator[tuple[KeyPath, str]]:
    for name in ("records", "calls"):
        if name in section.model_fields_set:
            shipped = ", ".join(SHIPPED)
            yield (*path, name), f"no such key: {section.name} is not one of {shipped}; for scores, score = true"
            return
    try:
        section.row()
    except DeclarationError as error:
        yield (*path, "name"), f"an operation that can be declared; {error}"


def _shipped_problems(path: KeyPath, section: OperationInUse, ships: Operation) -> Iterator[tuple[KeyPath, str]]:
    for name in ("labels", "subject", "score"):
        if name in section.model_fields_set:
            yield (
                (*path, name),
                f"no such key: mlmetrics ships {section.name}, with its labels; there is records = [...]",
            )
    for index, part in enumerate(section.records or ()):
        if part not in ships.parts:
            known = ", ".join(sorted(ships.parts)) or "nothing more"
            yield (*path, "records", index), f"one of what {section.name} records: {known}"


def operations_in_use(sections: Sequence[OperationInUse]) -> tuple[Operation, ...]:
    """Return the rows of the operations in use."""
    return tuple(section.row() for section in sections)


def metrics_in_use(operations: Iterable[Operation], requests: Requests = ONLY_REQUESTS) -> dict[str, Metric]:
    """Return every metric that the services of a project may expose, by name."""
    own = (metric for operation in operations for metric in operation.metrics)
    return {metric.name: metric for metric in (*requests.metrics, *own, *MEASURING)}


def metric_of(metrics: Mapping[str, Metric], sample: str) -> Metric | None:
    """Return the metric that a sample belongs to, None if it is not among these metrics."""
    found = metrics.get(sample) or metrics.get(sample.rpartition("_")[0])
    return found if found is not None and sample in found.sample_names else None


def not_recorded(metrics: Iterable[Metric]) -> frozenset[str]:
    """Return the metrics and samples that mlmetrics ships and that are not among these metrics."""
    return _SHIPPED_NAMES - _names(metrics)


def _names(metrics: Iterable[Metric]) -> frozenset[str]:
    return frozenset(name for metric in metrics for name in (metric.name, *metric.sample_names))


_SHIPPED_NAMES = _names(METRICS)
