"""The four wrappers of a function: plain, coroutine, generator, async generator.

Each appends when it begins and when it ends, and leaves every decision to `call`. They
are plain closures because a closure is the cheapest call Python has; what they refer to
is bound when the function is decorated, so that a call looks nothing up, takes no lock
and allocates nothing but its two numbers.

A signal handler may raise between any two steps. So all that can be interrupted stands
inside of the `try`, up to the one append that ends the call: it is the first thing after.
"""

import functools
import inspect
import types
from typing import Any

from ..recording.series import BOUND
from .adoption import Adoption
from .call import look, raised
from .exact import wrapper_of
from .operation import CallSeries
from .plan import Function, Plan
from .streams import wrap_async_generator, wrap_generator


def wrap(function: Function, plan: Plan) -> Function:
    """The function, recorded; of the same kind, name, signature and laziness."""
    if inspect.isasyncgenfunction(function):
        wrapper = wrap_async_generator(function, plan)
    elif inspect.isgeneratorfunction(function):
        wrapper = wrap_generator(function, plan)
        if getattr(getattr(function, "__code__", None), "co_flags", 0) & inspect.CO_ITERABLE_COROUTINE:
            wrapper = types.coroutine(wrapper)
    elif inspect.iscoroutinefunction(function):
        wrapper = _wrap_coroutine(function, plan)
    else:
        wrapper = _wrap_function(function, plan)
    return functools.wraps(function)(wrapper)


def _wrap_simply(function: Function, plan: Plan, series: CallSeries) -> Function:
    """The most common case: everything it needs is a cell of the closure, its parameters the function's own."""
    adoption = Adoption(plan)
    bind = wrapper_of(function)
    return bind(series, series.begin, series.begun, series.succeed, plan.clock, adoption.plain, adoption.adopt)


def _wrap_function(function: Function, plan: Plan) -> Function:
    if plan.series is not None and plan.before is None and plan.after is None:
        return _wrap_simply(function, plan, plan.series)
    fixed, find, clock, before, after = plan.series, plan.find, plan.clock, plan.before, plan.after
    adoption = Adoption(plan)
    plain, adopt = adoption.plain, adoption.adopt

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        series: Any = fixed or find(args, kwargs)  # type: ignore[misc]  # one of the two is there
        if before is not None:
            before(series, args, kwargs)
        start = clock()
        try:
            series.begin(None)
            # Merging an empty dictionary costs as much as a clock reading.
            result = function(*args, **kwargs) if kwargs else function(*args)
            seconds = clock() - start
            if type(result) not in plain and (adopted := adopt(series, start, result)) is not None:
                return adopted
        except BaseException as error:
            try:
                raised(series, error, clock() - start)
            except RecursionError:
                series.failed.append(clock() - start)
            raise
        series.succeed(seconds)
        if seconds > series.notice_seconds or len(series.begun) > BOUND:
            look(series, seconds)
        if after is not None:
            after(series, result)
        return result

    return wrapper


def _wrap_coroutine(function: Function, plan: Plan) -> Function:
    fixed, find, clock, before, after = plan.series, plan.find, plan.clock, plan.before, plan.after
    adoption = Adoption(plan)
    plain, adopt = adoption.plain, adoption.adopt

    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        series: Any = fixed or find(args, kwargs)  # type: ignore[misc]  # one of the two is there
        if before is not None:
            before(series, args, kwargs)
        start = clock()
        try:
            series.begin(None)
            result = await function(*args, **kwargs)
            seconds = clock() - start
            if type(result) not in plain and (adopted := adopt(series, start, result)) is not None:
                return adopted
        except BaseException as error:
            try:
                raised(series, error, clock() - start)
            except RecursionError:
                series.failed.append(clock() - start)
            raise
        series.succeed(seconds)
        if seconds > series.notice_seconds or len(series.begun) > BOUND:
            look(series, seconds)
        if after is not None:
            after(series, result)
        return result

    return wrapper
