"""Measurements read from the result of a call: accuracy, scores, classes, tokens."""

from collections.abc import Callable, Iterable, Mapping
from keyword import iskeyword
from typing import Any

from mlmetrics.calls.labels import check_reader
from mlmetrics.calls.measures import each_of, record_classes, record_score
from mlmetrics.calls.money import price
from mlmetrics.calls.operation import CallSeries
from mlmetrics.calls.tokens import MOST_TOKENS, tokens_of
from mlmetrics.errors import DeclarationError
from mlmetrics.interruption import interrupted

After = Callable[[CallSeries, Any, float | None], None]
"""Reads the result of a call; it also gets the seconds that the call took, if it is no stream."""
Read = str | Callable[[Any], Any]

OPTIONAL = "confidence"
"""The attribute that is read by default; a result without it is not an error."""

_NOTHING = object()


class Types(set[type]):
    """Types of which something is known; sent to another process, it is what is known there."""

    def __init__(self, name: str, types: Iterable[type] = ()) -> None:
        super().__init__(types)
        self._name = name

    def __reduce__(self) -> tuple[Any, ...]:
        return having, (self._name,)

    def learn(self, kind: type) -> None:
        """Add a type; only so many, because a program may keep creating classes."""
        if len(self) < MOST_TYPES:
            self.add(kind)


MOST_TYPES = 4096
PLAIN_TYPES = (type(None), bool, int, float, str, bytes, list, tuple, set)
ATTRIBUTED = Types("", PLAIN_TYPES)
"""Types of results that are known to be no mappings, so that their attributes are read after one look-up."""
_having: dict[str, Types] = {"": ATTRIBUTED}


def having(name: str) -> Types:
    """Return the types of results that are no mappings, and are known to have an attribute of this name."""
    return _having.setdefault(name, Types(name))


def attribute_of(read: Read | None) -> str:
    """Return what is read by name, if it can be written as an attribute in the wrapper; empty for anything else."""
    return read if isinstance(read, str) and read.isidentifier() and not iskeyword(read) else ""


class NoResult:
    """The class itself is used as the result of a stream that ended early or had no chunk.

    The result of a stream is what its generator returns, else its last chunk.
    """


def reader(what: str, read: Read, *, optional: bool = False) -> Callable[[Any], Any]:
    """Return a function that reads a value from a result: an attribute, a key, or the user's own function.

    If that is `optional`, `OPTIONAL` may be missing; the value is None then.
    """
    if callable(read):
        check_reader(what, read, "the result")
        return read
    if not isinstance(read, str) or not read:
        raise DeclarationError(f"{what}={read!r}: expected an attribute or key by name, or a function of the result")
    missing = None if optional and read == OPTIONAL else _NOTHING

    def by_name(result: Any) -> Any:
        value = result.get(read, missing) if _is_mapping(result) else getattr(result, read, missing)
        if value is _NOTHING:
            raise KeyError(f"the result has neither attribute nor key {read!r}")
        return value

    return by_name


def _is_mapping(result: Any) -> bool:
    """Whether a result is a mapping; its type is remembered if no object of it is one.

    A proxy may say of itself, by `__class__`, that it is of the type of another object.
    """
    if isinstance(result, Mapping):
        return True
    kind: Any = type(result)
    itself = kind.__getattribute__ is object.__getattribute__ and not any(
        "__class__" in vars(each) for each in kind.__mro__[:-1]
    )
    if itself:
        ATTRIBUTED.learn(kind)
    return False


def after_score(what: str, read: Read, *, optional: bool = False) -> After:
    """Record the score of a result, or each of its scores; None is skipped.

    A float in 0..1 is appended to what the series of the call has for it, and every other value is looked at.
    """
    get = reader(what, read, optional=optional)
    if callable(read):
        return _after_score_of(what, get)
    return _after_named_score(what, read, get, None if optional and read == OPTIONAL else _NOTHING)


