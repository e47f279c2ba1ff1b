"""How Grafana replaces `$variables` in a query before it sends the query to Prometheus."""

import re
from collections.abc import Mapping, Sequence

Choice = str | Sequence[str]

_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")
_SPECIAL = re.compile(r"([\\^$*+?.()|\[\]{}])")


def interpolate(query: str, choices: Mapping[str, Choice]) -> str:
    r"""Return a query with its variables replaced: a text as it is, a list as a regular expression.

    A variable without a value is kept, as in Grafana, so that Prometheus refuses the query.

    >>> interpolate('up{job=~"$job"}[$__range]', {"job": ["a.b", "c"], "__range": "1h"})
    'up{job=~"(a\\\\.b|c)"}[1h]'
    """

    def text(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        return _text(choices[name]) if name in choices else match[0]

    return _VARIABLE.sub(text, query)


def _text(choice: Choice) -> str:
    if isinstance(choice, str):
        return choice
    # Two backslashes: one for the regular expression, one for the PromQL string around it.
    escaped = [_SPECIAL.sub(r"\\\\\1", value) for value in choice]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"
