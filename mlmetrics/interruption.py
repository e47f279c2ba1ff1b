"""Tells whether a signal handler raised an exception, or the code that the handler interrupted.

A measurement runs code of the user, such as a function that computes a label; its exceptions are
counted and not passed on. A signal handler can raise while that code runs, for example when an
alarm ends a time limit. That exception is meant for the program: code of mlmetrics that catches
exceptions calls `interrupted` first, and lets such an exception through.
"""

import inspect
import signal
from itertools import pairwise
from types import FrameType

_SIGNALS = signal.valid_signals()


def interrupted(error: BaseException) -> bool:
    """Return whether a signal handler raised this error.

    CPython calls a handler with the number of the signal and the interrupted frame. So in the
    traceback, the frame of a handler follows a frame that is one of its own arguments. An
    exception that `PyThreadState_SetAsyncExc` raises in a thread has no such mark: it looks like
    an exception of the interrupted code.
    """
    entry = error.__traceback__
    while entry is not None and (inner := entry.tb_next) is not None:
        if _handles(inner.tb_frame, entry.tb_frame):
            return True
        entry = inner
    return False


class Tolerating:
    """As `contextlib.suppress`, but what a signal handler raised goes on: its `TimeoutError` is an `OSError` too."""

    def __init__(self, *kinds: type[Exception]) -> None:
        self._kinds = kinds

    def __enter__(self) -> None:
        """Begin the block."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> bool:
        return isinstance(error, self._kinds) and not interrupted(error)


def _handles(handler: FrameType, interrupted_frame: FrameType) -> bool:
    """Return whether a frame is a signal handler: two adjacent arguments are a signal and the interrupted frame."""
    code, local = handler.f_code, handler.f_locals
    arguments = [local.get(name) for name in code.co_varnames[: code.co_argcount]]
    if code.co_flags & inspect.CO_VARARGS:
        arguments += local.get(code.co_varnames[code.co_argcount + code.co_kwonlyargcount], ())
    return any(
        frame is interrupted_frame and type(number) is int and number in _SIGNALS
        for number, frame in pairwise(arguments)
    )
