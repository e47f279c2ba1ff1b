"""What a response has said so far, in whatever format, and which counts of tokens are believed."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from mlmetrics.interruption import interrupted

NOTHING, ANSWER, REASONING = 0, 1, 2
"""What a payload carries: no content, content of the answer, or content of the reasoning."""

MOST_TOKENS = 2**53
LONGEST_NAME = 200


class Said:
    """What a response has said so far; one for each call.

    `usage` has additive token types. `finish` has why each answer ended, by its number where a response has several.
    `broken` tells that a payload could not be read, or had a usage
    that cannot be true. `known` tells that a payload was a provider's: its usage is missing if there is none.
    """

    __slots__ = ("broken", "failure", "finish", "identity", "known", "model", "tier", "usage")

    def __init__(self) -> None:
        self.usage: dict[str, float] | None = None
        self.failure: str | None = None
        self.finish: dict[Any, str] | None = None
        self.identity: str | None = None
        self.model: str | None = None
        self.tier: str | None = None
        self.broken = False
        self.known = False


Hear = Callable[[Any, Said], int]
"""Reads a payload (a response, a chunk, an event) into `Said`; returns what the payload carries."""


def guarded(read: Hear) -> Hear:
    """Return a reader that takes a payload of any shape: one that cannot be read carries nothing."""

    @wraps(read)
    def hear(payload: Any, said: Said) -> int:
        try:
            return read(payload, said)
        except Exception as error:  # any object may come
            if interrupted(error):
                raise
            said.broken = True
            return NOTHING

    return hear


def text(value: Any) -> str | None:
    """Return the value if it is a text, such as a member of an enum of texts, of a length that a name has."""
    kind = type(value)
    if kind is not str:
        if not issubclass(kind, str):
            return None
        value = str.__str__(value)
    return value if 0 < len(value) <= LONGEST_NAME else None


def name(said: Said, identity: Any, model: Any, tier: Any = None) -> None:
    """Keep how the response names itself, its model and its service tier; what is no name changes nothing."""
    said.known = True
    if identity is not None:
        said.identity = text(identity) or said.identity
    if model is not None:
        said.model = text(model) or said.model
    if tier is not None:
        said.tier = text(tier) or said.tier


def finish(said: Said, reason: Any, number: Any = 0) -> None:
    """Keep why an answer ended, which is its last word on it; `number` is its place among several."""
    told = text(reason)
    if told is not None:
        said.finish = {**(said.finish or {}), (number if type(number) is int else 0): told}


def believed(said: Said, *counts: Any) -> bool:
    """Return whether these can be counts of tokens; None is a count that is not told. If not, forget the usage."""
    for count in counts:
        if count is None or (type(count) is int and 0 <= count <= MOST_TOKENS):
            continue
        if type(count) is not float or not 0 <= count <= MOST_TOKENS:
            said.usage = None
            said.broken = True
            return False
    return True


def total(said: Said, *counts: Any) -> Any:
    """Return the sum of counts that are told, else None; what cannot be a count is returned as it is."""
    told = [count for count in counts if count is not None]
    if not believed(said, *told):
        return next(count for count in told if not believed(said, count))
    return sum(told) if told else None


def keep(  # noqa: PLR0917 (the counts of a usage, in the order of the catalogue)
    said: Said, prompt: Any, cache_read: Any, cache_write: Any, completion: Any, reasoning: Any, altogether: Any = None
) -> None:
    """Keep a usage whose prompt contains what was cached, and whose completion contains the reasoning.

    A usage of zeros is a missing one: the SDK of Mistral, and LiteLLM, show it so.
    """
    if not believed(said, prompt, cache_read, cache_write, completion, reasoning):
        return
    if not (prompt or completion or cache_read or cache_write or reasoning):
        return
    usage = said.usage = said.usage or {}
    if cache_read is not None:
        usage["cache_read"] = cache_read
    if cache_write is not None:
        usage["cache_write"] = cache_write
    if reasoning is not None:
        usage["reasoning"] = reasoning
    if prompt is not None:
        usage["input"] = _without(prompt, usage.get("cache_read", 0) + usage.get("cache_write", 0))
    if completion is not None:
        thought = usage.get("reasoning", 0)
        # xAI counts the reasoning beside the completion, as the total then tells.
        beside = thought and altogether == (prompt or 0) + completion + thought
        usage["output"] = completion if beside else _without(completion, thought)


def _without(whole: float, part: float) -> float:
    """Return a count without what it contains; a part that is greater than the whole was counted beside it."""
    return whole - part if part <= whole else whole
