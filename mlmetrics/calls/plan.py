"""What a decorator decides about a function once, so that its calls need not decide it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlmetrics.calls.labels import SeriesFinder
from mlmetrics.calls.operation import CallSeries
from mlmetrics.calls.reads import Reads
from mlmetrics.calls.results import After
from mlmetrics.calls.sizes import Size

Function = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a decorator decided about one function.

    `series` is set if all labels are fixed, `find` if they depend on the call. `before` reads
    the arguments and `after` the result, `after_costed` that of a call which has said what it costs, and
    `after_stream` that of a stream; `reads` says what is read from the answer
    itself, chunk by chunk if it is a stream. `stream` says whether the result is a stream; with None,
    its type decides. `score_name` is the attribute of the score, if `after` reads
    nothing else. `in_files` says that the numbers stand in files, because there may be several processes.
    """

    series: CallSeries | None
    find: SeriesFinder | None
    clock: Callable[[], float]
    before: Size | None = None
    after: After | None = None
    after_costed: After | None = None
    after_stream: After | None = None
    reads: Reads | None = None
    stream: bool | None = None
    in_files: bool = False
    score_name: str = ""
