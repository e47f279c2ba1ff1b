"""The prices in use: a project's own table first, then genai-prices if it is installed.

What is found is remembered, so that a second look-up takes no more than one look into a dict. A look-up in
genai-prices is for another thread.
"""

import time
from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from typing import Final

from mlmetrics.interruption import interrupted
from mlmetrics.pricing import genai
from mlmetrics.pricing.rates import Rates
from mlmetrics.pricing.table import Own, Table, read_table
from mlmetrics.pricing.waiting import Waiting

OWN, GENAI = "own", "genai-prices"
PLACE = "cost"
"""Where an error in a look-up is counted."""
MOST_REMEMBERED = 1024

Key = tuple[str, str, str]
Use = Callable[[Rates | None], object]


class Later(Enum):
    """Says that rates have to be looked up by another thread."""

    LATER = auto()


LATER: Final = Later.LATER


class Prices:
    """The rates of models by provider and service tier.

    Args:
        own: the project's own prices, by model in US dollars per million tokens, or the path of a TOML file with them.
        failed: told where and why a look-up failed; the model counts as unknown.
        clock: returns the time in seconds since 1970, for prices that depend on it.

    Raises:
        ConfigurationError: something in the project's own prices cannot be a price.

    Example:
        >>> prices = Prices({"my-llm": {"input": 0.15, "output": 0.6}})
        >>> round(prices.rates("my-llm").cost({"input": 1_000_000, "output": 500_000}), 9)
        0.45
    """

    def __init__(
        self,
        own: Own | Table | None = None,
        *,
        failed: Callable[[str, object], object] = lambda _where, _error: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.own = own if isinstance(own, Table) or own is None else read_table(own)
        self._failed = failed
        self._clock = clock
        self._remembered: dict[Key, Rates | None] = {}
        self._waiting = Waiting()
        self._dates: dict[str, float] = {}
        if self.own is not None and self.own.date is not None:
            self._dates[OWN] = self.own.date

    def known(self, model: str, provider: str = "", tier: str = "") -> Rates | Later | None:
        """Return the rates of a model; None if it is unknown, `LATER` if another thread must look it up."""
        found = self._remembered.get((model, provider, tier), LATER)
        return self._at_once((model, provider, tier)) if found is LATER else found

    def later(self, model: str, provider: str, tier: str, use: Use) -> None:
        """Have another thread look up the rates of a model, and give them to `use`; None if it is unknown."""
        self._waiting.add(partial(self._look_up_for, (model, provider, tier), use))

    def rates(self, model: str, provider: str = "", tier: str = "") -> Rates | None:
        """Return the rates of a model; None if it is unknown. The first time, this may take half a second."""
        found = self.known(model, provider, tier)
        return self._look_up((model, provider, tier)) if found is LATER else found

    def settle(self, timeout_seconds: float) -> bool:
        """Wait until nothing waits for a look-up; return whether that came true in time."""
        return self._waiting.settle(timeout_seconds)

    def tables(self) -> dict[str, float]:
        """Return the date of each table in use, in seconds since 1970, as far as it is known."""
        return dict(self._dates)

    def _at_once(self, key: Key) -> Rates | Later | None:
        model, provider, tier = key
        priced = None if self.own is None else self.own.find(model, provider)
        if priced is None and genai.installed():
            return LATER
        return self._remember(key, None if priced is None else priced.of_tier(tier.lower()))

    def _look_up_for(self, key: Key, use: Use) -> None:
        try:
            found = self.known(*key)  # one that came before may have been the same
            use(self._look_up(key) if found is LATER else found)
        except Exception as error:
            if interrupted(error):
                raise
            self._failed(PLACE, error)

    def _look_up(self, key: Key) -> Rates | None:
        model, provider, tier = key
        rates = None
        try:
            with genai.using:
                rates = genai.find(model, provider, tier.lower(), self._clock)
                if GENAI not in self._dates:
                    self._note_date()
        except Exception as error:
            if interrupted(error):
                raise
            self._failed(PLACE, error)
        return self._remember(key, rates)

    def _note_date(self) -> None:
        date = genai.dated()
        if date is not None:
            self._dates[GENAI] = date

    def _remember(self, key: Key, rates: Rates | None) -> Rates | None:
        if len(self._remembered) >= MOST_REMEMBERED:
            self._remembered = {}  # not emptied: another thread may be reading it
        self._remembered[key] = rates
        return rates
