"""Reading one TOML table: every complaint names the key, the value, and what would be right."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn

from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.durations import parse_seconds

_LONGEST_NAME = 120


class Table:
    """A table of the configuration, read key by key; `close` refuses the keys nobody asked for."""

    def __init__(self, values: object, path: str) -> None:
        self.path = path
        if not isinstance(values, Mapping):
            message = f"{path} = {values!r}: expected a table, as in [{path}]"
            raise ConfigurationError(message)
        self._values = dict(values)
        self._known: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def refuse(self, key: str, expected: str) -> NoReturn:
        """Raise the error that says what `key` was and what it should be."""
        where = f"{self.path}.{key}" if self.path else key
        given = f" = {self._values[key]!r}" if key in self._values else " is missing"
        message = f"{where}{given}: expected {expected}"
        raise ConfigurationError(message)

    def raw(self, key: str, default: Any) -> Any:
        """Return the value as TOML gave it."""
        self._known.add(key)
        return self._values.get(key, default)

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text that may stand in rules: printable, and no template of Prometheus."""
        value = self.raw(key, default)
        if not isinstance(value, str) or not is_plain(value):
            self.refuse(
                key, f"a text of 1 to {_LONGEST_NAME} printable characters without '{{{{' (Prometheus expands those)"
            )
        return value

    def address(self, key: str, default: str) -> str:
        """Return a base address without its closing slash; it may be empty."""
        value = self.raw(key, default)
        if value == "":
            return ""
        return self.text(key, default).rstrip("/")

    def number(self, key: str, default: float | None, *, least: float, most: float, expected: str) -> float:
        """Return a number within its limits."""
        value = self.raw(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            self.refuse(key, expected)
        return float(value)

    def seconds(self, key: str, default: float, *, positive: bool = True) -> float:
        """Return a duration such as `5m` in seconds."""
        value = self.raw(key, None)
        if value is None:
            return default
        try:
            seconds = parse_seconds(value)
        except (TypeError, ValueError):
            self.refuse(key, 'a duration in quotes such as "30s", "5m" or "1h30m"')
        if seconds % 1 or (positive and seconds <= 0):
            self.refuse(key, f"whole seconds{', more than 0' if positive else ''}")
        return seconds

    def flag(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self.raw(key, default)
        if not isinstance(value, bool):
            self.refuse(key, "true or false")
        return value

    def one_of(self, key: str, allowed: Iterable[str], default: str | None = None) -> str:
        """Return one of a few words."""
        value, words = self.raw(key, default), tuple(allowed)
        if value not in words:
            self.refuse(key, f"one of {', '.join(words)}")
        return str(value)

    def texts(self, key: str, *, least: int = 0) -> tuple[str, ...]:
        """Return a list of different plain texts."""
        value = self.raw(key, [])
        plain = isinstance(value, list) and all(isinstance(item, str) and is_plain(item) for item in value)
        if not plain or len(set(value)) != len(value) or len(value) < least:
            self.refuse(key, f"a list of {f'at least {least}' if least else ''} different texts".replace("  ", " "))
        return tuple(value)

    def labels(self, key: str) -> dict[str, str]:
        """Return a table of labels: names as Prometheus allows them, plain texts as values."""
        value = self.raw(key, {})
        if not isinstance(value, Mapping):
            self.refuse(key, 'a table such as { team = "ml" }')
        for name, text in value.items():
            if not is_label(name) or not isinstance(text, str) or not is_plain(text):
                self.refuse(key, f"label names of letters, digits and _ with plain texts; {name!r} = {text!r} is not")
        return dict(value)

    def close(self) -> None:
        """Raise if the table holds a key that nobody read."""
        for key in self._values:
            if key not in self._known:
                near = difflib.get_close_matches(key, self._known, n=1)
                guess = f"; did you mean {near[0]!r}?" if near else ""
                self.refuse(key, f"one of the keys {', '.join(sorted(self._known))}{guess}")


def is_plain(text: str) -> bool:
    """Tell whether a text may stand in a rule as a label value."""
    return 0 < len(text) <= _LONGEST_NAME and text.isprintable() and "{{" not in text and text == text.strip()


def is_label(name: str) -> bool:
    """Tell whether a name may be a label's name."""
    return name.isascii() and name.isidentifier() and not name.startswith("__")
