"""Prices of genai-prices: as its own calculation has them, looked up once and never on the thread of a caller."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from itertools import islice, product
from pathlib import Path
from typing import Any

import genai_prices
import pytest
from genai_prices import Usage, calc_price
from genai_prices import data as genai_data
from prometheus_client.parser import text_string_to_metric_families as families

from mlmetrics.pricing import genai
from mlmetrics.pricing.prices import LATER, Prices
from mlmetrics.pricing.rates import ChangingRates

ROOT = Path(__file__).parents[2]
WITHIN = 1e-6
USAGES: tuple[dict[str, float], ...] = (
    {"input": 1000},
    {"input": 1200, "output": 350},
    {"input": 200, "cache_read": 90_000, "output": 17},
    {"input": 12, "cache_read": 5000, "cache_write": 700, "output": 90, "reasoning": 2000},
    {"input": 150_000, "cache_read": 50_000, "output": 1, "reasoning": 1},
    {"input": 150_000, "cache_read": 50_000, "cache_write": 1, "output": 1000, "reasoning": 300},
    {"input": 1_500_000, "output": 64_000},
)
# Hours with and without reduced prices, and days on which prices of today are not yet, or no longer, valid.
MOMENTS = (
    datetime(2026, 11, 20, 0, 0, 1, tzinfo=UTC),
    datetime(2026, 11, 20, 8, 29, 59, tzinfo=UTC),
    datetime(2026, 11, 20, 16, 30, tzinfo=UTC),
    datetime(2025, 1, 31, 2, tzinfo=UTC),
    datetime(2027, 6, 1, 3, tzinfo=UTC),
)
BY_TYPE = {
    "input": ("input_mtok",),
    "cache_read": ("cache_read_mtok", "input_mtok"),
    "cache_write": ("cache_write_mtok", "input_mtok"),
    "output": ("output_mtok",),
    "reasoning": ("output_reasoning_mtok", "output_mtok"),
}


def names_of(clause: Any) -> Iterator[str]:
    """Yield the texts that the name of a model may have or begin with."""
    for value in vars(clause).values():
        yield from (value,) if isinstance(value, str) else (name for each in value for name in names_of(each))


@cache
def models() -> tuple[tuple[str, str, Any], ...]:
    """Return every model of the package with its provider, and a name by which the package finds it."""
    found = []
    for provider in genai_data.providers:
        for model in provider.models:
            names = (name for name in (model.id, *names_of(model.match)) if provider.find_model(name) is model)
            found += [(provider.id, name, model) for name in islice(names, 1)]
    return tuple(found)


def told(
    model: str, provider: str | None, tokens: Mapping[str, float], at: datetime, context: Any = None
) -> float | None:
    """Return what the package itself calculates; None if a type that has tokens has no price."""
    number = {token_type: int(tokens.get(token_type, 0)) for token_type in BY_TYPE}
    usage = Usage(
        input_tokens=number["input"] + number["cache_read"] + number["cache_write"],
        cache_read_tokens=number["cache_read"],
        cache_write_tokens=number["cache_write"],
        output_tokens=number["output"] + number["reasoning"],
        output_reasoning_tokens=number["reasoning"],
    )
    done = calc_price(usage, model, provider_id=provider, genai_request_timestamp=at, price_context=context)
    prices = vars(done.model_price)
    priced = (any(prices.get(key) is not None for key in BY_TYPE[token_type]) for token_type in tokens)
    return float(done.total_price) if all(priced) else None


def differences(
    prices: Prices, key: tuple[str, str, str], at: datetime, context: Any = None
) -> Iterator[tuple[object, ...]]:
    """Yield the usages whose cost is not what the package calculates."""
    rates, (model, provider, _) = prices.rates(*key), key
    for tokens in USAGES:
        expected, cost = told(model, provider, tokens, at, context), None if rates is None else rates.cost(tokens)
        if (None if expected is None else pytest.approx(expected, abs=WITHIN, rel=WITHIN)) != cost:
            yield key, tokens, expected, cost


class TestCost:
    """The cost of tokens, beside what the package calculates for them."""

    def test_names(self) -> None:
        """Nearly every model is found by its identifier or by a text that it matches; neighbours hide the others."""
        every = sum(len(provider.models) for provider in genai_data.providers)
        assert 0.99 * every < len(models()) <= every

    @pytest.mark.parametrize("at", MOMENTS, ids=str)
    def test_of_every_model(self, at: datetime) -> None:
        """Every model of every provider costs what the package calculates, at each time."""
        prices = Prices(clock=at.timestamp)
        assert [] == [each for provider, name, _ in models() for each in differences(prices, (name, provider, ""), at)]

    @pytest.mark.parametrize("at", MOMENTS, ids=str)
    def test_of_every_tier(self, at: datetime) -> None:
        """A service tier costs what the package calculates in its context, and is unknown where it has no prices."""
        prices, found, checked = Prices(clock=at.timestamp), list[object](), 0
        for (provider, name, model), tier in product(models(), ("flex", "priority", "fast", "batch")):
            if tier != "flex" and not model.price_variants:
                continue  # such models have no tier; one that is unknown shows it
            variants = [each for each in model.price_variants or [] if list(each.when.values()) == [tier]]
            variants = [each for each in variants if not each.when.keys() & {"route", "search_type"}]
            active = [each for each in variants if each.constraint is None or each.constraint.active(at)]
            if active:
                checked += 1
                found += differences(prices, (name, provider, tier), at, dict(active[0].when))
            else:
                rates = prices.rates(name, provider, tier)
                found += [] if rates is None or rates.cost(USAGES[0]) is None else [(provider, name, tier)]
        assert [] == found
        assert checked or at < MOMENTS[0]

    def test_changes_at_its_time(self) -> None:
        """The rates that were looked up once follow the hour, and the date of a change that was announced."""
        now = MOMENTS[1]

        def clock() -> float:
            return now.timestamp()

        prices = Prices(clock=clock)
        conditional = [(name, provider) for provider, name, model in models() if isinstance(model.prices, list)]
        rates = {key: prices.rates(*key) for key in conditional}
        for now in (MOMENTS[1], MOMENTS[2], MOMENTS[0], MOMENTS[4]):
            costs = {key: None if each is None else each.cost(USAGES[1]) for key, each in rates.items()}
            expected = {key: told(*key, USAGES[1], now) for key in conditional}
            assert expected == pytest.approx(costs, abs=WITHIN)
        assert {"deepseek"} < {provider for (_, provider), each in rates.items() if isinstance(each, ChangingRates)}


class TestNames:
    """How a model is found."""

    @pytest.mark.parametrize(
        ("model", "provider", "same"),
        [
            ("gpt-4o", "", ("gpt-4o", "openai")),
            ("GPT-4o", "OpenAI", ("gpt-4o", "openai")),
            ("openai/gpt-4o", "", ("gpt-4o", "openai")),
            ("openai/gpt-4o", "openai", ("gpt-4o", "openai")),
            ("gpt-4o", "litellm", ("gpt-4o", "openai")),
            ("gpt-4o-2024-08-06", "", ("gpt-4o", "openai")),
            ("gemini/gemini-2.5-pro", "", ("gemini-2.5-pro", "google")),
            ("gemini-2.5-pro", "google_genai", ("gemini-2.5-pro", "google")),
            ("anthropic/claude-sonnet-4-5", "litellm", ("claude-sonnet-4-5", "anthropic")),
            ("openai/gpt-4o", "openrouter", ("openai/gpt-4o", "openrouter")),
            ("openrouter/openai/gpt-4o", "", ("openai/gpt-4o", "openrouter")),
            ("openrouter/openai/gpt-4o", "openrouter", ("openai/gpt-4o", "openrouter")),
            ("gpt-4o", "azure", ("gpt-4o", "openai")),
        ],
    )
    def test_found(self, model: str, provider: str, same: tuple[str, str]) -> None:
        """A model costs as the one that is meant."""
        rates, now = Prices().rates(model, provider), datetime.now(UTC)
        assert rates is not None
        assert told(*same, USAGES[1], now) == pytest.approx(rates.cost(USAGES[1]), abs=WITHIN)

    @pytest.mark.parametrize(
        ("model", "provider"),
        [
            ("", ""),
            ("nobody-knows", ""),
            ("nobody-knows", "openai"),
            ("openai/nobody-knows", ""),
            ("gpt-4o", "vllm"),
            ("hosted_vllm/gpt-4o", "hosted_vllm"),
            ("claude-sonnet-4-5", "openai"),
            ("anthropic/claude-sonnet-4-5", "openai"),
            ("azure/gpt-4o", "openai"),
        ],
    )
    def test_unknown(self, model: str, provider: str) -> None:
        """A model that a provider does not have is unknown, whoever else has one of that name."""
        assert Prices().rates(model, provider) is None

    @pytest.mark.parametrize(
        ("model", "provider", "tier"),
        [
            ("gpt-4o", "openai", "scale"),
            ("claude-sonnet-4-5", "anthropic", "priority"),
            ("gpt-4o", "azure", "priority"),
            ("gpt-5", "openai", "mistral/eu"),
        ],
    )
    def test_unknown_tiers(self, model: str, provider: str, tier: str) -> None:
        """A tier that the package has no prices for is unknown; the standard tier of the same model is known."""
        prices = Prices()
        assert prices.rates(model, provider, tier) is None
        assert prices.rates(model, provider, "default") is prices.rates(model, provider, "default") is not None


class TestPrices:
    """Own prices beside those of the package."""

    def test_own_prices_come_first(self) -> None:
        """A model of the own table costs what it says there, and others what the package says."""
        prices = Prices({"gpt-4o": {"input": 1}})
        own, other = prices.known("gpt-4o", "openai"), prices.known("gpt-4o-mini", "openai")
        assert other is LATER
        assert own is not LATER
        assert own is not None
        assert 1e-6 == pytest.approx(own.cost({"input": 1}))
        assert prices.rates("gpt-4o", "openai", "flex") is None

    def test_looked_up_once(self) -> None:
        """After the first look-up, rates are known at once; an unknown model too."""
        prices, found = Prices(), list[object]()
        for model in ("gpt-4o", "nobody-knows"):
            assert prices.known(model, "openai") is LATER
            prices.later(model, "openai", "", found.append)
        assert prices.settle(60)
        assert found == [prices.known("gpt-4o", "openai"), prices.known("nobody-knows", "openai")]
        assert found[1] is None

    def test_date(self) -> None:
        """The date of the package is a day from which one of its prices is valid, before it was installed."""
        prices = Prices()
        assert {} == prices.tables()
        prices.rates("gpt-4o")
        date = prices.tables()["genai-prices"]
        source = Path(str(genai_data.__file__))
        day = datetime.fromtimestamp(date, UTC)
        assert re.search(rf"start_date=datetime.date\({day.year}, {day.month}, {day.day}\)", source.read_text())
        assert date <= source.stat().st_mtime

    def test_date_where_files_have_no_times(self) -> None:
        """In an image whose files are all of 1980, the date is the newest that has come."""
        source = Path(str(genai_data.__file__))
        times = source.stat().st_atime, source.stat().st_mtime
        before = genai.dated()
        try:
            os.utime(source, (315_532_800, 315_532_800))
            date = genai.dated()
        finally:
            os.utime(source, times)
        assert date is not None
        assert before is not None
        assert before <= date <= time.time()


START = """
import os, signal, sys, threading
from mlmetrics import MLMetrics
from mlmetrics.calls.stored import calls_of
from mlmetrics.calls.money import price
from mlmetrics.catalog import SHIPPED
from prometheus_client import CollectorRegistry, generate_latest
signal.alarm(120)
registry = CollectorRegistry()
metrics = MLMetrics(service="s", registry=registry)
series = calls_of(metrics.store, SHIPPED["inference"]).series("s", ("gpt-4o", "chat"))
class Watcher:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("genai_prices."):
            importers.add(threading.current_thread().name)
