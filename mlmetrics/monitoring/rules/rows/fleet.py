"""Alerts on instances and hosts, and on the recording, the scraping and the alerting themselves."""

from mlmetrics.monitoring.config import AlertSettings
from mlmetrics.monitoring.durations import MINUTE_SECONDS
from mlmetrics.monitoring.rules import indicators
from mlmetrics.monitoring.rules.alert import PERCENT, VALUE, AlertDefinition
from mlmetrics.monitoring.rules.building import growth, level, share
from mlmetrics.monitoring.rules.conditions import Always, Down, HostMemory
from mlmetrics.monitoring.rules.rows.outages import SERVICE_DOWN

_INSTANCE = "{{ $labels.instance }} of {{ $labels.job }}"
_MEMORY_DEFAULTS = AlertSettings("warning", 5 * MINUTE_SECONDS, share=0.9)
_CPU_DEFAULTS = AlertSettings("warning", 15 * MINUTE_SECONDS, share=0.8, window_seconds=5 * MINUTE_SECONDS)

FLEET = (
    AlertDefinition(
        "RecordingErrors",
        AlertSettings("info", 0.0, 0.0, window_seconds=15 * MINUTE_SECONDS),
        growth("mlmetrics_recording_errors_total", "job", "instance", "where", of_target=True),
        "{{ $labels.job }} loses measurements",
        f"{VALUE} measurements could not be recorded at {{{{ $labels.where }}}}.",
        "fleet",
        "measurements",
    ),
    AlertDefinition(
        "LabelOverflow",
        AlertSettings("warning", 0.0, 0.0, window_seconds=15 * MINUTE_SECONDS),
        growth("mlmetrics_label_overflow_total", "job", "metric", "label", of_target=True),
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
        level("scrape_duration_seconds"),
        f"{_INSTANCE} is slow to scrape",
        f"Its last scrape took {VALUE} s.",
        "fleet",
        "seconds",
    ),
    AlertDefinition(
        "HighMemoryUsage",
        _MEMORY_DEFAULTS,
        level("process_resident_memory_bytes", "mlmetrics_memory_limit_bytes"),
        f"{_INSTANCE} is running out of memory",
        f"The process uses {PERCENT} of its memory limit.",
        "fleet",
        scope="process",
    ),
    AlertDefinition(
        "HighCPUUsage",
        _CPU_DEFAULTS,
        level("process_cpu_seconds_total", "mlmetrics_cpu_limit_cores"),
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
        share(lambda _: indicators.busy_host(), "instance"),
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
