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
from typing import Any

from mlmetrics.calls.adoption import Adoption
from mlmetrics.calls.call import look, raised
from mlmetrics.calls.exact import code_flags, function_of, write
from mlmetrics.calls.plan import Function, Plan
from mlmetrics.calls.streams import wrap_async_generator, wrap_generator
from mlmetrics.recording.series import BOUND

TEMPLATE = """
{kind} wrapper({{declared}}):
    {{prepare}}
    start = clock()
    try:
        {of}begin(None)
        result = {wait} function({{passed}})
        seconds = clock() - start
        if type(result) not in ending.plain and (adopted := ending.adopt(series, start, result)) is not None:
            return adopted
    except ending.BaseException as error:
        try:
            ending.raised(series, error, clock() - start)
        except ending.RecursionError:  # no room on the stack for one call more
            series.failed.append(clock() - start)
        raise
    {of}succeed(seconds)
    if seconds > series.notice_seconds or len(series.begun) > {bound}:
        ending.look(series, seconds)
    {after}
    return result
"""


class Ending:
    """What a wrapper needs when a call ends, in one cell of its closure, because each cell slows down every call."""

    __slots__ = ("_adoption", "adopt", "plain")

    BaseException = BaseException
    RecursionError = RecursionError
    look = staticmethod(look)
    raised = staticmethod(raised)

    def __init__(self, adoption: Adoption) -> None:
        self._adoption = adoption
        self.adopt = adoption.adopt
        self.plain = adoption.plain

    def __reduce__(self) -> tuple[Any, ...]:
        return Ending, (self._adoption,)


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


def _wrap_function(function: Function, plan: Plan, *, waits: bool) -> Function:
    series = plan.series
    cells: dict[str, Any] = {"ending": Ending(Adoption(plan)), "len": len, "type": type}
    if series is not None:
        cells |= {"begin": series.begin, "succeed": series.succeed}
    template = TEMPLATE.format(
        kind="async def" if waits else "def",
        wait="await" if waits else "",
        of="" if series is not None else "series.",
        bound=BOUND,
        after="" if plan.after is None else "after(series, result)",
    )
    return write(template, function, plan, cells)
