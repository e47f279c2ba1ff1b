"""What an instrument has told of one call: by the spans and metrics of OpenTelemetry, or by a registry of ours."""

import gc
import importlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from tests.sdks.asking import by_labels, tokens

CANCELLATIONS = ("Cancelled", "GeneratorExit")
"""What the name of an error has in it that tells of a call that was left."""
TYPES = {
    "input_tokens": "input",
    "prompt_tokens": "input",
    "output_tokens": "output",
    "completion_tokens": "output",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What was told: calls, the outcome of the last one, and tokens, by metrics and by spans.

    `input` and `output` are tokens that were read and written; `parts` are those of them that spans tell apart.
    """

    calls: int = 0
    outcome: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    spans: Mapping[str, float] = field(default_factory=dict)
    parts: Mapping[str, float] = field(default_factory=dict)


def totals(spent: Mapping[str, float]) -> dict[str, float]:
    """Return what was read and written in all, of tokens by additive type."""
    read = sum(spent.get(name, 0) for name in ("input", "cache_read", "cache_write"))
    return {"input": read, "output": sum(spent.get(name, 0) for name in ("output", "reasoning"))} if spent else {}


def parts(spent: Mapping[str, float]) -> dict[str, float]:
    """Return the parts of what was read and written."""
    return {name: float(spent[name]) for name in ("cache_read", "cache_write", "reasoning") if name in spent}


class Instrument(Protocol):
    """An instrument that is active."""

    versions: tuple[str, ...]

    def clear(self) -> None:
        """Forget what was told."""

    def told(self) -> Told:
        """Return what was told since."""


class Ours:
    """mlmetrics."""

    versions: tuple[str, ...] = ()

    def __init__(self, sdk: str) -> None:
        self._sdk = sdk
        self._handle: Any = None
        self.clear()

    def clear(self) -> None:
        """Begin with an empty registry."""
        if self._handle is not None:
            self._handle.uninstrument()
        self._registry = CollectorRegistry()
        metrics = MLMetrics(service="rivals", registry=self._registry)
        self._handle = getattr(metrics, f"instrument_{self._sdk}")()

    def told(self) -> Told:
        """Return what was told."""
        ended = by_labels(self._registry, "ml_inference_total", "outcome")
        spent = tokens(self._registry)
        return Told(int(sum(ended.values())), next((name for (name,) in ended), ""), totals(spent), {}, parts(spent))


class OpenTelemetry:
    """An instrument that tells by OpenTelemetry: `modules` have it, and what it tells has these scopes."""

    PARTS = (
        ("cache_read", ("cache_read.input_tokens", "cache_read_input_tokens", "cached_tokens")),
        ("cache_write", ("cache_creation.input_tokens", "cache_creation_input_tokens", "cache_write.input_tokens")),
        ("reasoning", ("reasoning.output_tokens", "reasoning_tokens", "output_tokens_details.reasoning")),
    )

    def __init__(self, *modules: str, scopes: tuple[str, ...], versions: tuple[str, ...]) -> None:
        self.versions = versions
        self._scopes = scopes
        metrics = importlib.import_module("opentelemetry.sdk.metrics")
        reading = importlib.import_module("opentelemetry.sdk.metrics.export")
        tracing = importlib.import_module("opentelemetry.sdk.trace")
        exporting = importlib.import_module("opentelemetry.sdk.trace.export")
        memory = importlib.import_module("opentelemetry.sdk.trace.export.in_memory_span_exporter")
        delta = {metrics.Histogram: reading.AggregationTemporality.DELTA}
        self._spans = memory.InMemorySpanExporter()
        self._metrics = reading.InMemoryMetricReader(preferred_temporality=delta)
        provider, meters = tracing.TracerProvider(), metrics.MeterProvider([self._metrics])
        provider.add_span_processor(exporting.SimpleSpanProcessor(self._spans))
        importlib.import_module("opentelemetry.trace").set_tracer_provider(provider)
        importlib.import_module("opentelemetry.metrics").set_meter_provider(meters)
        for module in modules:
            self._start(module)

    @staticmethod
    def _start(module: str) -> None:
        """Activate the instrument of a module, which then uses the providers."""
        loaded = importlib.import_module(module)
        if module == "openlit":
            loaded.init(disable_batch=True, capture_message_content=False, disable_events=True)
            return
        kind = next(name for name in dir(loaded) if name.endswith("Instrumentor") and name != "BaseInstrumentor")
        getattr(loaded, kind)().instrument()

    def clear(self) -> None:
        """Forget the spans and metrics."""
        self._spans.clear()
        self._metrics.get_metrics_data()

    def told(self) -> Told:
        """Return what was told: calls and outcome by spans, tokens by both."""
        gc.collect()
        spans = [
            span
            for span in self._spans.get_finished_spans()
            if span.instrumentation_scope.name.startswith(self._scopes)
        ]
        shown: dict[str, float] = {}
        for span in spans:
            for name, value in span.attributes.items():
                kind = TYPES.get(name.removeprefix("gen_ai.usage."))
                if kind is not None and name.startswith("gen_ai.usage."):
                    shown[kind] = value
        outcome = self._outcome(spans[-1]) if spans else ""
        return Told(len(spans), outcome, self._counted(), shown, self._parts(spans))

    @staticmethod
    def _outcome(span: Any) -> str:
        """Return the outcome that a span tells, by the type of its error."""
        kind = str(span.attributes.get("error.type", ""))
        if not kind and span.status.status_code.name != "ERROR":
            return "success"
        name = kind or str(span.status.description).partition(":")[0]
        return "cancelled" if any(each in name for each in CANCELLATIONS) else "failure"

    def _counted(self) -> dict[str, float]:
        """Return the tokens that the metrics have counted."""
        data = self._metrics.get_metrics_data()
        sums: Counter[str] = Counter()
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                if not scope.scope.name.startswith(self._scopes):
                    continue
                for metric in scope.metrics:
                    if metric.name == "gen_ai.client.token.usage":
                        for point in metric.data.data_points:
                            name = f"{point.attributes.get('gen_ai.token.type')}_tokens"
                            sums[TYPES.get(name, name)] += point.sum
        return {name: float(value) for name, value in sums.items() if value}

    def _parts(self, spans: list[Any]) -> dict[str, float]:
        """Return the parts of the tokens that the spans tell apart."""
        parts: dict[str, float] = {}
        for span in spans:
            for part, names in self.PARTS:
                for name in names:
                    if value := span.attributes.get(f"gen_ai.usage.{name}"):
                        parts[part] = value
        return parts
