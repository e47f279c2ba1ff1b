"""What a label value may be: cleaned text, and not more than so many different ones.

A value that comes from a call can be anything. It becomes text that both formats can
carry, or `unknown`; and when a label has had its number of values, `other`.
"""

from enum import Enum

MAX_LABEL_CHARACTERS = 200
DEFAULT_MAX_LABEL_VALUES = 200
UNKNOWN = "unknown"
OTHER = "other"


def clean(value: object) -> tuple[str, str | None]:
    """A value as label text, and what was wrong with it, if anything was.

    Text (and enum members and numbers as text) is kept; surrogates become `?`, what is over
    `MAX_LABEL_CHARACTERS` is cut, and what is no text at all (None, empty, a list) is `unknown`.
    """
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, int | float):
        value = format(value)
    if not isinstance(value, str) or not value:
        return UNKNOWN, "an empty label value" if value == "" else f"a label value of type {type(value).__name__}"
    text = str.__str__(value)
    problem = None
    if len(text) > MAX_LABEL_CHARACTERS:
        text, problem = text[:MAX_LABEL_CHARACTERS], f"{len(text)} characters, cut to {MAX_LABEL_CHARACTERS}"
    if not text.isascii() and (encoded := text.encode("utf-8", "replace").decode("utf-8")) != text:
        text, problem = encoded, "unpaired surrogates, replaced by '?'"
    return text, problem


class Limits:
    """The distinct values that each label of each metric has had."""

    def __init__(self) -> None:
        self.max_values = DEFAULT_MAX_LABEL_VALUES
        self._seen: dict[tuple[str, str], set[str]] = {}

    def admit(self, metric: str, label: str, value: str) -> bool:
        """Whether the value has, or just got, a series of its own."""
        seen = self._seen.setdefault((metric, label), set())
        if value in seen:
            return True
        if len(seen) >= self.max_values and value != OTHER:
            return False
        seen.add(value)
        return True
