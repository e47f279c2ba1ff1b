"""All alerts, one row each: its default numbers, the condition that it watches, its texts and its dashboard.

Everything else about an alert follows from its row: the keys that `[alert.NAME]` takes, the rule, the
unit tests of the rule, and the threshold lines in panels.
"""

from collections.abc import Callable

from mlmetrics.catalog import BY_NAME
from mlmetrics.monitoring.config import AlertSettings, Config
from mlmetrics.monitoring.durations import HOUR_SECONDS, MINUTE_SECONDS
from mlmetrics.monitoring.rules import indicators
from mlmetrics.monitoring.rules.alert import PERCENT, VALUE, Alert, AlertDefinition, BuildCondition
from mlmetrics.monitoring.rules.conditions import (
    Always,
    Condition,
    Down,
    Drifted,
    Growth,
    HostMemory,
    Level,
    Share,
    Unsuccessful,
)
from mlmetrics.monitoring.rules.drift import DRIFT_HISTOGRAMS
from mlmetrics.monitoring.rules.indicators import Indicator, Sample
from mlmetrics.monitoring.rules.model import Group
from mlmetrics.monitoring.rules.outages import SERVICE_DOWN

_MODEL = "{{ $labels.model }} in {{ $labels.service }}"
_INSTANCE = "{{ $labels.instance }} of {{ $labels.job }}"


def _share(indicator: Callable[[float], Indicator], *by: str) -> BuildCondition:
    """Build a condition on the share of bad events; the indicator takes the alert's threshold."""

    def build(config: Config, settings: AlertSettings) -> Condition:
        return Share(
            indicator(settings.threshold or 0.0),
            (*config.grouping, *by),
            settings.window_seconds or 0.0,
            settings.share or 0.0,
            settings.minimum,
        )

    return build


def _slow(histogram: str, *by: str) -> BuildCondition:
    return _share(lambda threshold: indicators.slow(histogram, threshold), "service", *by)


def _growth(counter: str, *by: str, of_target: bool = False) -> BuildCondition:
    """Build a condition on how much a counter grows; `of_target` says that it has no label `service`."""

    def build(config: Config, settings: AlertSettings) -> Condition:
        window_seconds, threshold = settings.window_seconds or 0.0, settings.threshold or 0.0
        return Growth(Sample(counter, "all"), (*config.grouping, *by), window_seconds, threshold, of_target)

    return build


def _level(used: str, limit: str = "") -> BuildCondition:
    """Build a condition on a value of each target, as a share of a limit if there is one."""

    def build(config: Config, settings: AlertSettings) -> Condition:
        return Level(
            Sample(used, "used"),
            (*config.grouping, "job", "instance"),
            (settings.share if limit else settings.threshold) or 0.0,
            config.jobs,
            Sample(limit, "limit") if limit else None,
            settings.window_seconds,
        )

    return build


def _drifted(histogram: str) -> BuildCondition:
    def build(config: Config, settings: AlertSettings) -> Condition:
        by = (*config.grouping, *BY_NAME[histogram].labels)
        return Drifted(histogram, by, settings.threshold or 0.0, settings.minimum or 0.0, config.buckets(histogram))

    return build


_DRIFT_DEFAULTS = AlertSettings("warning", 30 * MINUTE_SECONDS, threshold=0.2, window_seconds=HOUR_SECONDS, minimum=500)
_DRIFT_DESCRIPTION = f"The population stability index against the reference '{{{{ $labels.reference }}}}' is {VALUE}."
_MEMORY_DEFAULTS = AlertSettings("warning", 5 * MINUTE_SECONDS, share=0.9)
_CPU_DEFAULTS = AlertSettings("warning", 15 * MINUTE_SECONDS, share=0.8, window_seconds=5 * MINUTE_SECONDS)

