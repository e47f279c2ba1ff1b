"""The rates of one model, in US dollars by token type, and what tokens cost by them."""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Protocol, runtime_checkable

PER_MILLION = 1e-6
STANDARD_TIERS = frozenset({"", "auto", "default", "on_demand", "standard"})
"""What providers call the service tier of their standard prices; OpenAI answers `default`, Anthropic `standard`."""
_FALLBACKS = {"cache_read": "input", "cache_write": "input", "reasoning": "output"}
"""A type without a rate of its own costs as the type that the provider counts it among, as in genai-prices."""


@runtime_checkable
class Rates(Protocol):
    """What the tokens of one model cost."""

    def cost(self, tokens: Mapping[str, float]) -> float | None:
        """Return the cost of a call in US dollars; None if it is not known.

        It is not known if a type that has tokens has no rate, or if a number of tokens is no number, 0 or more.
        """


class FixedRates:
    """Rates that do not change with time.

    Args:
        by_type: US dollars per million tokens by token type.
        steps: rates in place of these for a call of more than so many tokens of input, cached ones included.
        request: US dollars for each call, whatever its tokens.
    """

    __slots__ = ("_by_type", "_request", "_steps")

    def __init__(
        self,
        by_type: Mapping[str, float],
        steps: Sequence[tuple[float, Mapping[str, float]]] = (),
        request: float = 0.0,
    ) -> None:
        self._by_type = _per_token(by_type)
        self._steps = tuple((start, _per_token(rates)) for start, rates in sorted(steps, reverse=True))
        self._request = request

    def cost(self, tokens: Mapping[str, float]) -> float | None:
        """Return the cost of a call in US dollars; None if it is not known."""
        rates = self._rates_of(tokens) if self._steps else self._by_type
        total = self._request
        for token_type, number in tokens.items():
            if number:
                rate = rates.get(token_type)
                if rate is None or not number > 0:
                    return None
                total += rate * number
        return total if isfinite(total) else None

    def _rates_of(self, tokens: Mapping[str, float]) -> Mapping[str, float]:
        size = sum(tokens.get(token_type) or 0 for token_type in ("input", "cache_read", "cache_write"))
        return next((rates for start, rates in self._steps if size > start), self._by_type)


class ChangingRates:
    """Rates that depend on the time of day, or change at a date that is known.

    Args:
        at: returns the rates at a time in seconds since 1970; None where there are none.
        clock: returns that time; rates are asked for again in each second in which a call has a cost.
    """

    __slots__ = ("_at", "_clock", "_now")

    def __init__(self, at: Callable[[float], FixedRates | None], clock: Callable[[], float]) -> None:
        self._at = at
        self._clock = clock
        self._now: tuple[int, FixedRates | None] = (-1, None)

    def cost(self, tokens: Mapping[str, float]) -> float | None:
        """Return the cost of a call that ends now in US dollars; None if it is not known."""
        seconds, (asked, rates) = int(self._clock()), self._now
        if seconds != asked:
            rates = self._at(seconds)
            self._now = (seconds, rates)
        return None if rates is None else rates.cost(tokens)


def _per_token(per_million: Mapping[str, float]) -> dict[str, float]:
    rates = {token_type: rate * PER_MILLION for token_type, rate in per_million.items()}
    of_others = {token_type: rates[other] for token_type, other in _FALLBACKS.items() if other in rates}
    return of_others | rates
