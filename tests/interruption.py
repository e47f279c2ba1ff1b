"""A signal handler that raises at a place of one's choice, wherever CPython could deliver a signal.

CPython runs handlers after calls, at jumps backwards and at the entry of a function. A trace
function stands in for the handler: it is called with the same arguments, the number of the
signal and the frame, and raises before the instruction that follows such a place.
"""

import dis
import signal
import sys
from collections.abc import Callable
from functools import cache, partial
from types import CodeType, FrameType
from typing import Any


class TimeIsUpError(TimeoutError):
    """What the handler raises; as `TimeoutError` it is an `OSError` too, which code may expect."""


@cache
def delivery_points(code: CodeType) -> frozenset[int]:
    """Return the offsets of the instructions that follow a place where handlers run."""
    points, before = set(), ""
    for instruction in dis.get_instructions(code):
        called = before.startswith("CALL") and "INTRINSIC" not in before
        if called or before == "RESUME" or "JUMP_BACKWARD" in before:
            points.add(instruction.offset)
        before = instruction.opname
    jumps = (each for each in dis.get_instructions(code) if "JUMP_BACKWARD" in each.opname)
    return frozenset(points | {each.argval for each in jumps})


class Interruption:
    """Raises at the n-th delivery point within code of the modules whose files end so."""

    def __init__(self, at: int, *files: str) -> None:
        self.left = at
        self.files = files
        self.place = ""
        self._trace = partial(self._look, int(signal.SIGALRM))

    def _look(self, _number: int, frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "call":
            if not frame.f_code.co_filename.endswith(self.files):
                return None
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        elif event == "opcode" and frame.f_lasti in delivery_points(frame.f_code):
            self.left -= 1
            if self.left == 0:
                self.place = f"{frame.f_code.co_qualname}, line {frame.f_lineno}, instruction {frame.f_lasti}"
                raise TimeIsUpError
        return self._trace

    def during(self, work: Callable[[], object]) -> bool:
        """Do the work; says whether it was interrupted, and fails if that did not reach its caller."""
        sys.settrace(self._trace)
        try:
            work()
        except TimeIsUpError:
            return True
        finally:
            sys.settrace(None)
        assert not self.place, f"swallowed: {self.place}"
        return False
