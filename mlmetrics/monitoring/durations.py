"""Durations as Prometheus writes them (`1h30m`), and as seconds."""

import re

MINUTE_SECONDS = 60.0
HOUR_SECONDS = 3600.0
DAY_SECONDS = 24 * HOUR_SECONDS
_MILLISECONDS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_PART = re.compile(r"(\d+)(ms|[wdhms])")


def parse_seconds(text: str) -> float:
    """Return the seconds in a duration such as `90s`, `1h30m` or `1w`.

    Raises:
        ValueError: The text is not a duration.

    >>> parse_seconds("1h30m")
    5400.0
    """
    if not re.fullmatch(f"(?:{_PART.pattern})+", text):
        raise ValueError(f"{text!r} is not a duration")
    return sum(int(number) * _MILLISECONDS[unit] for number, unit in _PART.findall(text)) / 1000


def format_seconds(seconds: float) -> str:
    """Return seconds as the shortest duration of one unit, exact to the millisecond.

    >>> format_seconds(5400)
    '90m'
    """
    milliseconds = max(round(seconds * 1000), 0)
    if milliseconds == 0:
        return "0s"
    unit = next(name for name, size in _MILLISECONDS.items() if milliseconds % size == 0)
    return f"{milliseconds // _MILLISECONDS[unit]}{unit}"