ALERTS = (
    AlertDefinition(
        "HighAPIResponseTime",
        AlertSettings("warning", 5 * MINUTE_SECONDS, 5.0, 0.05, 5 * MINUTE_SECONDS, 20),
        _slow("fastapi_request_duration_seconds", "route"),
        "{{ $labels.service }} answers {{ $labels.route }} slowly",
        f"{PERCENT} of the requests took longer than <threshold> s.",
        "main",
        "seconds",
    ),
    AlertDefinition(
        "HighErrorRate",
        AlertSettings("critical", 5 * MINUTE_SECONDS, None, 0.05, 5 * MINUTE_SECONDS, 20),
        _share(lambda _: indicators.failed_requests(), "service"),
        "{{ $labels.service }} answers with errors",
        f"{PERCENT} of the requests were answered with a 5xx status.",
        "main",
    ),
    AlertDefinition(
        "SlowMLInference",
        AlertSettings("warning", 5 * MINUTE_SECONDS, 30.0, 0.05, 10 * MINUTE_SECONDS, 10),
        _slow("ml_inference_duration_seconds", "model"),
        f"{_MODEL} is slow",
        f"{PERCENT} of the inferences took longer than <threshold> s.",
        "models",
        "seconds",
    ),
    AlertDefinition(
        "HighMLFailureRate",
        AlertSettings("critical", 5 * MINUTE_SECONDS, None, 0.1, 10 * MINUTE_SECONDS, 10),
        _share(lambda _: indicators.failed_calls("ml_inference_total"), "service", "model"),
        f"{_MODEL} fails",
        f"{PERCENT} of the inferences failed; cancelled inferences are not counted.",
        "models",
    ),
    AlertDefinition(
        "SlowFirstChunk",
        AlertSettings("warning", 5 * MINUTE_SECONDS, 5.0, 0.05, 10 * MINUTE_SECONDS, 10),
        _slow("ml_inference_first_chunk_seconds", "model"),
        f"{_MODEL} sends the first chunk late",
        f"{PERCENT} of the streams sent their first chunk after more than <threshold> s.",
        "models",
        "seconds",
    ),
    AlertDefinition(
        "UsageMissing",
        AlertSettings("info", 10 * MINUTE_SECONDS, None, 0.05, HOUR_SECONDS, 20),
        _share(lambda _: indicators.usage_missing(), "service", "model"),
        f"{_MODEL} does not report its token usage",
        f"{PERCENT} of the answers did not contain their token usage.",
        "models",
    ),
    AlertDefinition(
        "LowParsingAccuracy",
        AlertSettings("warning", 10 * MINUTE_SECONDS, 0.8, 0.5, 30 * MINUTE_SECONDS, 30),
        _share(lambda threshold: indicators.low("parsing_accuracy_score", threshold), "service", "doc_type"),
        "{{ $labels.service }} parses {{ $labels.doc_type }} documents with low accuracy",
        f"{PERCENT} of the documents scored at most <threshold>, so the median is below it.",
        "quality",
        "score, 0 to 1",
    ),
    AlertDefinition(
        "MatchingScoreDrift",
        _DRIFT_DEFAULTS,
        _drifted(DRIFT_HISTOGRAMS["MatchingScoreDrift"]),
        "Scores of {{ $labels.matcher }} in {{ $labels.service }} have shifted",
        _DRIFT_DESCRIPTION,
        "quality",
        "population stability index",
    ),
    AlertDefinition(
        "ParsingAccuracyDrift",
        _DRIFT_DEFAULTS,
        _drifted(DRIFT_HISTOGRAMS["ParsingAccuracyDrift"]),
        "Scores of {{ $labels.parser }} {{ $labels.doc_type }} in {{ $labels.service }} have shifted",
        _DRIFT_DESCRIPTION,
        "quality",
        "population stability index",
    ),
    AlertDefinition(
        "Unpriced",
        AlertSettings("info", 0.0, 0.0, window_seconds=HOUR_SECONDS),
        _growth("ml_inference_unpriced_total", "service", "model"),
        f"{_MODEL} has no price",
        f"{VALUE} calls in the last <window> are missing from the cost.",
        "models",
        "calls",
    ),
    AlertDefinition(
        "CostBudget",
        AlertSettings("warning", 5 * MINUTE_SECONDS, 10.0, window_seconds=HOUR_SECONDS),
        _growth("ml_inference_cost_usd_total", "service"),
        "{{ $labels.service }} spends more than its budget",
        f"{VALUE} USD were spent in the last <window>.",
        "models",
        "US dollars",
    ),
    AlertDefinition(
        "BatchJobNotSucceeded",
        AlertSettings("warning", 0.0, window_seconds=26 * HOUR_SECONDS),
        lambda config, settings: Unsuccessful((*config.grouping, "service", "batch_job"), settings.window_seconds or 0),
        "{{ $labels.batch_job }} of {{ $labels.service }} does not succeed",
        "The batch job has not succeeded in the last <window>.",
        "fleet",
    ),
    AlertDefinition(
        "RecordingErrors",
        AlertSettings("info", 0.0, 0.0, window_seconds=15 * MINUTE_SECONDS),
        _growth("mlmetrics_recording_errors_total", "job", "instance", "where", of_target=True),
        "{{ $labels.job }} loses measurements",
        f"{VALUE} measurements could not be recorded at {{{{ $labels.where }}}}.",
        "fleet",
        "measurements",
    ),
    AlertDefinition(
        "LabelOverflow",
        AlertSettings("warning", 0.0, 0.0, window_seconds=15 * MINUTE_SECONDS),
        _growth("mlmetrics_label_overflow_total", "job", "metric", "label", of_target=True),
        "{{ $labels.job }} has too many values of {{ $labels.label }}",
        f"{VALUE} recordings of {{{{ $labels.metric }}}} got the value 'other'.",
        "fleet",
        "recordings",
    ),
    *SERVICE_DOWN,
    AlertDefinition(
        "InstanceDown",
        AlertSettings("warning", 5 * MINUTE_SECONDS),
        lambda config, _: Down(config.jobs, (), each=True),
        f"{_INSTANCE} is down",
        "{{ $labels.instance }} does not answer its scrapes.",
        "fleet",
    ),
    AlertDefinition(
        "SlowScrape",
        AlertSettings("warning", 5 * MINUTE_SECONDS, 2.0),
        _level("scrape_duration_seconds"),
        f"{_INSTANCE} is slow to scrape",
        f"Its last scrape took {VALUE} s.",
        "fleet",
        "seconds",
    ),
    AlertDefinition(
        "HighMemoryUsage",
        _MEMORY_DEFAULTS,
        _level("process_resident_memory_bytes", "mlmetrics_memory_limit_bytes"),
        f"{_INSTANCE} is running out of memory",
        f"The process uses {PERCENT} of its memory limit.",
        "fleet",
        scope="process",
    ),
    AlertDefinition(
        "HighCPUUsage",
        _CPU_DEFAULTS,
        _level("process_cpu_seconds_total", "mlmetrics_cpu_limit_cores"),
        f"{_INSTANCE} uses most of its processor limit",
        f"The process uses {PERCENT} of its processor limit.",
        "fleet",
        scope="process",
    ),
    AlertDefinition(
        "HighMemoryUsage",
        _MEMORY_DEFAULTS,
        lambda _, settings: HostMemory(settings.share or 0.0),
        "The host {{ $labels.instance }} is running out of memory",
        f"{PERCENT} of its memory is in use.",
        "fleet",
        scope="host",
        applies=lambda config: config.host_targets,
    ),
    AlertDefinition(
        "HighCPUUsage",
        _CPU_DEFAULTS,
        _share(lambda _: indicators.busy_host(), "instance"),
        "The host {{ $labels.instance }} uses most of its processor time",
        f"{PERCENT} of its processor time is in use.",
        "fleet",
        scope="host",
        applies=lambda config: config.host_targets,
    ),
    AlertDefinition(
        "Watchdog",
        AlertSettings("none"),
        lambda *_: Always(),
        "Alerting works",
        "This alert always fires. If it no longer arrives, other alerts do not arrive either.",
        "fleet",
    ),
)
DEFAULTS = {row.name: row.defaults for row in ALERTS}


def configured_alerts(config: Config) -> tuple[Alert, ...]:
    """Return every alert with its numbers, disabled ones too, that applies to what is scraped."""
    return tuple(row.configured(config) for row in ALERTS if row.applies(config))


def enabled_alerts(config: Config) -> tuple[Alert, ...]:
    """Return the alerts that the configuration enables."""
    return tuple(alert for alert in configured_alerts(config) if alert.settings.enabled)


def alert_group(config: Config) -> Group:
    """Return the group of alerting rules; objectives have groups of their own."""
    return Group("mlmetrics-alerts", tuple(alert.rule(config) for alert in enabled_alerts(config)))
