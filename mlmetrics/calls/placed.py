"""Calls of one of several processes: each adds its numbers in place, in the mapped files of this process."""

from bisect import bisect_left

from prometheus_client.samples import Exemplar

from mlmetrics.calls.failures import NOT_SEEN
from mlmetrics.calls.operation import CANCELLED, FAILED, SUCCEEDED, CallSeries, Open
from mlmetrics.catalog import Operation
from mlmetrics.recording.host import Host
from mlmetrics.recording.labels import RawLabels
from mlmetrics.recording.placed import HistogramSpot
from mlmetrics.recording.store import Store


class CallSpot(HistogramSpot):
    """Where the numbers of a series of calls stand."""

    __slots__ = ("cancelled", "failure", "in_progress", "success")

    def __init__(self, host: Host, prefix: str, labels: RawLabels) -> None:
        super().__init__(host, f"{prefix}_duration_seconds", labels)
        total = f"{prefix}_total"
        self.success = host.number_place(total, (*labels, "success"))
        self.failure = host.number_place(total, (*labels, "failure"))
        self.cancelled = host.number_place(total, (*labels, "cancelled"))
        self.in_progress = host.number_place(f"{prefix}_in_progress", labels)

    def end(self, seconds: float, outcome: int) -> None:
        """Count a call and its outcome. Its place is found first: nothing comes between the additions."""
        views, bucket = self.views, self.bucket(seconds)
        views.histogram[bucket] += 1.0
        views.histogram[self.sum] += seconds
        views.counter[outcome] += 1.0
        views.gauge_livesum[self.in_progress] -= 1.0


class PlacedCalls(CallSeries):
    """A series of calls in the files of this process.

    `spot` is None until the series is first used, and again in a forked child, whose files begin
    empty. So a call whose spot is no longer that of its series began in the parent, which records it.
    """

    __slots__ = (
        *("_host", "beside", "classes", "clock", "error_types", "labels", "notice_seconds", "operation", "scores"),
        *("seldom", "sizes", "spot", "started", "store", "tokens"),
    )

    def __init__(self, store: Store, host: Host, operation: Operation, labels: RawLabels) -> None:
        self.store = store
        self._host = host
        self.operation = operation
        self.labels = labels
        self.clock = store.clock
        self.notice_seconds = -1.0
        self.started = ()  # a slot, which is found faster than an attribute of the class
        self.spot: CallSpot | None = None
        self.classes = self.scores = self.sizes = self.tokens = None
        self.beside = ()
        self.error_types = NOT_SEEN
        self.seldom = None

    def place(self) -> CallSpot:
        """Find the places of its numbers, made at 0 if there are none.

        Once, if several threads begin together: by its spot a call knows that it began in this process.
        """
        with self._host.placing:
            spot = self.spot
            if spot is None:
                found = CallSpot(self._host, self.operation.prefix, self.labels)
                if self.spot is None:  # else a signal handler has found it meanwhile
                    self.spot = found
                spot = self.spot
            return spot

    def prepare(self) -> None:
        """Create the metrics at 0, and update from which duration on calls take the slow path."""
        if self.spot is None:
            self.place()
        self.update_notice()

    def batch(self, _outbox: object = None, /) -> None:
        """Nothing is to be folded."""
        self.prepare()

    def forget(self) -> None:
        """Find its places again at the next call: the files of a forked child begin empty."""
        self.spot = None
        if self.seldom is not None:
            self.seldom.forget()

    def begin(self, call: Open | None) -> None:
        """Begin a call."""
        spot = self.spot or self.place()
        spot.views.gauge_livesum[spot.in_progress] += 1.0
        if call is not None:
            call.state = False  # its end checks whether it began in this process
            call.spot = spot
            call.let_go()

    def succeed(self, seconds: float) -> None:
        """End a call as a success."""
        spot = self.spot or self.place()
        spot.end(seconds, spot.success)

    def fail(self, seconds: float) -> None:
        """End a call as a failure."""
        # As `end` of the spot, without its calls: in an outage all calls end here.
        spot = self.spot or self.place()
        views, bucket = spot.views, spot.buckets[bisect_left(spot.uppers, seconds)]
        views.histogram[bucket] += 1.0
        views.histogram[spot.sum] += seconds
        views.counter[spot.failure] += 1.0
        views.gauge_livesum[spot.in_progress] -= 1.0

    def cancel(self, _seconds: float) -> None:
        """End a call as cancelled; its duration is not recorded."""
        spot = self.spot or self.place()
        views = spot.views
        views.counter[spot.cancelled] += 1.0
        views.gauge_livesum[spot.in_progress] -= 1.0

    def leave(self, _nothing: None) -> None:
        """End a call without an outcome."""
        spot = self.spot or self.place()
        spot.views.gauge_livesum[spot.in_progress] -= 1.0

    def end_for(self, began_on: "PlacedCalls", outcome: int, seconds: float) -> None:
        """End a call that began on another series, and count it on this one."""
        spot, began = self.spot or self.place(), began_on.spot or began_on.place()
        views, bucket = spot.views, spot.bucket(seconds)
        # No call comes between, as in `end` of a spot.
        if outcome == SUCCEEDED:
            views.counter[spot.success] += 1.0
        elif outcome == FAILED:
            views.counter[spot.failure] += 1.0
        else:
            views.counter[spot.cancelled] += 1.0
        if outcome != CANCELLED:
            views.histogram[bucket] += 1.0
            views.histogram[spot.sum] += seconds
        views.gauge_livesum[began.in_progress] -= 1.0

    def mark(self, exemplar: Exemplar) -> None:
        """Keep an exemplar for the bucket of its value."""
        self._host.mark(f"{self.operation.prefix}_duration_seconds", self.labels, exemplar)
