"""Whether a part of a response carries content: of the answer, of the reasoning, or none."""

from typing import Any

from mlmetrics.responses.fields import Fields, fields
from mlmetrics.responses.said import ANSWER, NOTHING, REASONING

_ABOUT = frozenset(
    {"cache_control", "id", "index", "object", "phase", "role", "signature", "status", "thought", "thought_signature",
     "thoughtSignature", "type"}
)  # fmt: skip
"""Fields that describe a part, and are no content."""

_THINKING = frozenset(
    {"reasoning", "reasoning_content", "redacted_thinking", "signature_delta", "thinking", "thinking_delta"}
)
_PLAIN = frozenset({bool, float, int, type(None)})


def filled(value: Any) -> bool:
    """Return whether there is a text or data in the value, however deep."""
    kind = type(value)
    if kind is str or kind is bytes:
        return len(value) > 0
    if kind in _PLAIN:
        return False
    if kind is list:
        return any(map(filled, value))
    return any(filled(each) for name, each in fields(value).items() if name not in _ABOUT)


def any_filled(body: Fields, names: tuple[str, ...]) -> bool:
    """Return whether there is a text or data in any of these fields."""
    for name in names:
        value = body.get(name)
        if value is not None and filled(value):
            return True
    return False


def of_part(part: Any) -> int:
    """Return what a block or part carries that says its own type; a text is content of the answer."""
    body = fields(part)
    told = body.get("text")
    if not (type(told) is str and told) and not filled(part):
        return NOTHING
    kind = body.get("type")
    return REASONING if type(kind) is str and kind in _THINKING else ANSWER


def of_parts(parts: Any) -> int:
    """Return what a text or a list of parts carries; the answer counts before the reasoning."""
    if type(parts) is str:
        return ANSWER if parts else NOTHING
    if type(parts) is not list:
        return of_part(parts)
    return first(map(of_part, parts))


def first(carried: Any) -> int:
    """Return ANSWER if any is an answer, else REASONING if any is reasoning."""
    found = NOTHING
    for each in carried:
        if each == ANSWER:
            return ANSWER
        found = found or each
    return found
