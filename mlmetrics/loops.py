"""In what the current code runs: the library of the event loop, the thread and the task."""

import asyncio
import sys
import threading
from typing import Any

from mlmetrics.interruption import interrupted


def running_trio() -> Any:
    """Return the module `trio`, if called in one of its tasks; None on asyncio."""
    trio = sys.modules.get("trio")
    try:
        return trio if trio is not None and trio.lowlevel.current_task() else None
    except RuntimeError:
        return None


def current_runner() -> tuple[int, object]:
    """Return the current thread, and the current task of asyncio if there is one."""
    try:
        task = asyncio.current_task()
    except RuntimeError as error:
        if interrupted(error):
            raise
        task = None
    return threading.get_ident(), task
