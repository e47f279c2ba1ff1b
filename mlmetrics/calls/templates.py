"""Wrappers with exactly the parameters and globals of the function that they wrap.

A template is filled in with the number of parameters of each kind, and compiled once for all
functions with the same numbers. The names of the function's own parameters are inserted into the
compiled code, so that a parameter may have any name. Everything else that a wrapper uses is in
its closure. Its globals are the function's, because annotations that are strings are looked up
there; so a call needs no look-up in globals.
"""

import functools
import inspect
import types
from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import indent
from typing import Any

from mlmetrics.calls.labels import FindArgument
from mlmetrics.calls.plan import Function, Plan


@dataclass(frozen=True, slots=True)
class Parameters:
    """The number of parameters of each kind of a function, and their text in a template."""

    positional_only: int
    positional: int  # including the positional-only ones
    keyword_only: int
    gathers: bool
    gathers_keywords: bool

    @property
    def _by_position(self) -> list[str]:
        return [f"p{place}" for place in range(self.positional)]

    @property
    def _by_keyword(self) -> list[str]:
        return [f"k{place}" for place in range(self.keyword_only)]

    @property
    def names(self) -> list[str]:
        """Their names in the template, in the order of the function's own names."""
        gathering = ["args"] * self.gathers + ["kwargs"] * self.gathers_keywords
        return [*self._by_position, *self._by_keyword, *gathering]

    @property
    def declared(self) -> str:
        """The parameters as written in a `def`."""
        parts = self._by_position
        if self.positional_only:
            parts.insert(self.positional_only, "/")
        if self.gathers:
            parts.append("*args")
        elif self.keyword_only:
            parts.append("*")
        return ", ".join([*parts, *self._by_keyword, *["**kwargs"] * self.gathers_keywords])

    @property
    def passed(self) -> str:
        """The arguments as written in a call that passes them on."""
        parts = [*self._by_position, *["*args"] * self.gathers, *(f"{name}={name}" for name in self._by_keyword)]
        return ", ".join([*parts, *["**kwargs"] * self.gathers_keywords])

    @property
    def gathered(self) -> str:
        """A tuple of the positional arguments and a dictionary of the others."""
        positional = "".join(f"{part}, " for part in [*self._by_position, *["*args"] * self.gathers])
        keywords = [f"'{name}': {name}" for name in self._by_keyword] + ["**kwargs"] * self.gathers_keywords
        return f"({positional}), {{{', '.join(keywords)}}}"


GENERAL = Parameters(0, 0, 0, gathers=True, gathers_keywords=True)
"""For builtins, and objects whose call is not a Python function: any arguments."""


def parameters_of(function: Function) -> tuple[Parameters, tuple[str, ...]]:
    """Return the parameters of a function, and their names."""
    if type(function) is not types.FunctionType:
        return GENERAL, ("args", "kwargs")
    code = function.__code__
    parameters = Parameters(
        code.co_posonlyargcount,
        code.co_argcount,
        code.co_kwonlyargcount,
        bool(code.co_flags & inspect.CO_VARARGS),
        bool(code.co_flags & inspect.CO_VARKEYWORDS),
    )
    return parameters, code.co_varnames[: len(parameters.names)]


def function_of(called: Function) -> Function:
    """Return the function that a bound method or a partial runs in the end; anything else is returned itself."""
    inner: Any = called
    while type(inner) in (types.MethodType, functools.partial):
        inner = inner.__func__ if type(inner) is types.MethodType else inner.func
    return inner if type(inner) is types.FunctionType else called


