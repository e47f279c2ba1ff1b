"""Whose exception it is: that of the code which was running, or that of a signal handler which broke into it.

Code of the user's runs on behalf of a measurement, and what it raises is counted, not passed
on. A signal handler may raise while it runs (a time-out's alarm does), and that exception is
meant for the program: everything that catches exceptions here asks first, and lets it through.
"""

import inspect
import signal
from itertools import pairwise
from types import FrameType

_SIGNALS = signal.valid_signals()


def interrupted(error: BaseException) -> bool:
    """Whether a signal handler raised this error.

    CPython calls a handler with the number of the signal and the frame that it broke into, so
    in the traceback a handler stands beneath a frame that is one of its own arguments. An
    exception that `PyThreadState_SetAsyncExc` put into a thread leaves no such trace: it cannot
    be told from one that the interrupted code raised.
    """
    entry = error.__traceback__
    while entry is not None and (inner := entry.tb_next) is not None:
        if _handles(inner.tb_frame, entry.tb_frame):
            return True
        entry = inner
    return False


def _handles(handler: FrameType, interrupted_frame: FrameType) -> bool:
    """Whether a frame was called as a signal handler is, whatever stands before these two arguments."""
    code, local = handler.f_code, handler.f_locals
    arguments = [local.get(name) for name in code.co_varnames[: code.co_argcount]]
    if code.co_flags & inspect.CO_VARARGS:
        arguments += local.get(code.co_varnames[code.co_argcount + code.co_kwonlyargcount], ())
    return any(
        frame is interrupted_frame and type(number) is int and number in _SIGNALS
        for number, frame in pairwise(arguments)
    )
