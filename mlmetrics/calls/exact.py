"""The wrapper of a plain function, with the very parameters of the function.

Passing on `*args, **kwargs` costs a tuple, a dictionary and a copy of it at every call, which is
as much as both clock readings. So the wrapper is written out for the function's own parameters
and compiled, once for each list of parameters, as `dataclasses` write `__init__`.

A signal handler may raise between any two steps. So all that can be interrupted stands
inside of the `try`, up to the one append that ends the call: it is the first thing after.
"""

import inspect
import types
from collections.abc import Callable
from functools import cache
from typing import Any

from ..recording.series import BOUND
from .call import look, raised
from .plan import Function

GENERAL = ("*args, **kwargs", "*args, **kwargs")
TEMPLATE = """
def bind(_function, _series, _begin, _begun, _succeed, _clock, _plain, _adopt):
    def wrapper({parameters}):
        _start = _clock()
        try:
            _begin(None)
            _result = _function({arguments})
            _seconds = _clock() - _start
            if _type(_result) not in _plain and (_adopted := _adopt(_series, _start, _result)) is not None:
                return _adopted
        except _BaseException as _error:
            try:
                _raised(_series, _error, _clock() - _start)
            except _RecursionError:  # no room on the stack for one call more
                _series.failed.append(_clock() - _start)
            raise
        _succeed(_seconds)
        if _seconds > _series.notice_seconds or _len(_begun) > _BOUND:
            _look(_series, _seconds)
        return _result
    return wrapper
"""
# Under names that no parameter can hide; `parameters` sees to that.
NAMES = {
    "_BOUND": BOUND,
    "_BaseException": BaseException,
    "_RecursionError": RecursionError,
    "_len": len,
    "_look": look,
    "_raised": raised,
    "_type": type,
}


def wrapper_of(function: Function) -> Callable[..., Function]:
    """What binds a wrapper to the function, its series and its clock."""
    parameters, arguments = parameters_of(function)
    bind = compiled(parameters, arguments)

    def bound(*bindings: Any) -> Function:
        wrapper = bind(function, *bindings)
        if (parameters, arguments) != GENERAL:
            wrapper.__defaults__ = function.__defaults__
        return wrapper

    return bound


def parameters_of(function: Function) -> tuple[str, str]:
    """How to declare the function's parameters, and how to pass them on."""
    if not isinstance(function, types.FunctionType):
        return GENERAL
    code = function.__code__
    names = code.co_varnames[: code.co_argcount]
    gathers = code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS) or code.co_kwonlyargcount
    if gathers or any(name.startswith("_") or not name.isidentifier() for name in names):
        return GENERAL
    declared = [*names]
    if code.co_posonlyargcount:
        declared.insert(code.co_posonlyargcount, "/")
    return ", ".join(declared), ", ".join(names)


@cache
def compiled(parameters: str, arguments: str) -> Callable[..., Function]:
    """The template with these parameters."""
    namespace: dict[str, Any] = dict(NAMES)
    source = TEMPLATE.format(parameters=parameters, arguments=arguments)
    code = compile(source, f"<mlmetrics wrapper of ({parameters})>", "exec")  # what a traceback shows
    exec(code, namespace)  # noqa: S102 (the template, with names that Python took for parameters)
    bind: Callable[..., Function] = namespace["bind"]
    return bind
