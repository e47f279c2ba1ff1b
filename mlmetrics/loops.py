"""Which library runs the event loop of the current task."""

import sys
from typing import Any


def running_trio() -> Any:
    """Return the module `trio`, if called in one of its tasks; None on asyncio."""
    trio = sys.modules.get("trio")
    try:
        return trio if trio is not None and trio.lowlevel.current_task() else None
    except RuntimeError:
        return None
