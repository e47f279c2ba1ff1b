"""What a call costs: its tokens by the rates of its model, or, where these are not known, that it has no price."""

from collections.abc import Mapping
from functools import partial

from mlmetrics.calls.operation import CallSeries
from mlmetrics.calls.tokens import record_lengths, record_tokens
from mlmetrics.catalog.models import INFERENCE
from mlmetrics.interruption import interrupted
from mlmetrics.pricing import genai
from mlmetrics.pricing.prices import LATER, PLACE, Prices
from mlmetrics.pricing.rates import Rates
from mlmetrics.recording.collector import observe_prices
from mlmetrics.recording.store import Store

_COST, _UNPRICED = "ml_inference_cost_usd_total", "ml_inference_unpriced_total"


def price(series: CallSeries, tokens: Mapping[str, float], model: str | None, provider: str, tier: str | None) -> None:
    """Add what the tokens of one call cost to the cost of its series, or count the call as unpriced.

    Nothing happens where no prices are in use: the project has none of its own, and genai-prices is not installed.

    Args:
        series: the series of the call.
        tokens: the tokens by additive type; an empty mapping says nothing, and is not priced.
        model: the model that the response names; by default that of the series, which own prices may name too.
        provider: who answered, such as `openai`; empty if that is not known.
        tier: the service tier that the response names.
    """
    store = series.store
    try:
        prices = prices_of(store) if tokens and series.operation.name == INFERENCE.name else None
        if prices is None:
            return
        name = _priced_name(prices, model or "", series.labels[1] or "", provider)
        rates = prices.known(name, provider, tier or "")
        if rates is LATER:
            prices.later(name, provider, tier or "", partial(_record_late, series, dict(tokens)))
        else:
            _record(series, tokens, rates)
    except Exception as error:  # a mapping may be any object
        if interrupted(error):
            raise
        store.failed(PLACE, error)


def prices_of(store: Store) -> Prices | None:
    """Return the prices in use; None if there are none."""
    prices = store.prices
    if prices is None and genai.installed():
        with store.declaring:
            prices = store.prices or store.set_prices(None)
    return prices


def _priced_name(prices: Prices, said: str, label: str, provider: str) -> str:
    """Return the name by which the model has a price: that of the response, unless own prices know the other one."""
    own = prices.own
    if not said or (own is not None and own.find(said, provider) is None and own.find(label, provider) is not None):
        return label
    return said


def _record_late(series: CallSeries, tokens: Mapping[str, float], rates: Rates | None) -> None:
    _record(series, tokens, rates)
    observe_prices(series.store)  # of several processes, the one that is scraped may have priced nothing


def _record(series: CallSeries, tokens: Mapping[str, float], rates: Rates | None) -> None:
    store, cost = series.store, None if rates is None else rates.cost(tokens)
    unpriced = store.counter(_UNPRICED, series.labels)  # stands at 0 from the first cost on; an unknown cost is no 0
    if cost is None:
        store.record(unpriced, 1)
    else:
        store.record(store.counter(_COST, series.labels), cost)


def settle_pair(series: CallSeries, prompt: int, answer: int, seconds: float) -> None:
    """Record what a call that told the tokens of its prompt and its answer, and nothing else, costs at its end.

    If it took no time it has no speed, and nothing of it has been recorded yet.
    """
    tokens = {"input": prompt, "output": answer}
    if seconds <= 0:
        record_lengths(series, record_tokens(series, tokens), seconds)
    price(series, tokens, None, "", None)


def record_cost(series: CallSeries, usd: float) -> None:
    """Add what a call cost to the cost of its series."""
    series.store.record(series.counter("cost_usd_total"), usd)


class Spent:
    """The tokens that the code of a call says it used, and what it says that they cost; recorded when the call ends."""

    __slots__ = ("costed", "tokens", "usd")

    def __init__(self) -> None:
        self.tokens: dict[str, float] | None = None
        self.costed = False
        self.usd: float | None = None

    def add(self, tokens: Mapping[str, float]) -> None:
        """Add tokens by type, which have been checked."""
        known = self.tokens
        if known is None:
            self.tokens = {**tokens}
        else:
            self.tokens = {**known, **{name: known.get(name, 0) + count for name, count in tokens.items()}}

    def cost(self, usd: float | None) -> None:
        """Add what the call cost; None if what was said is no amount. Its tokens are not priced from now on."""
        self.costed = True
        if usd is not None:
            self.usd = usd + (self.usd or 0.0)

    def settle(self, series: CallSeries, seconds: float | None) -> None:
        """Count the tokens, record how long prompt and answer were, and add what they cost."""
        if self.tokens is not None:
            counted = record_tokens(series, self.tokens)
            record_lengths(series, counted, seconds)
            if not self.costed:
                price(series, counted, None, "", None)
        if self.usd is not None:
            record_cost(series, self.usd)
