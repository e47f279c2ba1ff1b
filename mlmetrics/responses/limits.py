"""What the headers of a response say of the provider's limits: what it allows in its window, and what is left."""

from collections.abc import Iterable

Limits = dict[str, tuple[float | None, float | None]]
"""By one of `LIMITS`: the limit, and what remains of it; None is not told."""

LIMIT, REMAINING = 0, 1
UNTOLD = b"-1"
"""What Azure sends where it does not tell a limit."""
_FIRST = frozenset({b"x", b"X", b"a", b"A"})
"""First letters of the headers; most others are left out by theirs."""
_SIDES = {b"limit": LIMIT, b"remaining": REMAINING}
_OPENAI = {
    b"requests": "requests",
    b"tokens": "tokens",
    b"req-minute": "requests",  # Mistral
    b"requests-minute": "requests",  # Cerebras
    b"tokens-minute": "tokens",  # Mistral and Cerebras
    b"tokens-prompt": "input_tokens",  # Fireworks
    b"tokens-generated": "output_tokens",
}
_ANTHROPIC = ("requests", "tokens", "input_tokens", "output_tokens")

HEADERS: dict[bytes, tuple[str, int]] = {
    **{
        b"x-ratelimit-%b-%b" % (side, what): (name, place)
        for what, name in _OPENAI.items()
        for side, place in _SIDES.items()
    },
    **{
        b"anthropic-ratelimit-%b-%b" % (name.replace("_", "-").encode(), side): (name, place)
        for name in _ANTHROPIC
        for side, place in _SIDES.items()
    },
}
"""By header: which limit it tells, and which side of it. Of several windows, that of a minute."""


def read_limits(headers: Iterable[tuple[bytes, bytes]]) -> tuple[Limits, list[str]]:
    """Return the limits that headers tell, and the names of those whose value is no number.

    Args:
        headers: names and values, as they came.
    """
    found: Limits = {}
    strange = []
    for name, value in headers:
        known = HEADERS.get(name.lower()) if name[:1] in _FIRST else None
        if known is None or value.strip() == UNTOLD:
            continue
        number = _number(value)
        if number is None:
            strange.append(name.lower().decode())
            continue
        what, side = known
        limit, remaining = found.get(what, (None, None))
        found[what] = (number, remaining) if side == LIMIT else (limit, number)
    return found, strange


def _number(value: bytes) -> float | None:
    """Return a number of digits; `float` also takes `nan`, `1_000` and signs."""
    digits = value.strip()
    whole, _, part = digits.partition(b".")
    return float(digits) if whole.isdigit() and (part.isdigit() or not part) else None
