"""What the tokens of a call cost."""

from collections.abc import Mapping
from typing import Any

from mlmetrics.calls.operation import CallSeries


def price(series: CallSeries, tokens: Mapping[str, float], model: str | None, provider: str, tier: str | None) -> None:
    """Stub until the pricing room is there."""


class Spent:
    """The tokens that the code of a call says it used, and whether it also says what they cost."""

    __slots__ = ("costed", "tokens")

    def __init__(self) -> None:
        self.tokens: dict[str, Any] | None = None
        self.costed = False

    def add(self, tokens: Mapping[str, Any]) -> None:
        """Add tokens by type."""
        known = self.tokens if self.tokens is not None else {}
        self.tokens = {**known, **{name: known.get(name, 0) + count for name, count in tokens.items()}}

    def settle(self, series: CallSeries) -> None:
        """Add what the tokens cost, unless the code has said so itself."""
        if self.tokens is not None and not self.costed:
            price(series, self.tokens, None, "", None)
