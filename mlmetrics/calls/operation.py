"""What every series of calls has, wherever it keeps its numbers."""

from collections.abc import Callable, Sized
from typing import Any, Final, Protocol

from prometheus_client.samples import Exemplar

from mlmetrics.catalog import Operation
from mlmetrics.recording.labels import RawLabels
from mlmetrics.recording.series import BOUND, NumberSeries
from mlmetrics.recording.store import Store

ENDED: Final = 0
"""The state of a call that has its outcome; it is false, so that `if state` means running on the fast path."""


TOLD: Final = 0.0
"""The state of a running call that has told the tokens of prompt and answer, once, and nothing else; false too."""
KEPT: Final = -0.0
"""The state of a running call of which numbers are kept until its end, and nothing else; false too."""
BOTH: Final = ""
"""The state of a running call of which both are so, and nothing else; false too."""


SUCCEEDED, FAILED, CANCELLED = range(3)
"""The outcomes, as `end_for` of a series takes them."""


class Open(Protocol):
    """A call that may be garbage collected before it ends, such as a timer whose block is never left."""

    state: bool | float | str | None
    spot: Any

    def let_go(self) -> None:
        """Note that no series holds the call: if it is garbage collected before it ends, it counts as cancelled."""


class CallSeries:
    """The calls of one operation with one set of labels.

    A call begins, and then succeeds, fails, is cancelled, or leaves without an outcome: its function
    returned a stream, which begins as a call of its own when it is first iterated. In progress are
    the calls that have begun and not ended.
    """

    __slots__ = ()

    store: Store
    operation: Operation
    labels: RawLabels
    clock: Callable[[], float]
    notice_seconds: float
    """Calls that took longer take the slow path; the first one always does, to check for tracing."""
    error_types: Any
    """What failures need, by the type of what was raised; None if it means cancelled."""
    seldom: Any
    """What few of its calls need; None before the first of them."""
    started: Sized
    """What the next fold has to take."""
    spot: Any
    """Where the numbers stand in the files of this process; None if they stand in memory."""
    scores: NumberSeries | None
    """What the scores of its results are recorded in; None before the first, unless it was declared with scores."""
    sizes: NumberSeries | None
    """What the sizes of its files are recorded in; None before the first."""
    classes: dict[str, NumberSeries] | None
    """What the classes that it predicted are counted in, by those that are texts; None before the first."""
    tokens: Any
    """What its tokens are recorded in; None before the first."""
    beside: tuple[Any, ...]
    """What gets at most one number from each call, without a question whether there are enough to fold: it is
    folded with the calls themselves when these are enough."""
    begin: Callable[[Any], object]
    """Begin a call; a timer gives itself, so that it is recorded if it is dropped before it ends."""
    succeed: Callable[[float], object]
    fail: Callable[[float], object]
    cancel: Callable[[float], object]
    leave: Callable[[None], object]
    end_for: Callable[[Any, int, float], object]
    """End a call that began on another series, given first, and count it on this one, with its outcome and seconds."""
    mark: Callable[[Exemplar], object]

    @property
    def full(self) -> bool:
        """Whether there are enough calls to fold."""
        return len(self.started) > BOUND

    def update_notice(self) -> None:
        """Update from which duration on calls take the slow path."""
        self.notice_seconds = self.store.notice_seconds()  # type: ignore[misc]  # the slot is that of each kind

    def counter(self, suffix: str, *more: str) -> NumberSeries:
        """Return a further counter of the operation, such as its tokens by type."""
        return self.store.counter(f"{self.operation.prefix}_{suffix}", (*self.labels, *more))

    def histogram(self, name: str) -> NumberSeries:
        """Return a histogram with the labels of this series."""
        return self.store.histogram(name, self.labels)
