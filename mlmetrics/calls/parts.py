"""Which results are still running, by their types, and of which parts their stand-ins are made."""

import types
from collections.abc import AsyncGenerator, Coroutine, Generator
from typing import Any

from mlmetrics.calls.iteration import (
    AsyncGeneratorIteration,
    AsyncIteration,
    Awaiting,
    CoroutineSteps,
    GeneratorIteration,
    Iteration,
)
from mlmetrics.calls.standins import StandIn, find

LAZY_BUILTINS = (map, filter, zip)
PREFIXES = {types.GeneratorType: "gi", types.CoroutineType: "cr", types.AsyncGeneratorType: "ag"}
C_METHODS = (types.WrapperDescriptorType, types.MethodDescriptorType, types.BuiltinFunctionType, type(None))
STREAMS = (Iteration, AsyncIteration)


def parts_of(kind: type, told: bool | None) -> tuple[type[StandIn], ...]:  # noqa: FBT001 (as the user said it)
    """Return the parts of the stand-in for a result of this type; none if the result is returned as it is.

    Of types written in C, only those that are known to be streams have parts: cursors and files are
    not only iterated, and code that checks their exact type would refuse a stand-in. `told` is the
    user's `stream=`: if it is true, anything that can be iterated is a stream.
    """
    parts: list[type[StandIn]] = []
    if issubclass(kind, Coroutine):
        parts.append(CoroutineSteps)
    elif in_python(kind, "__await__"):
        parts.append(Awaiting)
    if told is not False:
        if issubclass(kind, Generator):
            parts.append(GeneratorIteration)
        elif issubclass(kind, LAZY_BUILTINS) or in_python(kind, "__next__"):
            parts.append(Iteration)
        if issubclass(kind, AsyncGenerator):
            parts.append(AsyncGeneratorIteration)
        elif in_python(kind, "__anext__"):
            parts.append(AsyncIteration)
    if told and not any(issubclass(part, STREAMS) for part in parts):
        asynchronous, synchronous = find(kind, "__aiter__"), find(kind, "__iter__")
        parts += [AsyncIteration] if asynchronous is not None else [Iteration] if synchronous is not None else []
    return tuple(parts)


def in_python(kind: type, method: str) -> bool:
    """Whether this type has this special method, and it is written in Python."""
    return not isinstance(find(kind, method), C_METHODS)


def under_way(result: Any) -> bool:
    """Whether the function has already started the generator or coroutine that it returned."""
    prefix = PREFIXES.get(type(result))
    if prefix is None:
        return False
    # Python 3.11 does not say of an async generator whether it is suspended.
    return getattr(result, f"{prefix}_suspended", False) or getattr(result, f"{prefix}_frame") is None
