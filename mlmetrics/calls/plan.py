"""What a decorator decided about one function, once, so that its calls decide nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .labels import SeriesFinder
from .operation import CallSeries
from .results import After, Size

Function = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a decorator decided about one function.

    `series` is set when all labels are fixed, `find` when a call has to say them. `before`
    and `after` read the arguments and the result. `stream` is what the user said of the
    result: True, False, or None for "look at it".
    """

    series: CallSeries | None
    find: SeriesFinder | None
    clock: Callable[[], float]
    before: Size | None = None
    after: After | None = None
    stream: bool | None = None
