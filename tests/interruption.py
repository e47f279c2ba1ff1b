"""Simulates a signal handler that raises at a chosen place where CPython could deliver a signal.

CPython runs handlers after calls, at jumps backwards and at the entry of a function. A function
that is called for each instruction takes the part of the handler: it has the same arguments, the number
of the signal and the frame, and raises before the instruction that follows such a place.
"""

import dis
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from types import CodeType, FrameType
from typing import Any

TOOL = 4
"""One of the numbers of `sys.monitoring` that no tool has for itself."""


class TimeIsUpError(TimeoutError):
    """The exception of the handler; it is a `TimeoutError`, and so an `OSError`, which code may expect."""


@cache
def delivery_points(code: CodeType) -> frozenset[int]:
    """Return the offsets of the instructions that follow a place where handlers run."""
    points, before = set(), ""
    for instruction in dis.get_instructions(code):
        called = before.startswith("CALL") and "INTRINSIC" not in before
        if called or before == "RESUME":
            points.add(instruction.offset)
        before = instruction.opname
    jumps = (each for each in dis.get_instructions(code) if "JUMP_BACKWARD" in each.opname)
    return frozenset(points | {each.argval for each in jumps})


class Interruption:
    """Raises at the n-th delivery point within code of the modules whose files end so."""

    def __init__(self, at: int, *files: str) -> None:
        self.at = self.left = at
        self.files = files
        self.place = ""

    @property
    def passed(self) -> int:
        """The delivery points that were passed."""
        return self.at - self.left

    def during(self, work: Callable[[], object]) -> bool:
        """Do the work, and return whether it was interrupted; fail if the exception did not reach the caller."""
        watch = watch_by_monitoring if sys.version_info >= (3, 12) else watch_by_tracing
        try:
            with watch(self):
                work()
        except TimeIsUpError:
            return True
        assert not self.place, f"swallowed: {self.place}"
        return False

    def concerns(self, code: CodeType) -> bool:
        """Return whether the delivery points of this code are counted."""
        return code.co_filename.endswith(self.files)

    def due(self, code: CodeType, offset: int) -> bool:
        """Return whether the handler raises before this instruction."""
        if not self.concerns(code) or offset not in delivery_points(code):
            return False
        self.left -= 1
        if self.left == 0:
            self.place = f"{code.co_qualname}, instruction {offset}"
        return self.left == 0


@contextmanager
def watch_by_tracing(interruption: Interruption) -> Iterator[None]:
    """Watch each instruction with `sys.settrace`."""

    def look(_number: int, frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "call" and not interruption.concerns(frame.f_code):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode" and interruption.due(frame.f_code, frame.f_lasti):
            raise TimeIsUpError
        return trace

    trace = partial(look, int(signal.SIGALRM))
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(None)


@contextmanager
def watch_by_monitoring(interruption: Interruption) -> Iterator[None]:
    """Watch each instruction with `sys.monitoring`, because from Python 3.12 on tracing does not show all of them."""
    monitoring: Any = getattr(sys, "monitoring")  # noqa: B009 (Python 3.11 has none)
    events = monitoring.events.INSTRUCTION

    def look(code: CodeType, offset: int, number: int = int(signal.SIGALRM), frame: FrameType | None = None) -> None:
        if interruption.due(code, offset):
            frame = sys._getframe(1)  # from here on these are a handler's arguments
            raise TimeIsUpError(number, frame)

    monitoring.use_tool_id(TOOL, "interruption")
    monitoring.register_callback(TOOL, events, look)
    monitoring.set_events(TOOL, events)
    try:
        yield
    finally:
        monitoring.set_events(TOOL, 0)
        monitoring.register_callback(TOOL, events, None)
        monitoring.free_tool_id(TOOL)


def points(prepare: Callable[[], Callable[[], object]], *files: str) -> range:
    """Return the delivery points in some work, when it is done for the second time."""
    Interruption(sys.maxsize, *files).during(prepare())
    uninterrupted = Interruption(sys.maxsize, *files)
    assert not uninterrupted.during(prepare())
    return range(1, 1 + uninterrupted.passed)
