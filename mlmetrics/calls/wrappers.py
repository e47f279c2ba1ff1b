"""The wrappers of functions and coroutine functions, and which wrapper a callable gets.

A wrapper appends when a call begins and when it ends, and leaves every decision to `call`. What
it uses is bound when the function is decorated, so that a call needs no look-up, takes no lock
and allocates only its two numbers.

A signal handler may raise between any two steps. So everything that can be interrupted is inside
the `try`, except the append that ends the call, which is the first statement after it.

Two things differ from the plain function, because a wrapper is one more frame: recursion reaches
about half its depth, and `warnings.warn(..., stacklevel=2)` names the wrapper and not the caller.
"""

import functools
import inspect
import types
from bisect import bisect_left
from typing import Any

from mlmetrics.calls.ending import Ending
from mlmetrics.calls.plan import Function, Plan
from mlmetrics.calls.results import having
from mlmetrics.calls.streams import wrap_async_generator, wrap_generator
from mlmetrics.calls.templates import code_flags, function_of, write
from mlmetrics.calls.unfinished import UnfinishedResults
from mlmetrics.interruption import interrupted
from mlmetrics.recording.series import BOUND

TEMPLATE = """
{kind} wrapper({{declared}}):
    {{prepare}}
    start = clock()
    try:
        {of}begin(None)
        result = {wait} function({{passed}})
        seconds = clock() - start
        if type(result) in ending.plain:
            told = None
        elif (told := ending.told(series, start, seconds, result)) is not None and type(told) is not ending.Told:
            return told
    except:
        try:
            ending.raised(series, ending.exception(), (now := clock()) - start, now)
        except ending.RecursionError:  # no room on the stack for one call more
            series.fail(clock() - start)
        raise
    if told is None:
        {of}succeed(seconds)
        if seconds > series.notice_seconds or len(series.started) > {bound}:
            ending.slow_path(series, seconds, start + seconds)
        {after}
    else:
        told.end()
        told.after(series, result, seconds)
    return result
"""

PLACED = """
{kind} wrapper({{declared}}):
    {{prepare}}
    spot = series.spot or series.place()
    views = spot.views
    start = clock()
    try:
        views.gauge_livesum[spot.in_progress] += 1.0
        result = {wait} function({{passed}})
        seconds = clock() - start
        if type(result) in ending.plain:
            told = None
        elif (told := ending.told(series, start, seconds, result)) is not None and type(told) is not ending.Told:
            return told
        bucket = spot.buckets[bisect(spot.uppers, seconds)]
    except:
        if spot is series.spot:
            try:
                ending.raised(series, ending.exception(), (now := clock()) - start, now)
            except ending.RecursionError:
                views.counter[spot.failure] += 1.0
                views.gauge_livesum[spot.in_progress] -= 1.0
                seconds = clock() - start
                bucket = spot.buckets[bisect(spot.uppers, seconds)]
                views.histogram[bucket] += 1.0
                views.histogram[spot.sum] += seconds
        raise
    if told is None:
        views.histogram[bucket] += 1.0
        views.histogram[spot.sum] += seconds
        views.counter[spot.success] += 1.0
        views.gauge_livesum[spot.in_progress] -= 1.0
        if seconds > series.notice_seconds:
            ending.slow_path(series, seconds, start + seconds)
        {after}
    else:
        if spot is series.spot:
            told.end()
        told.after(series, result, seconds)
    return result
"""
"""The same with the numbers in files: they are added here, because a call more would cost as much as all of this.
A call whose `spot` is no longer that of its series began in the parent of a forked process; what it adds is dropped."""


AFTER = "after(series, result, seconds)"
NAMED_SCORE = """try:
            if (
                type(result) in having
                and type(score := result.{name}) is float
                and score >= 0.0
                and score <= 1.0
                {scored}
            ):
                append_score(score)
            else:
                after(series, result, seconds)
        except Exception as error:
            if interrupted(error):
                raise
            after(series, result, seconds)"""
"""The score of a result whose type is known to have it: read here, because a call would cost as much as all of this."""


def wrap(called: Function, plan: Plan) -> Function:
    """Return a recorded callable of the same kind, name, signature and laziness.

    A bound method or a partial becomes one of a recorded function, so that wrong arguments
    are refused by the call itself.
    """
    function = function_of(called)
    flags = code_flags(function)
    if flags & inspect.CO_ASYNC_GENERATOR:
        wrapper = wrap_async_generator(function, plan)
    elif flags & inspect.CO_GENERATOR:
        wrapper = wrap_generator(function, plan)
    else:
        wrapper = _wrap_function(function, plan, waits=bool(flags & inspect.CO_COROUTINE))
    return _bound_as(called, function, functools.wraps(function)(wrapper))


def _bound_as(called: Any, function: Function, wrapper: Function) -> Function:
    """Bind the wrapper as the function is bound in `called`: as a method, a partial, or not at all."""
    if called is function:
        return wrapper
    if type(called) is types.MethodType:
        return types.MethodType(_bound_as(called.__func__, function, wrapper), called.__self__)
    return functools.partial(_bound_as(called.func, function, wrapper), *called.args, **called.keywords)


def _after(plan: Plan, cells: dict[str, Any]) -> str:
    """Return the lines that read the result, and add the cells that they use."""
    if plan.after is None:
        return ""
    if not plan.score_name:
        return AFTER
    cells |= {"having": having(plan.score_name), "float": float, "Exception": Exception, "interrupted": interrupted}
    scores = None if plan.series is None else plan.series.scores
    if scores is None:  # labels that depend on the call
        scored = "and (scores := series.scores) is not None and (append_score := scores.record)"
    else:
        scored = ""
        cells["append_score"] = scores.record
    return NAMED_SCORE.format(name=plan.score_name, scored=scored)


def _wrap_function(function: Function, plan: Plan, *, waits: bool) -> Function:
    series = plan.series
    cells: dict[str, Any] = {"ending": Ending(UnfinishedResults(plan)), "type": type}
    if plan.in_files:
        cells |= {"bisect": bisect_left}
    else:
        cells |= {"len": len} if series is None else {"len": len, "begin": series.begin, "succeed": series.succeed}
    template = (PLACED if plan.in_files else TEMPLATE).format(
        kind="async def" if waits else "def",
        wait="await" if waits else "",
        of="" if series is not None else "series.",
        bound=BOUND,
        after=_after(plan, cells),
    )
    return write(template, function, plan, cells)
