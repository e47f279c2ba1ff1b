"""The size of the file that a call works on, read from one of its arguments before the call begins."""

import inspect
from collections.abc import Callable
from typing import Any

from mlmetrics.calls.labels import Argument, FindArgument, check_reader, signature_of
from mlmetrics.calls.measures import MOST_BYTES, record_size
from mlmetrics.calls.operation import CallSeries
from mlmetrics.errors import DeclarationError
from mlmetrics.interruption import interrupted

Before = Callable[[CallSeries, Any], None]
"""Reads an argument of a call before it begins."""

_EMPTY = inspect.Parameter.empty
_NUMBERS = (int, float)


class Size:
    """Records the size of the file that a call is given, whatever the outcome of the call.

    A function is applied to the first argument (after `self`); `arg("content")` names the
    argument, which is a number of bytes or has a length.
    """

    def __init__(self, read: Argument | Callable[[Any], Any], target: Callable[..., Any], described: Any) -> None:
        measure: Any = _length if isinstance(read, Argument) else read
        if not callable(measure):
            raise DeclarationError(f"size={read!r}: expected a function such as len, or arg('parameter')")
        check_reader("size", measure, "the argument")
        argument = read if isinstance(read, Argument) else Argument(_first_parameter(target))
        self._measure = measure
        self.argument = FindArgument.of(argument, described, missing=inspect.Parameter.empty)

    @property
    def record(self) -> Before:
        """What records the size of the argument in a call, which may have none."""
        measure, name = self._measure, self.argument.name

        def before(series: CallSeries, value: Any) -> None:
            try:
                if value is _EMPTY:
                    series.store.failed("size", f"the call has no argument {name!r}")
                    return
                size = measure(value)
                if type(size) is int and size >= 0 and size <= MOST_BYTES and (sizes := series.sizes) is not None:
                    append = sizes.record
                    append(size)
                else:
                    record_size(series, size)
            except Exception as error:  # the user's code, run on behalf of a measurement
                if interrupted(error):
                    raise
                series.store.failed("size", error)

        return before


def _length(value: Any) -> Any:
    return len(value) if type(value) is bytes or not isinstance(value, _NUMBERS) else value


def _first_parameter(target: Callable[..., Any]) -> str:
    signature = signature_of(target)
    names = [name for name in (signature.parameters if signature else ()) if name not in ("self", "cls")]
    if not names:
        raise DeclarationError(
            f"size: {target!r} takes no argument to measure; leave size out, or say size=arg('name')"
        )
    return names[0]