def _after_named_score(what: str, name: str, get: Callable[[Any], Any], missing: Any) -> After:
    known = having(name)
    # Types of Python itself whose objects can never have it; of a mapping, the key counts.
    lacking = frozenset(kind for kind in PLAIN_TYPES if not hasattr(kind, name)) if missing is None else frozenset()

    def after(series: CallSeries, result: Any, _seconds: float | None) -> None:
        try:
            if type(result) in lacking:
                return
            if type(result) in ATTRIBUTED:
                score = getattr(result, name, missing)
                if type(score) is float:
                    known.learn(type(result))
            else:
                score = result.get(name, missing) if type(result) is dict else _NOTHING
            if type(score) is float and score >= 0.0 and score <= 1.0 and (scores := series.scores) is not None:
                append = scores.record
                append(score)
            elif score is not None and result is not NoResult:
                _record_scores(series, get(result) if score is _NOTHING else score)
        except Exception as error:  # the user's code, run on behalf of a measurement
            if interrupted(error):
                raise
            series.store.failed(what, error)

    return after


def _after_score_of(what: str, get: Callable[[Any], Any]) -> After:
    def after(series: CallSeries, result: Any, _seconds: float | None) -> None:
        try:
            if result is NoResult:
                return
            score = get(result)
            if type(score) is float and score >= 0.0 and score <= 1.0 and (scores := series.scores) is not None:
                append = scores.record
                append(score)
            else:
                _record_scores(series, score)
        except Exception as error:  # as above
            if interrupted(error):
                raise
            series.store.failed(what, error)

    return after


def _record_scores(series: CallSeries, scores: Any) -> None:
    if scores is not None:
        for score in each_of(scores):
            if score is not None:
                record_score(series, score)


def after_class(read: Read) -> After:
    """Count the class that a result says, or each of its classes; None is skipped."""
    get = reader("predicted_class", read)

    def after(series: CallSeries, result: Any, _seconds: float | None) -> None:
        try:
            predicted = None if result is NoResult else get(result)
            if predicted is not None:
                record_classes(series, predicted)
        except Exception as error:  # as above
            if interrupted(error):
                raise
            series.store.failed("prediction", error)

    return after


def after_usage(read: Callable[[Any], Mapping[str, Any] | None], *, priced: bool = True) -> After:
    """Count the tokens that a function reads from the result; None, or no result, counts as missing.

    What they cost is added where prices are in use, unless the call is not to be `priced`, as it has said its cost.
    """

    def after(series: CallSeries, result: Any, seconds: float | None) -> None:
        try:
            tokens = None if result is NoResult else read(result)
            if type(tokens) is dict and len(tokens) == 2 and seconds is not None and (known := series.tokens):  # noqa: PLR2004 (those of prompt and answer)
                try:
                    prompt, answer, pair = tokens["input"], tokens["output"], known.pair
                except KeyError:  # two others
                    pair = None
                # Two comparisons each, because CPython is slower at `0 <= x <= y`; the methods are taken
                # from their slots before they are called for the same reason.
                if (
                    pair is not None
                    and type(prompt) is int
                    and type(answer) is int
                    and prompt >= 0
                    and answer > 0
                    and prompt <= MOST_TOKENS
                    and answer <= MOST_TOKENS
                    and seconds > 0
                ):
                    append = pair.prompt
                    append(prompt)
                    append = pair.answer
                    append(answer)
                    append = pair.speed
                    append(answer / seconds)
                    if priced and (known.priced or series.store.prices is not None):
                        price(series, tokens, None, "", None)
                    return
            _record_usage(series, tokens, seconds, priced=priced)
        except Exception as error:  # the user's code, run on behalf of a measurement
            if interrupted(error):
                raise
            series.store.failed("usage", error)

    return after


def _record_usage(series: CallSeries, tokens: Mapping[str, Any] | None, seconds: float | None, *, priced: bool) -> None:
    if tokens is None:
        series.store.record(series.counter("usage_missing_total"), 1)
    else:
        known = tokens_of(series)
        counted = known.count(tokens)
        known.measure(counted, seconds)
        if priced:
            price(series, counted, None, "", None)


def all_of(afters: Iterable[After]) -> After | None:
    """One function that calls all of them; None if there are none, so that the hot path skips it."""
    steps = tuple(afters)
    if not steps:
        return None

    if len(steps) == 1:
        return steps[0]

    def after(series: CallSeries, result: Any, seconds: float | None) -> None:
        for step in steps:
            step(series, result, seconds)

    return after


def read_nothing(_series: CallSeries, _result: Any, _seconds: float | None) -> None:
    """Read nothing of a result."""
