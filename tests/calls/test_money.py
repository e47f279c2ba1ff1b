"""The cost of calls: added to their series, or counted as unpriced; and of when the prices are."""

import os
import pickle
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families as families

from mlmetrics import ConfigurationError, MLMetrics
from mlmetrics.calls.money import price
from mlmetrics.calls.operation import CallSeries
from mlmetrics.calls.stored import calls_of
from mlmetrics.catalog import SHIPPED
from tests.conftest import Clock
from tests.recorded import absent, errors, value

ROOT = Path(__file__).parents[2]
COST, UNPRICED = "ml_inference_cost_usd_total", "ml_inference_unpriced_total"
ERRORS = "mlmetrics_recording_errors_total"
DATE = "mlmetrics_price_table_timestamp_seconds"
NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
OWN = {
    "date": date(2026, 11, 1),
    "my-llm": {"input": 1, "output": 2, "tiers": {"flex": {"input": 0.5, "output": 1}}},
    "theirs": {"input": 5},
}
TOKENS = {"input": 1_000_000, "output": 500_000}
WORKER = """
import os, sys
from datetime import date
from prometheus_client import generate_latest
from mlmetrics import MLMetrics
from mlmetrics.calls.stored import calls_of
from mlmetrics.calls.money import price
from mlmetrics.catalog import SHIPPED
metrics = MLMetrics(service="s", prices={"date": date(2026, 11, 1), "m": {"input": 1}})
price(calls_of(metrics.store, SHIPPED["inference"]).series("s", ("m", "chat")), {"input": 1e6}, None, "", None)
sys.stdout.write(generate_latest().decode())
"""


BROKEN = """
import sys
from prometheus_client import generate_latest
from mlmetrics import MLMetrics
from mlmetrics.calls.stored import calls_of
from mlmetrics.calls.money import price
from mlmetrics.catalog import SHIPPED
series = calls_of(MLMetrics(service="s").store, SHIPPED["inference"]).series("s", ("m", "chat"))
price(series, {"input": 1e6}, None, "", None), price(series, {"input": 1e6}, None, "", None)
generate_latest()
price(series, {"input": 1e6}, None, "", None), price(series, {"input": 1e6}, None, "", None)
sys.stdout.write(generate_latest().decode())
"""


