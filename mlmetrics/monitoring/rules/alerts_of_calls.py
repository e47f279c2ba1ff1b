"""Alerts about what services did: requests, inferences, parsed documents, what they cost and lost."""

from collections.abc import Callable, Iterator

from mlmetrics.catalog import BY_NAME
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.rules import indicators
from mlmetrics.monitoring.rules.alert import PERCENT, PLAIN, Alert
from mlmetrics.monitoring.rules.conditions import Drifted, Growth, Share
from mlmetrics.monitoring.rules.indicators import Sample, Indicator
from mlmetrics.monitoring.settings import DRIFT_HISTOGRAMS


def alerts_of_calls(config: Config) -> Iterator[Alert]:
    """Return the alerts about calls."""
    for build in (_api, _models, _quality, _counted):
        yield from build(config)


def _share(
    config: Config,
    name: str,
    calls: Callable[[float], Indicator],
    by: tuple[str, ...],
    words: tuple[str, str, str],
) -> Alert:
    settings = config.alerts[name]
    threshold, share = settings.threshold or 0.0, settings.share or 0.0
    shape = Share(calls(threshold), (*config.grouping, *by), settings.window_seconds or 0.0, share, settings.minimum)
    summary, description, dashboard = (text.replace("<T>", f"{threshold:g}") for text in words)
    return Alert(name, settings, shape, summary, description, dashboard)


_MODEL = "{{ $labels.model }} in {{ $labels.service }}"


def _api(config: Config) -> Iterator[Alert]:
    yield _share(
        config,
        "HighAPIResponseTime",
        lambda threshold: indicators.slow("fastapi_request_duration_seconds", threshold),
        ("service", "route"),
        (
            "{{ $labels.service }} answers {{ $labels.route }} slowly",
            PERCENT + " of the requests took longer than <T> s.",
            "main",
        ),
    )
    yield _share(
        config,
        "HighErrorRate",
        lambda _: indicators.failed_requests(),
        ("service",),
        ("{{ $labels.service }} answers with errors", PERCENT + " of the requests ended in a 5xx.", "main"),
    )


def _models(config: Config) -> Iterator[Alert]:
    model = ("service", "model")
    yield _share(
        config,
        "SlowMLInference",
        lambda threshold: indicators.slow("ml_inference_duration_seconds", threshold),
        model,
        (_MODEL + " is slow", PERCENT + " of the inferences took longer than <T> s.", "models"),
    )
    yield _share(
        config,
        "HighMLFailureRate",
        lambda _: indicators.failed_calls("ml_inference_total"),
        model,
        (_MODEL + " fails", PERCENT + " of the inferences failed; cancelled ones are left out.", "models"),
    )
    yield _share(
        config,
        "SlowFirstChunk",
        lambda threshold: indicators.slow("ml_inference_first_chunk_seconds", threshold),
        model,
        (_MODEL + " starts to stream late", PERCENT + " of the streams waited longer than <T> s.", "models"),
    )
    yield _share(
        config,
        "UsageMissing",
        lambda _: indicators.usage_missing(),
        model,
        (
            _MODEL + " hides its token usage",
            PERCENT + " of the answers did not say how many tokens they took.",
            "models",
        ),
    )


def _quality(config: Config) -> Iterator[Alert]:
    yield _share(
        config,
        "LowParsingAccuracy",
        lambda threshold: indicators.low("parsing_accuracy_score", threshold),
        ("service", "doc_type"),
        (
            "{{ $labels.service }} reads {{ $labels.doc_type }} documents badly",
            PERCENT + " of the documents scored at most <T>, so the median is below it.",
            "quality",
        ),
    )
    for name, histogram in DRIFT_HISTOGRAMS.items():
        yield _drift(config, name, histogram)


def _drift(config: Config, name: str, histogram: str) -> Alert:
    settings = config.alerts[name]
    by = (*config.grouping, *BY_NAME[histogram].labels)
    subject = " ".join(f"{{{{ $labels.{label} }}}}" for label in BY_NAME[histogram].labels[1:])
    shape = Drifted(histogram, by, settings.threshold or 0.0, settings.minimum or 0.0, config.buckets(histogram))
    return Alert(
        name,
        settings,
        shape,
        f"Scores of {subject} in {{{{ $labels.service }}}} have shifted",
        f"The population stability index against the reference '{{{{ $labels.reference }}}}' is {PLAIN}.",
        "quality",
    )


def _growth(
    config: Config, name: str, metric: str, by: tuple[str, ...], words: tuple[str, str], *, of_target: bool = False
) -> Alert:
    settings = config.alerts[name]
    window = settings.window_seconds or 0.0
    shape = Growth(Sample(metric, "all"), (*config.grouping, *by), window, settings.threshold or 0.0, of_target)
    return Alert(name, settings, shape, *words, "fleet" if of_target else "models")


def _counted(config: Config) -> Iterator[Alert]:
    yield _growth(
        config,
        "Unpriced",
        "ml_inference_unpriced_total",
        ("service", "model"),
        (
            "{{ $labels.model }} in {{ $labels.service }} has no price",
            f"{PLAIN} calls in the last {_window(config, 'Unpriced')} are missing from the cost.",
        ),
    )
    yield _growth(
        config,
        "CostBudget",
        "ml_inference_cost_usd_total",
        ("service",),
        (
            "{{ $labels.service }} spends more than its budget",
            f"{PLAIN} USD were spent in the last {_window(config, 'CostBudget')}.",
        ),
    )
    yield _growth(
        config,
        "RecordingErrors",
        "mlmetrics_recording_errors_total",
        ("job", "instance", "where"),
        (
            "{{ $labels.job }} loses measurements",
            f"{PLAIN} measurements could not be recorded at {{{{ $labels.where }}}}.",
        ),
        of_target=True,
    )
    yield _growth(
        config,
        "LabelOverflow",
        "mlmetrics_label_overflow_total",
        ("job", "metric", "label"),
        (
            "{{ $labels.job }} has too many values of {{ $labels.label }}",
            f"{PLAIN} recordings of {{{{ $labels.metric }}}} went to the value 'other'.",
        ),
        of_target=True,
    )


def _window(config: Config, name: str) -> str:
    return config.span(config.alerts[name].window_seconds or 0.0)
