"""The floor: the lowest possible cost of measuring, a closure that reads the clock twice and appends.

It needs the standard library only, as `timing` does.
"""

from collections.abc import Awaitable, Callable, Coroutine
from itertools import repeat
from time import perf_counter
from typing import Any

from benchmarks.timing import Side


class Pending:
    """The lists that the floor appends to, and the count of all numbers that were appended."""

    def __init__(self) -> None:
        self.numbers: list[float] = []
        self.started: list[None] = []
        self._emptied = 0

    @property
    def recorded(self) -> int:
        """Numbers appended so far."""
        return self._emptied + len(self.numbers)

    def empty(self) -> None:
        """Remove the numbers, and keep their count."""
        self._emptied += len(self.numbers)
        self.numbers.clear()
        self.started.clear()


def noop(number: int) -> int:
    """Do nothing."""
    return number


async def async_noop(number: int) -> int:
    """Do nothing, as a coroutine."""
    return number


def floored(function: Callable[..., Any], pending: Pending) -> Callable[..., Any]:
    """Return the function, measured as the floor does."""
    append, clock = pending.numbers.append, perf_counter

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        start = clock()
        result = function(*args, **kwargs)
        append(clock() - start)
        return result

    return wrapper


def async_floored(function: Callable[..., Awaitable[Any]], pending: Pending) -> Callable[..., Coroutine[Any, Any, Any]]:
    """Return the coroutine function, measured as the floor does."""
    append, clock = pending.numbers.append, perf_counter

    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        start = clock()
        result = await function(*args, **kwargs)
        append(clock() - start)
        return result

    return wrapper


def calling(function: Callable[..., Any], finish: Callable[[], object] = lambda: None) -> Callable[[int], None]:
    """Return a loop of plain calls; `finish` folds what has not been folded yet."""

    def run(units: int) -> None:
        for _ in repeat(None, units):
            function(1)
        finish()

    return run


def drive(coroutine: Coroutine[Any, Any, Any]) -> None:
    """Run a coroutine that never waits, without the cost of an event loop."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise RuntimeError("the coroutine waits for something")


def awaiting(
    function: Callable[..., Coroutine[Any, Any, Any]], finish: Callable[[], object] = lambda: None
) -> Callable[[int], None]:
    """Return a loop of awaited calls."""

    async def loop(units: int) -> None:
        for _ in repeat(None, units):
            await function(1)

    def run(units: int) -> None:
        drive(loop(units))
        finish()

    return run


def floor_sides() -> tuple[Side, Side]:
    """Return the sides `bare`, the function alone, and `floor`."""
    pending = Pending()
    # The floor's list is emptied, as ours is by folding, but its numbers are not used.
    floor = calling(floored(noop, pending), pending.empty)
    return Side("bare", calling(noop)), Side("floor", floor, lambda: pending.recorded)
