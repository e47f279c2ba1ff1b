"""What a label value may be: cleaned text, and not more than so many different ones.

A value that comes from a call can be anything. It becomes text that both formats can
carry, or `unknown`; and when a label, or a metric with all its labels, has had its number
of values, `other`.
"""

from collections.abc import Hashable
from enum import Enum

from ..interruption import interrupted

MAX_LABEL_CHARACTERS = 200
DEFAULT_MAX_LABEL_VALUES = 200
DEFAULT_MAX_SERIES = 2000
UNKNOWN = "unknown"
OTHER = "other"
COMBINATION = "all labels together"
"""What `mlmetrics_label_overflow_total` calls the label whose values are the combinations of all labels."""


def clean(value: object) -> tuple[str, str | None]:
    """A value as label text, and what was wrong with it, if anything was.

    Text (and enum members and numbers as text) is kept; surrogates become `?`, what is over
    `MAX_LABEL_CHARACTERS` is cut, and what is no text at all (None, empty, a list) is `unknown`.
    """
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, int | float):
        value = format(value)
    if not isinstance(value, str):
        return UNKNOWN, f"a label value of type {type(value).__name__}"
    text = str.__str__(value)  # a class of the user's may raise whatever it is asked; its text may not
    if not text:
        return UNKNOWN, "an empty label value"
    problem = None
    if len(text) > MAX_LABEL_CHARACTERS:
        text, problem = text[:MAX_LABEL_CHARACTERS], f"{len(text)} characters, cut to {MAX_LABEL_CHARACTERS}"
    if not text.isascii() and (encoded := text.encode("utf-8", "replace").decode("utf-8")) != text:
        text, problem = encoded, "unpaired surrogates, replaced by '?'"
    return text, problem


def cleaned(value: object) -> tuple[str, str | None]:
    """The same for a value that may raise whatever it is asked."""
    try:
        return clean(value)
    except Exception as error:  # any object may come
        if interrupted(error):
            raise
        return UNKNOWN, f"a label value that raised {type(error).__name__}"


def is_empty(value: object) -> bool:
    """Whether a value is the empty text, which says that a label is not used; asked of objects that may raise."""
    return type(value) is str and not value


def declared_problem(value: object) -> str | None:
    """What is wrong with a label value that is written in a declaration, where it has to be text as it is recorded."""
    if not issubclass(type(value), str):
        return "no text"
    return cleaned(value)[1]


def shown(value: object) -> str:
    """A value for the message of an error, which says what was given even if the value cannot."""
    try:
        return f"{value!r:.100}"
    except Exception as error:  # any object may come
        if interrupted(error):
            raise
        return f"<{type(value).__name__} whose repr raised {type(error).__name__}>"


class Limits:
    """The distinct values that each label of each metric has had, and the combinations of all labels."""

    def __init__(self) -> None:
        self.max_values = DEFAULT_MAX_LABEL_VALUES
        self.max_series = DEFAULT_MAX_SERIES
        self._seen: dict[tuple[str, Hashable], set[Hashable]] = {}

    def admit(self, metric: str, label: str, value: str) -> bool:
        """Whether the value has, or just got, series of its own."""
        return value == OTHER or self._admit((metric, label), value, self.max_values)

    def admit_together(self, metric: str, names: tuple[str, ...], labels: tuple[str | None, ...]) -> bool:
        """Whether these values of these labels have, or just got, a series of their own."""
        return self._admit((metric, names), labels, self.max_series)

    def _admit(self, key: tuple[str, Hashable], value: Hashable, most: int) -> bool:
        seen = self._seen.setdefault(key, set())
        if value in seen:
            return True
        if len(seen) >= most:
            return False
        seen.add(value)
        return True
