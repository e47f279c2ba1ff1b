"""Label values: turned into valid text, and limited in number.

A call may provide any object as a label value. It becomes text that both text formats allow,
or `unknown`. When a label has reached its limit of values, or a metric its limit of
combinations, further values become `other`.
"""

from collections.abc import Hashable
from enum import Enum

from mlmetrics.errors import name_of_type
from mlmetrics.interruption import interrupted

MAX_LABEL_CHARACTERS = 200
DEFAULT_MAX_LABEL_VALUES = 200
DEFAULT_MAX_SERIES = 2000
UNKNOWN = "unknown"
OTHER = "other"
RawLabels = tuple[str | None, ...]
"""Label values; the first, the service, is None while it is not known."""
COMBINATION = "all labels together"
"""What `mlmetrics_label_overflow_total` calls the label whose values are the combinations of all labels."""


def clean(value: object) -> tuple[str, str | None]:
    """Return the value as label text, and what was wrong with it; None if nothing was.

    Text (and enum members and numbers as text) is kept; surrogates become `?`, what is over
    `MAX_LABEL_CHARACTERS` is cut, and what is no text at all (None, empty, a list) is `unknown`.
    """
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, int | float):
        value = format(value)
    if not isinstance(value, str):
        return UNKNOWN, f"a label value of type {name_of_type(type(value))}"
    text = str.__str__(value)  # a subclass may define methods that raise; this one cannot
    if not text:
        return UNKNOWN, "an empty label value"
    problem = None
    if len(text) > MAX_LABEL_CHARACTERS:
        text, problem = text[:MAX_LABEL_CHARACTERS], f"{len(text)} characters, cut to {MAX_LABEL_CHARACTERS}"
    if not text.isascii() and (encoded := text.encode("utf-8", "replace").decode("utf-8")) != text:
        text, problem = encoded, "unpaired surrogates, replaced by '?'"
    return text, problem


def cleaned(value: object) -> tuple[str, str | None]:
    """As `clean`, for a value whose methods may raise."""
    try:
        return clean(value)
    except Exception as error:  # any object may come
        if interrupted(error):
            raise
        return UNKNOWN, f"a label value that raised {name_of_type(type(error))}"


def number_as_text(value: object) -> object:
    """Return a number as text, and all else as it is, because texts alone are looked up among the known labels."""
    try:
        return format(value) if type(value) in {int, float, bool} else value
    except Exception as error:  # more digits than Python writes, or any class; `cleaned` says what is wrong
        if interrupted(error):
            raise
        return value


def is_empty(value: object) -> bool:
    """Whether the value is the empty text, which means that the label is not used; safe for any object."""
    return type(value) is str and not value


def declared_problem(value: object) -> str | None:
    """Return what is wrong with a label value in a declaration, which must be valid text; None if nothing is."""
    if not issubclass(type(value), str):
        return "no text"
    return cleaned(value)[1]


class Limits:
    """The distinct values of each label of each metric so far, and the combinations of all labels."""

    def __init__(self) -> None:
        self.max_values = DEFAULT_MAX_LABEL_VALUES
        self.max_series = DEFAULT_MAX_SERIES
        self._seen: dict[tuple[str, Hashable], set[Hashable]] = {}

    def admit(self, metric: str, label: str, value: str) -> bool:
        """Whether the value is known or within the limit, and so has its own series."""
        return value == OTHER or self._admit((metric, label), value, self.max_values)

    def admit_together(self, metric: str, names: tuple[str, ...], labels: tuple[str | None, ...]) -> bool:
        """Whether this combination is known or within the limit, and so has its own series."""
        return self._admit((metric, names), labels, self.max_series)

    def _admit(self, key: tuple[str, Hashable], value: Hashable, most: int) -> bool:
        seen = self._seen.setdefault(key, set())
        if value in seen:
            return True
        if len(seen) >= most:
            return False
        seen.add(value)
        return True