def run(code: str, **environment: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Run a program, and return the labels and numbers of the samples on the page that it printed, by name."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for sample in (sample for each in families(done.stdout) for sample in each.samples):
        found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def series_of(metrics: MLMetrics, model: str = "my-llm", operation: str = "inference") -> CallSeries:
    """Return the series of the calls of a model."""
    labels = (model, "chat") if operation == "inference" else (model, "pdf")
    return calls_of(metrics.store, SHIPPED[operation]).series("s", labels)


@pytest.fixture
def metrics(registry: CollectorRegistry) -> MLMetrics:
    """Return a toolkit with prices of its own."""
    return MLMetrics(service="s", registry=registry, prices=OWN)


class TestPrice:
    """The cost of one call."""

    def test_adds_the_cost(self, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """The cost goes to the series of the call, whose model is priced if the response names none."""
        series = series_of(metrics)
        price(series, TOKENS, None, "", None)
        price(series, TOKENS, None, "vllm", "default")
        assert 4.0 == pytest.approx(value(registry, COST, service="s", model="my-llm", operation="chat"))
        assert 0 == value(registry, UNPRICED, service="s", model="my-llm", operation="chat")

    def test_tiers(self, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """Another tier costs what its rates say; one without rates is unpriced."""
        price(series_of(metrics), TOKENS, None, "", "flex")
        price(series_of(metrics), TOKENS, None, "", "priority")
        assert 1.0 == pytest.approx(value(registry, COST))
        assert 1 == value(registry, UNPRICED)

    def test_the_response_names_the_model(self, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """The model that answered is priced, in the series of the one that was asked."""
        price(series_of(metrics), TOKENS | {"output": 0}, "theirs", "", None)
        assert 5.0 == pytest.approx(value(registry, COST, model="my-llm"))

    def test_own_prices_by_the_name_that_was_asked(self, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """If own prices know the model only by the name in its label, that name counts."""
        price(series_of(metrics), TOKENS, "/models/llama-3-8b", "", None)
        assert 2.0 == pytest.approx(value(registry, COST))

    def test_an_unknown_model_is_unpriced(self, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """An unknown is counted, and is no cost of 0."""
        price(series_of(metrics, "nobody's"), TOKENS, None, "", None)
        metrics.store.prices and metrics.store.prices.settle(10)
        assert absent(registry, COST)
        assert 1 == value(registry, UNPRICED, model="nobody's")

    def test_a_type_without_a_rate_is_unpriced(self, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """A part of a cost is no cost."""
        price(series_of(metrics, "theirs"), TOKENS, None, "", None)
        assert absent(registry, COST)
        assert 1 == value(registry, UNPRICED)

    def test_nothing_is_known_without_tokens(self, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """Without tokens there is nothing to price, and nothing is unpriced."""
        price(series_of(metrics), {}, None, "", None)
        assert absent(registry, COST)
        assert absent(registry, UNPRICED)

    def test_only_inferences_have_a_cost(self, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """Other operations have no counter for it, and nothing fails."""
        price(series_of(metrics, operation="parsing"), TOKENS, None, "", None)
        assert absent(registry, COST)
        assert {} == errors(registry)

    @pytest.mark.parametrize("tokens", [{"input": "many"}, {"input": object()}, [1, 2]])
    def test_never_raises(self, metrics: MLMetrics, registry: CollectorRegistry, tokens: Any) -> None:
        """What cannot be priced is counted as an error."""
        price(series_of(metrics), tokens, None, "", None)
        assert {"cost": 1} == errors(registry)

    def test_an_unhashable_model(self, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """A model that is no text is counted as an error, and not passed on."""
        model: Any = ["gpt"]
        price(series_of(metrics), TOKENS, model, "", None)
        assert {"cost": 1} == errors(registry)


class TestBrokenPackage:
    """A genai-prices that cannot be used."""

    def test_counts_as_no_price(self, tmp_path: Path) -> None:
        """The calls are unpriced and the error is counted once, whatever the number of calls; nothing is raised."""
        (tmp_path / "genai_prices").mkdir()
        (tmp_path / "genai_prices/__init__.py").write_text("raise RuntimeError('broken')")
        found = run(BROKEN, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
        assert {"cost": 1.0} == {labels["where"]: number for labels, number in found[ERRORS] if number}
        assert [4.0] == [number for _, number in found[UNPRICED]]
        assert DATE not in found


class TestDates:
    """Of when the prices in use are."""

    def test_of_own_prices(self, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """Own prices are in use as soon as they are configured."""
        assert metrics.store is not None
        assert NOVEMBER == value(registry, DATE, table="own")

    def test_without_prices(self, registry: CollectorRegistry) -> None:
        """A service that prices nothing does not have the metric."""
        MLMetrics(service="s", registry=registry).track_inference(model="m")(len)("")
        assert absent(registry, DATE)

    def test_of_several_processes(self, tmp_path: Path) -> None:
        """A process that is scraped shows the costs and dates of those that were not."""
        for count in (1.0, 2.0):
            found = run(WORKER, PROMETHEUS_MULTIPROC_DIR=str(tmp_path))
            assert [count] == [number for _, number in found[COST]]
            assert [({"table": "own"}, NOVEMBER)] == found[DATE]


class TestConfigure:
    """Declaring prices."""

    def test_may_come_later(self, registry: CollectorRegistry) -> None:
        """Prices that are configured after a declaration hold from then on."""
        metrics = MLMetrics(service="s", registry=registry)
        series = series_of(metrics)
        metrics.configure(prices={"my-llm": {"input": 1, "output": 2}})
        price(series, TOKENS, None, "", None)
        metrics.configure(prices={"my-llm": {"input": 2, "output": 4}})
        price(series, TOKENS, None, "", None)
        assert 6.0 == pytest.approx(value(registry, COST))

    def test_other_options_keep_them(self, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """Configuring something else leaves the prices."""
        metrics.configure(slow_seconds=3)
        price(series_of(metrics), TOKENS, None, "", None)
        assert 2.0 == pytest.approx(value(registry, COST))

    def test_refuses_what_is_no_price(self, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """A mistake raises at once, and the prices stay as they were."""
        with pytest.raises(ConfigurationError, match="did you mean 'output'"):
            metrics.configure(prices={"my-llm": {"ouput": 1}})
        with pytest.raises(ConfigurationError, match="No such file"):
            MLMetrics(prices="nowhere.toml")
        price(series_of(metrics), TOKENS, None, "", None)
        assert 2.0 == pytest.approx(value(registry, COST))

    def test_travels_to_other_processes(self, clock: Clock) -> None:
        """A toolkit that is unpickled in another process has the same prices."""
        code = """
import pickle, sys
from mlmetrics.calls.money import price
series = pickle.load(sys.stdin.buffer)
price(series, {"input": 1e6}, None, "", None)
from mlmetrics.recording.collector import registry_of
samples = [sample for family in registry_of(series.store).collect() for sample in family.samples]
print([sample.value for sample in samples if sample.name == "ml_inference_cost_usd_total"])
"""
        metrics = MLMetrics(service="s", registry=CollectorRegistry(), prices=OWN)
        sent = pickle.dumps(series_of(metrics))
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, input=sent, capture_output=True, check=True)
        assert b"[1.0]\n" == done.stdout
