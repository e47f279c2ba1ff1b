"""The outbox: what folds put into it, once, whatever breaks them off."""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from mlmetrics.catalog import INFERENCE
from mlmetrics.recording import folding, outbox
from mlmetrics.recording.outbox import FailedSeconds, Outbox, Parcel
from tests.interruption import Interruption, points
from tests.recorded import value

pytestmark = pytest.mark.in_memory  # in files nothing waits to be folded

CALLS, GAPS = "ml_inference_duration_seconds", "ml_inference_chunk_interval_seconds"
FOLDING = (
    *("/recording/folding.py", "/recording/series.py", "/recording/cells.py", "/recording/store.py"),
    *("/recording/outbox.py", "/calls/appended.py"),
)


class Recorded:
    """Calls and gaps that wait to be folded, with an outbox for both."""

    def __init__(self, *names: str) -> None:
        self.registry = CollectorRegistry()
        self.metrics = MLMetrics("s", self.registry)
        self.store = self.metrics.store
        self.calls: Any = self.metrics.calls(INFERENCE).series("s", ("m", ""))
        self.gaps = self.store.histogram(GAPS, ("s", "m", ""))
        self.outbox = self.store.outbox = Outbox(names or (CALLS, GAPS))
        self.moved: deque[Parcel] = deque()

    def append(self) -> "Recorded":
        """Record two calls that succeed, one that fails, one that is cancelled, and a gap."""
        self.calls.started.extend((None,) * 4)
        self.calls.succeeded.extend((0.25, 0.5))
        self.calls.failed.append(FailedSeconds(4.0, "quota"))
        self.calls.cancelled.append(8.0)
        self.gaps.record(0.125)
        return self

    def fold(self) -> bool:
        """Fold what waits."""
        return folding.hold(self.store.fold_pending)

    def taken(self) -> dict[str, list[tuple[list[float], list[float]]]]:
        """Fold, and return what was put into the outbox, by histogram."""
        self.fold()
        found: dict[str, list[tuple[list[float], list[float]]]] = {}
        self.outbox.move_to(self.moved)
        for cell, numbers, failed in self.moved:
            found.setdefault(cell.metric.name, []).append((list(numbers), list(failed)))
        self.moved.clear()
        return found


ONCE: dict[str, list[tuple[list[float], list[float]]]] = {CALLS: [([0.25, 0.5], [4.0])], GAPS: [([0.125], [])]}


class TestOutbox:
    """`Outbox`."""

    def test_has_what_was_folded(self) -> None:
        """Each number once, failed ones apart, cancelled ones not at all, and then nothing."""
        recorded = Recorded().append()
        assert ONCE == recorded.taken()
        assert {} == recorded.taken()

    def test_has_only_what_is_asked_for(self) -> None:
        """Histograms of other names are left out."""
        assert {GAPS: ONCE[GAPS]} == Recorded(GAPS).append().taken()

    def test_nothing_where_nobody_asks(self) -> None:
        """A store has no outbox of its own accord."""
        assert MLMetrics("s", CollectorRegistry()).store.outbox is None

    def test_numbers_without_room_are_counted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """They are lost to whoever takes them, and stay in our own metrics."""
        monkeypatch.setattr(outbox, "MOST_WAITING", 3)
        recorded = Recorded().append()
        recorded.fold()
        recorded.append().fold()
        assert 5 == recorded.outbox.move_to(recorded.moved)
        assert 1 == len(recorded.moved)
        assert 6 == value(recorded.registry, f"{CALLS}_count")
        recorded.append().fold()
        assert 4 == recorded.outbox.move_to(recorded.moved)  # what was moved, and is still there, takes up room
        recorded.moved.clear()
        assert 0 == recorded.outbox.move_to(recorded.moved)
        recorded.append().fold()
        assert 1 == recorded.outbox.move_to(recorded.moved)

    @pytest.mark.parametrize("times", [1, 2])
    def test_interrupted_anywhere(self, times: int) -> None:
        """A fold that a signal handler breaks off puts nothing twice, and loses nothing."""
        expected = {name: parcels * times for name, parcels in ONCE.items()}

        def made() -> Recorded:
            recorded = Recorded().append()
            for _ in range(times - 1):
                recorded.fold()
                recorded.append()
            return recorded

        places = points(lambda: made().fold, *FOLDING)
        assert len(places) > 20
        for at in places:
            recorded = made()
            interruption = Interruption(at, *FOLDING)
            assert interruption.during(partial(recorded.fold))
            assert expected == recorded.taken(), interruption.place
            assert 3 * times == value(recorded.registry, f"{CALLS}_count"), interruption.place

    def test_interrupted_while_it_is_moved(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Moved again afterwards, each number has come once; when that is taken, all of the room is free."""
        monkeypatch.setattr(outbox, "MOST_WAITING", 4)
        file = "/recording/outbox.py"

        def move(recorded: Recorded) -> Callable[[], object]:
            recorded.fold()
            return partial(recorded.outbox.move_to, recorded.moved)

        places = points(lambda: move(Recorded().append()), file)
        assert len(places) > 5
        for at in places:
            recorded = Recorded().append()
            interruption = Interruption(at, file)
            assert interruption.during(move(recorded))
            assert ONCE == recorded.taken(), interruption.place
            recorded.outbox.move_to(recorded.moved)
            recorded.append().fold()
            assert 0 == recorded.outbox.move_to(recorded.moved), interruption.place


class TestFailedSeconds:
    """`FailedSeconds`."""

    def test_is_a_number(self) -> None:
        """It is added up and compared as any other, and knows its error type."""
        seconds = FailedSeconds(4.0, "quota")
        assert (4.0, "quota", 4.5) == (seconds, seconds.error_type, sum([0.5, seconds], 0.0))
