"""Matchers of labels, and regular expressions as RE2 reads them.

RE2 and Python differ. What both read in the same way is evaluated: characters, dots, classes of characters, groups,
alternatives, repetitions and their lazy forms, the flags i, m and s, beginnings and ends of texts and words. Anything
else, such as lookarounds, back references, classes by their names, and quoted stretches, is refused.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from mlmetrics.live.promql.semantics import PromQLError

Matcher = tuple[str, str, str]
"""A label, an operator (`=`, `!=`, `=~`, `!~`) and a text."""
_PART = re.compile(
    r"\\(?:[dDwWsSbBntrfav]|x[0-9a-fA-F]{2}|[^a-zA-Z0-9])|\(\?:|\(\?P<[A-Za-z_]\w*>|\(\?[ims]+[:)]"
    r"|\((?!\?)|[*+?](?:\?(?![+*?])|(?![+*?]))|\{[0-9]+(?:,[0-9]*)?\}(?:\?(?![+*?])|(?![+*?]))"
    r"|\[\^?\]?(?:[^\]\\\[&|~]|\\(?:[dDwWsSntrfav]|x[0-9a-fA-F]{2}|[^a-zA-Z0-9])|[&|~](?![&|~]))*\]"
    r"|[^\\()\[*+?{]|\)|\{(?![0-9])",
    re.DOTALL,
)
_DOUBLED = re.compile(r"--")


@lru_cache(maxsize=1024)
def compiled(pattern: str, *, dot_is_any: bool) -> re.Pattern[str]:
    """Return the regular expression, which is to match a whole text.

    Raises:
        PromQLError: RE2 and Python may read it differently, or it is wrong.
    """
    position = 0
    while position < len(pattern):
        part = _PART.match(pattern, position)
        if part is None or (part[0].startswith("[") and _DOUBLED.search(part[0])):
            raise PromQLError(
                f"the regular expression {pattern!r} is not evaluated here, from {pattern[position:]!r} on"
            )
        if part[0].startswith("(?") and part[0].endswith(")") and position:
            raise PromQLError(f"the regular expression {pattern!r} is not evaluated here: flags after its beginning")
        position = part.end()
    try:
        return re.compile(pattern, re.ASCII | (re.DOTALL if dot_is_any else re.NOFLAG))
    except re.error as error:
        raise PromQLError(f"the regular expression {pattern!r} cannot be read: {error}") from error


def tests(matchers: Sequence[Matcher], *, dot_is_any: bool) -> list[tuple[str, Callable[[str], bool]]]:
    """Return for each matcher its label and a test of the label's value, which is empty where there is none."""
    return [(label, _test(operator, text, dot_is_any)) for label, operator, text in matchers]


def _test(operator: str, text: str, dot_is_any: bool) -> Callable[[str], bool]:  # noqa: FBT001 - of this module
    if operator in ("=", "!="):
        return text.__eq__ if operator == "=" else text.__ne__
    pattern = compiled(text, dot_is_any=dot_is_any)
    known: dict[str, bool] = {}

    def matches(value: str) -> bool:
        found = known.get(value)
        if found is None:
            found = known[value] = (pattern.fullmatch(value) is not None) == (operator == "=~")
        return found

    return matches