def write(template: str, function: Function, plan: Plan, cells: Mapping[str, Any]) -> types.FunctionType:
    """Make the wrapper of a function from a template; `cells` has the objects that the template uses."""
    parameters, names = parameters_of(function)
    bound = {"after": plan.after, **cells, "function": function, "clock": plan.clock}
    text = template.format(
        declared=parameters.declared,
        passed=parameters.passed,
        prepare=_prepare(plan, function, parameters, names, bound),
    )
    code = _named(compiled(text, tuple(bound)), len(parameters.names), names, parameters.names)
    code = code.replace(
        co_flags=code.co_flags | code_flags(function) & inspect.CO_ITERABLE_COROUTINE,
        co_filename=f"{WRAPPER} {getattr(function, '__qualname__', 'a callable')}>",
    )
    closure = tuple(types.CellType(bound[name.removeprefix(OWN)]) for name in code.co_freevars)
    own: types.FunctionType | None = function if type(function) is types.FunctionType else None
    wrapper = types.FunctionType(code, {} if own is None else own.__globals__, "wrapper", None, closure)
    if own is not None:
        # The same objects: a dictionary of defaults that is changed later is changed for both.
        wrapper.__defaults__, wrapper.__kwdefaults__ = own.__defaults__, own.__kwdefaults__
    return wrapper


def code_flags(function: Function) -> int:
    """Return the flags of a function's code, such as coroutine or generator; 0 if there is no code."""
    return function.__code__.co_flags if type(function) is types.FunctionType else 0


def _prepare(
    plan: Plan, function: Function, parameters: Parameters, names: tuple[str, ...], bound: dict[str, Any]
) -> str:
    """Return the lines that find the series and measure an argument before the call begins."""

    def read(argument: FindArgument, cell: str) -> str:
        if own_parameter(function, argument.name):
            return parameters.names[names.index(argument.name)]
        bound[cell] = argument
        return f"{cell}({parameters.gathered})"

    lines = []
    if plan.series is not None:
        bound |= {"series": plan.series}
    elif (finder := plan.find) is not None and finder.argument is not None:
        bound["find"] = finder.by_value
        lines.append(f"series = find({read(finder.argument, 'labelling')})")
    elif finder is not None:
        bound["find"] = finder.by_call
        lines.append(f"series = find({parameters.gathered})")
    if plan.before is not None:
        bound["before"] = plan.before.record
        lines.append(f"before(series, {read(plan.before.argument, 'measured')})")
    return "\n    ".join(lines)


def own_parameter(function: Function, name: str) -> bool:
    """Whether the wrapper has this parameter itself: it may be in `**kwargs`, or of a function further in."""
    if type(function) is not types.FunctionType or hasattr(function, "__wrapped__"):
        return False
    code = function.__code__
    return name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


WRAPPER = "<mlmetrics wrapper of"
"""How the file names of wrappers begin; there is no file."""
OWN = "."
"""The first character of the wrapper's own names, so that they differ from every parameter."""


def _named(code: types.CodeType, count: int, names: tuple[str, ...], placeholders: list[str]) -> types.CodeType:
    """Return the code with the function's own names in place of the template's.

    Code refers to its variables by place: only debuggers read their names. What is passed by keyword
    has its name among the constants as well.
    """
    by_placeholder = dict(zip(placeholders, names, strict=True))

    def renamed(constant: Any) -> Any:
        if type(constant) is tuple:
            return tuple(renamed(each) for each in constant)
        return by_placeholder.get(constant, constant) if type(constant) is str else constant

    return code.replace(
        co_varnames=(*names, *(OWN + name for name in code.co_varnames[count:])),
        co_freevars=tuple(OWN + name for name in code.co_freevars),
        co_consts=tuple(renamed(constant) for constant in code.co_consts),
    )


@functools.cache
def compiled(text: str, cells: tuple[str, ...]) -> types.CodeType:
    """Compile a filled-in template; the code of its wrapper."""
    source = f"def bind({', '.join(cells)}):\n{indent(text, '    ')}"
    module = compile(source, "<mlmetrics wrapper>", "exec", dont_inherit=True)
    return _inner(_inner(module))


def _inner(code: types.CodeType) -> types.CodeType:
    """Return the code of the one function that is defined in this code."""
    return next(constant for constant in code.co_consts if type(constant) is types.CodeType)
