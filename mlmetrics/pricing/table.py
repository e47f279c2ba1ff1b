"""A project's own prices: a mapping, or a TOML file, checked when it is declared."""

import os
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import Any

from mlmetrics.catalog import TOKEN_TYPES
from mlmetrics.errors import ConfigurationError, shown
from mlmetrics.interruption import interrupted
from mlmetrics.pricing.rates import STANDARD_TIERS, FixedRates

Own = Mapping[str, Any] | str | os.PathLike[str]
"""What `configure(prices=...)` takes."""
ANY_PROVIDER = frozenset({"", "litellm"})
"""LiteLLM is no provider: the models that it calls are those of others."""


# Plain classes: each data class would add a millisecond to the import of every service.
class Priced:
    """One model with its rates, those of the standard tier and those of others."""

    __slots__ = ("provider", "rates", "tiers")

    def __init__(self, rates: FixedRates, tiers: Mapping[str, FixedRates], provider: str = "") -> None:
        self.rates = rates
        self.tiers = tiers
        self.provider = provider

    def of_tier(self, tier: str) -> FixedRates | None:
        """Return the rates of a service tier; None if it has none."""
        return self.rates if tier in STANDARD_TIERS else self.tiers.get(tier)


class Table:
    """The prices of several models, and the time in seconds since 1970 at which they were true, if that is known."""

    __slots__ = ("date", "models")

    def __init__(self, models: Mapping[str, Priced], date: float | None = None) -> None:
        self.models = models
        self.date = date

    def find(self, model: str, provider: str = "") -> Priced | None:
        """Return the prices of a model, whose name may have its provider before it, as in `openai/gpt-4o`."""
        head, slash, rest = model.partition("/")
        return (
            self._of(model, provider)
            or (self._of(f"{provider}/{model}", provider) if provider else None)
            or (self._of(rest, head) if slash else None)
        )

    def _of(self, name: str, provider: str) -> Priced | None:
        priced, provider = self.models.get(name), provider.lower()
        if priced is None or provider in ANY_PROVIDER or priced.provider in {"", provider}:
            return priced
        return None


def read_table(own: Own) -> Table:
    """Return the prices of a mapping of models, or of the TOML file at a path.

    Raises:
        ConfigurationError: there is no such file, or something in it cannot be a price.
    """
    if isinstance(own, Mapping):
        models = {name: keys for name, keys in own.items() if name != "date" or isinstance(keys, Mapping)}
        return Table(_models(models, "prices"), None if "date" in models else _date(own.get("date"), "prices"))
    if isinstance(own, str | os.PathLike):
        return _read_file(Path(own))
    raise ConfigurationError(
        f"prices={shown(own)}: expected a mapping such as "
        '{"my-llm": {"input": 0.15, "output": 0.6}}, in US dollars per million tokens, or the path of a TOML file'
    )


def _read_file(path: Path) -> Table:
    import tomllib  # noqa: PLC0415 (only who has such a file pays for it)

    try:
        found, changed = tomllib.loads(path.read_text(encoding="utf-8")), path.stat().st_mtime
    except OSError as error:
        if interrupted(error):
            raise
        raise ConfigurationError(
            f"prices={str(path)!r}: expected the path of a TOML file that can be read: {error.strerror}. "
            f"A relative path begins at {Path.cwd()}"
        ) from error
    except ValueError as error:  # no TOML, or no UTF-8
        if interrupted(error):
            raise
        raise ConfigurationError(
            f'prices={str(path)!r}: expected TOML, with sections such as [models."my-llm"]: {error}'
        ) from error
    _known(found, ("date", "models"), str(path))
    models = _models(_mapping(found.get("models"), f"{path}: models"), f"{path}: models")
    day = _date(found.get("date"), str(path))
    return Table(models, changed if day is None else day)


def _date(day: Any, place: str) -> float | None:
    """Return the time of a date in seconds since 1970; None if there is none."""
    if day is None:
        return None
    if not isinstance(day, date):
        raise ConfigurationError(
            f"{place}: date={shown(day)}: expected a date, in TOML without quotes: date = 2026-11-01"
        )
    moment = day if isinstance(day, datetime) else datetime.combine(day, time(), UTC)
    return moment.timestamp()


def _models(models: Mapping[Any, Any], place: str) -> dict[str, Priced]:
    """Return the prices of each model."""
    for name in models:
        if not isinstance(name, str) or not name:
            raise ConfigurationError(f"{place}: {shown(name)}: expected the name of a model, a text that is not empty")
    return {name: _priced(_mapping(keys, f"{place}.{name}"), f"{place}.{name}") for name, keys in models.items()}


def _priced(keys: Mapping[str, Any], place: str) -> Priced:
    """Return the prices of one model."""
    provider, tiers = keys.get("provider", ""), _mapping(keys.get("tiers", {}), f"{place}.tiers")
    if not isinstance(provider, str):
        raise ConfigurationError(
            f"{place}.provider={shown(provider)}: expected the name of a provider, such as 'openai'"
        )
    standard = {key: rate for key, rate in keys.items() if key not in {"provider", "tiers"}}
    for tier in tiers:
        if not isinstance(tier, str) or tier.lower() in STANDARD_TIERS:
            raise ConfigurationError(
                f"{place}.tiers: {shown(tier)}: expected the name of a service tier other than the standard one, "
                f"whose rates stand in {place} itself"
            )
    return Priced(
        _rates(standard, place, ("provider", "tiers")),
        {
            tier.lower(): _rates(_mapping(keys, f"{place}.tiers.{tier}"), f"{place}.tiers.{tier}")
            for tier, keys in tiers.items()
        },
        provider.lower(),
    )


def _rates(rates: Mapping[str, Any], place: str, also: Collection[str] = ()) -> FixedRates:
    """Return the rates of token types."""
    _known(rates, TOKEN_TYPES, place, also)
    if not rates:
        raise ConfigurationError(
            f"{place}: expected US dollars per million tokens of at least one of {', '.join(TOKEN_TYPES)}"
        )
    for token_type, rate in rates.items():
        number = isinstance(rate, int | float | Decimal) and not isinstance(rate, bool)
        if not number or not isfinite(rate) or rate < 0:
            raise ConfigurationError(
                f"{place}.{token_type}={shown(rate)}: expected US dollars per million tokens, a number, 0 or more"
            )
    return FixedRates({token_type: float(rate) for token_type, rate in rates.items()})


def _mapping(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(
            f"{place}: {shown(value)}: expected keys and values, such as "
            '{"input": 0.15, "output": 0.6}, in US dollars per million tokens'
        )
    return value


def _known(keys: Mapping[Any, Any], expected: Collection[str], place: str, also: Collection[str] = ()) -> None:
    """Refuse keys that are not expected, and name the one that was meant."""
    from difflib import get_close_matches  # noqa: PLC0415 (only who has own prices pays for it)

    for key in keys:
        if key not in expected:
            known = (*expected, *also)
            near = get_close_matches(str(key), known, 1)
            meant = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(known)}"
            raise ConfigurationError(f"{place}: unknown key {shown(key)}: {meant}")
