"""What every `instrument_*`, `watch` and `instrument(app)` returns: the means to undo it.

Apart from all of them, because the rooms of HTTP and of the SDKs do not know each other.
"""

from collections.abc import Callable, Iterable
from typing import Self

Undo = Callable[[], None]


class Instrumentation:
    """What is instrumented or watched, until `uninstrument`; usable in `with`.

    Args:
        what: what it is, for people.
        undo: what `uninstrument` calls, the last one first.

    Example:
        >>> with Instrumentation("nothing", []) as handle:
        ...     handle.active
        True
        >>> handle.active
        False
    """

    def __init__(self, what: str, undo: Iterable[Undo]) -> None:
        self._what = what
        self._undo = list(undo)
        self.active = True

    def __repr__(self) -> str:
        return f"<instrumentation of {self._what}, {'active' if self.active else 'undone'}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.uninstrument()

    def uninstrument(self) -> None:
        """Undo it; what has begun is still recorded. The second time does nothing."""
        self.active = False
        while self._undo:
            self._undo.pop()()
