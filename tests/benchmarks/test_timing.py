"""Interleaved timing: only recorded units are timed, and ratios are correct."""

import gc

import pytest

from benchmarks.floor import Pending, calling, drive, floor_sides, floored, noop
from benchmarks.timing import NotTheSameError, Ratio, Side, added, interleave, prove, ratio


def counting(name: str, *, lose: int = 0) -> Side:
    """Return a side that counts its units, except the given number in every run."""
    counted = [0]

    def run(units: int) -> None:
        counted[0] += units - lose

    return Side(name, run, lambda: counted[0])


class TestProve:
    """`prove`."""

    def test_accepts_what_recorded_everything(self) -> None:
        """Sides that record every unit, or that record nothing by design, may be timed."""
        prove([counting("a"), Side("bare", lambda _: None), *floor_sides()])

    def test_refuses_what_lost_a_unit(self) -> None:
        """A side that lost a unit is named with what it recorded."""
        with pytest.raises(NotTheSameError, match="loser recorded 99 of 100"):
            prove([counting("a"), counting("loser", lose=1)], units=100)


class TestInterleave:
    """`interleave`."""

    def test_every_side_runs_in_every_round(self) -> None:
        """Each side has one time a round, all above zero."""
        times = interleave([*floor_sides(), counting("a")], rounds=3)
        assert {"bare", "floor", "a"} == set(times)
        assert [3, 3, 3] == [len(values) for values in times.values()]
        assert all(value > 0 for values in times.values() for value in values)

    def test_refuses_what_loses_units_while_it_is_timed(self) -> None:
        """A side that loses units after the check is found by its total."""
        kept, runs = [0], [0]

        def run(units: int) -> None:
            runs[0] += 1
            kept[0] += units if runs[0] == 1 else units - 1

        with pytest.raises(NotTheSameError, match="late lost or doubled"):
            interleave([Side("late", run, lambda: kept[0])], rounds=2)

    def test_leaves_garbage_collection_as_it_was(self) -> None:
        """Garbage collection is on or off during the timing as requested, and on again afterwards."""
        seen: list[bool] = []
        for collector in (False, True):
            interleave([Side("look", lambda _: seen.append(gc.isenabled()))], rounds=1, collector=collector)
            assert {collector} == set(seen[1:])  # the first run is the check, before anything is timed
            seen.clear()
        assert gc.isenabled()


class TestArithmetic:
    """`added` and `ratio`."""

    def test_added_cost_is_instrumented_less_bare(self) -> None:
        """Costs are differences within a round."""
        assert [5.0, 7.0] == added({"bare": [10.0, 20.0], "a": [15.0, 27.0]}, "a")

    def test_ratio_is_that_of_the_medians(self) -> None:
        """One disturbed round changes the quartiles, not the ratio."""
        assert Ratio(2.0, 2.0, 92.0) == ratio([20.0, 20.0, 920.0], [10.0, 10.0, 10.0])


class TestFloor:
    """The floor."""

    def test_appends_what_a_call_took(self) -> None:
        """Every call appends one duration, and emptying the list keeps the count."""
        pending = Pending()
        calling(floored(noop, pending))(5)
        assert 5 == len(pending.numbers)
        assert all(seconds >= 0 for seconds in pending.numbers)
        pending.empty()
        assert [] == pending.numbers
        assert 5 == pending.recorded

    def test_drive_refuses_coroutines_that_wait(self) -> None:
        """A coroutine that suspends is refused, because its waiting would not be timed."""

        class Once:
            def __await__(self) -> object:
                yield

        async def waits() -> None:
            await Once()  # type: ignore[misc]  # awaitable enough for a suspension

        with pytest.raises(RuntimeError, match="waits"):
            drive(waits())