importers = set()
"""
PRICED = """
assert "price_table" not in generate_latest(registry).decode()
assert "genai_prices" not in sys.modules
sys.meta_path.insert(0, Watcher())
for _ in range(3):
    price(series, {"input": 1000, "output": 100}, None, "openai", None)
print(generate_latest(registry).decode())
assert {"mlmetrics-prices"} == importers, importers
"""
ENDS = """
price(series, {"input": 1000, "output": 100}, None, "openai", None)
"""
READS = """
print(generate_latest(registry).decode())
"""
FORKS = """
price(series, {"input": 1000, "output": 100}, None, "openai", None)
child = os.fork()
price(series, {"input": 1000, "output": 100}, None, "openai", None)
page = generate_latest(registry).decode()
if child == 0:
    os._exit(0)
assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(page)
"""


def run(code: str, **environment: str) -> dict[str, float]:
    """Run a program, and return the sum of each sample on the page that it printed."""
    done = subprocess.run(
        [sys.executable, "-Wignore", "-c", START + code],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
    found: dict[str, float] = {}
    for sample in (sample for each in families(done.stdout) for sample in each.samples):
        found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


class TestPrice:
    """The cost of calls in a program."""

    cost = told("gpt-4o", "openai", {"input": 1000, "output": 100}, datetime.now(UTC))

    def test_exposed(self) -> None:
        """The first scrape has the cost and the date; the package is imported by no thread of a caller."""
        found = run(PRICED)
        assert self.cost is not None
        assert 3 * self.cost == pytest.approx(found["ml_inference_cost_usd_total"])
        assert 0 == found["ml_inference_unpriced_total"]
        assert found["mlmetrics_price_table_timestamp_seconds"] > datetime(2026, 1, 1, tzinfo=UTC).timestamp()

    def test_an_interpreter_that_ends_loses_nothing(self, tmp_path: Path) -> None:
        """A call just before the end of its process is priced, and another process exposes it."""
        run(ENDS, PROMETHEUS_MULTIPROC_DIR=str(tmp_path))
        found = run(READS, PROMETHEUS_MULTIPROC_DIR=str(tmp_path))
        assert self.cost == pytest.approx(found["ml_inference_cost_usd_total"])
        assert "mlmetrics_price_table_timestamp_seconds" in found

    def test_a_fork_during_the_import(self, tmp_path: Path) -> None:
        """Parent and child price their own calls, each once, although the import ran when the process forked."""
        found = run(FORKS, PROMETHEUS_MULTIPROC_DIR=str(tmp_path))
        assert self.cost is not None
        assert found["ml_inference_unpriced_total"] == 0
        found = run(READS, PROMETHEUS_MULTIPROC_DIR=str(tmp_path))
        assert 3 * self.cost == pytest.approx(found["ml_inference_cost_usd_total"])


def test_never_asks_the_network() -> None:
    """Nobody has started the updates of the package: its prices are those that were installed."""
    Prices().rates("gpt-4o")
    assert genai_prices.data_snapshot._custom_snapshot is None
