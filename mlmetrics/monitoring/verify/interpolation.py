"""How Grafana replaces `$variables` in a query before it sends the query to Prometheus."""

import re
from collections.abc import Mapping, Sequence

Choice = str | Sequence[str]

VARIABLE_PATTERN = re.compile(r"\$\{(\w+)(?:\.[^:}]+)?(?::[^}]+)?\}|\$(\w+)|\[\[(\w+?)(?::\w+)?\]\]")
_SPECIAL = re.compile(r"([\\^$*+?.()|\[\]{}])")


def name_in(match: re.Match[str]) -> str:
    """Return the name of the variable that was found."""
    return match[1] or match[2] or match[3]


def interpolate(query: str, choices: Mapping[str, Choice]) -> str:
    r"""Return a query with its variables replaced: a text as it is, a list as a regular expression.

    `$name`, `${name}`, `${name:format}` and `[[name]]` are replaced. A variable without a value is kept, as in Grafana,
    so that Prometheus refuses the query.

    >>> interpolate('up{job=~"$job"}[$__range]', {"job": ["a.b", "c"], "__range": "1h"})
    'up{job=~"(a\\\\.b|c)"}[1h]'
    """

    def text(match: re.Match[str]) -> str:
        name = name_in(match)
        return _text(choices[name]) if name in choices else match[0]

    return VARIABLE_PATTERN.sub(text, query)


def _text(choice: Choice) -> str:
    if isinstance(choice, str):
        return choice
    # Two backslashes: one for the regular expression, one for the PromQL string around it.
    escaped = [_SPECIAL.sub(r"\\\\\1", value) for value in choice]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"
