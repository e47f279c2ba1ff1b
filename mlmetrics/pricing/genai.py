"""What genai-prices says of a model: the data of the installed package, which never asks the network.

It takes half a second to import, and a look-up a fifth of a millisecond: neither is for the thread of a caller.
"""

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, time
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mlmetrics.pricing.rates import STANDARD_TIERS, ChangingRates, FixedRates, Rates
from mlmetrics.pricing.table import ANY_PROVIDER

PACKAGE = "genai_prices"
_TIER_KEYS = frozenset({"service_tier", "processing", "speed"})
"""The keys of a request's context by which providers name what we call a service tier: `flex`, `batch`, `fast`."""
_KEYS = {
    "input": "input_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "output": "output_mtok",
    "reasoning": "output_reasoning_mtok",
}
_PER_REQUEST = "requests_kcount"

using = threading.RLock()
"""Held while the package is imported and read. A fork waits for it: the lock of a module that another thread is
importing would stay locked in the child for ever."""
if hasattr(os, "register_at_fork"):
    _renew = using._at_fork_reinit  # type: ignore[attr-defined]  # noqa: SLF001 (as `threading` does with its own)
    os.register_at_fork(before=using.acquire, after_in_parent=using.release, after_in_child=_renew)


@cache
def installed() -> bool:
    """Return whether the package is there; it is not imported for that."""
    return find_spec(PACKAGE) is not None


def find(model: str, provider: str, tier: str, clock: Callable[[], float]) -> Rates | None:
    """Return the rates of a model; None if the package does not know the model, or not with this tier."""
    owner, found = _find_model(import_module(f"{PACKAGE}.data").providers, model.lower(), provider.lower())
    if found is None:
        return None
    variants = [] if tier in STANDARD_TIERS else _variants(owner, found, tier)
    if tier not in STANDARD_TIERS and not variants:
        return None
    at = partial(_rates_at, found, variants)
    now = clock()
    return at(now) if _stays(_constraints(found, variants), now) else ChangingRates(at, clock)


def _find_model(providers: list[Any], model: str, name: str) -> tuple[Any, Any]:
    """Return a provider and its model, None if it has none; the provider may stand before the model."""
    by_name = import_module(f"{PACKAGE}.data_snapshot").find_provider_by_id
    head, slash, rest = model.partition("/")
    if name not in ANY_PROVIDER:
        owner = by_name(providers, name)
        found = owner and owner.find_model(model, all_providers=providers)
        if found is None and slash and owner is by_name(providers, head):
            found = owner and owner.find_model(rest, all_providers=providers)
        return owner, found
    owner = by_name(providers, head) if slash else None
    if owner is None:
        rest = model
        owner = next((each for each in providers if each.model_match and each.model_match.is_match(model)), None)
    return owner, owner and owner.find_model(rest, all_providers=providers)


def _variants(owner: Any, model: Any, tier: str) -> list[Any]:
    """Return the variants of a model's prices that a tier selects; a model that another provider lends has none."""
    of_owner = any(model is each for each in owner.models)
    return [each for each in (model.price_variants or ()) if of_owner and _selects(each.when, tier)]


def _selects(when: Mapping[str, str], tier: str) -> bool:
    return list(when.values()) == [tier] and _TIER_KEYS.issuperset(when)


def _constraints(model: Any, variants: list[Any]) -> list[Any]:
    """Return what the prices depend on, such as a date."""
    conditional = model.prices if isinstance(model.prices, list) else []
    return [each.constraint for each in (*conditional, *variants) if each.constraint is not None]


def _stays(constraints: Iterable[Any], now: float) -> bool:
    """Whether what is true of the constraints now is true for ever: of a date that has come, not of a time of day."""
    moment = datetime.fromtimestamp(now, UTC)
    return all(hasattr(each, "start_date") and each.active(moment) for each in constraints)


def _rates_at(model: Any, variants: list[Any], seconds: float) -> FixedRates | None:
    """Return the rates of a model at a time; None if its tier has none then."""
    moment = datetime.fromtimestamp(seconds, UTC)
    if not variants:
        return _rates(vars(model.get_prices(moment)))
    active = [each for each in variants if each.constraint is None or each.constraint.active(moment)]
    return _rates(vars(model.get_prices(moment, dict(active[0].when)))) if active else None


def _rates(prices: Mapping[str, Any]) -> FixedRates:
    """Return rates of prices that may depend on the size of the input."""
    named = {token_type: prices[key] for token_type, key in _KEYS.items() if prices.get(key) is not None}
    starts = {tier.start for price in named.values() for tier in getattr(price, "tiers", ())}
    steps = [(start, {token_type: _price(price, start) for token_type, price in named.items()}) for start in starts]
    base = {token_type: _price(price, -1) for token_type, price in named.items()}
    return FixedRates(base, steps, float(prices.get(_PER_REQUEST) or 0) / 1000)


def _price(price: Any, start: float) -> float:
    """Return a price for inputs above `start` tokens."""
    reached = [tier.price for tier in getattr(price, "tiers", ()) if tier.start <= start]  # ascending
    return float(reached[-1] if reached else getattr(price, "base", price))


def dated() -> float | None:
    """Return a date of the package's prices in seconds since 1970.

    The package does not say when its prices were gathered. So this is the newest date from which one of them is valid,
    among those before the package was installed: its prices were gathered then or later. Where the time of installation
    is lost, as in images whose files all have the same time, the newest date that has come.
    """
    data = import_module(f"{PACKAGE}.data")
    models = (model for provider in data.providers for model in provider.models)
    constraints = (each for model in models for each in _constraints(model, model.price_variants or []))
    starts = [
        datetime.combine(each.start_date, time(), UTC).timestamp()
        for each in constraints
        if hasattr(each, "start_date")
    ]
    installed_at, now = Path(str(data.__file__)).stat().st_mtime, datetime.now(UTC).timestamp()
    before = [start for start in starts if start <= installed_at] or [start for start in starts if start <= now]
    return max(before, default=None)
