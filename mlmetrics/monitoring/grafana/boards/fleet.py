"""Fleet: instances, what they use of what they may, and how the measuring itself is doing."""

from collections.abc import Iterator

from grafana_foundation_sdk.models import dashboard

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.grafana import panels
from mlmetrics.monitoring.grafana.layout import Row, board
from mlmetrics.monitoring.grafana.panels import Panel, Query
from mlmetrics.monitoring.grafana.queries import WINDOW, Queries
from mlmetrics.monitoring.grafana.thresholds import over, share_over
from mlmetrics.monitoring.rules.alert import DASHBOARDS

LEGEND = "{{instance}} · {{job}}"
NO_PROCESS = "No process tells this: several workers share one page, or no limit is set"
NO_HOST = "No node_exporter answers"
NODE = 'job="node"'


def fleet(config: Config) -> dashboard.Dashboard:
    """Return the dashboard of instances."""
    queries = Queries(config)
    rows = [
        Row("Instances", _instances(config, queries)),
        Row("Memory and processor", _use(queries)),
        Row("Measuring", tuple(_measuring(config, queries))),
    ]
    if config.host_targets:
        rows.append(Row("Hosts", _hosts(config)))
    words = "Instances, what they use of what they may, and how the measuring itself is doing."
    return board(config, DASHBOARDS["fleet"], "ML Fleet", words, rows)


def _instances(config: Config, queries: Queries) -> tuple[Panel, ...]:
    started = queries.pick("process_start_time_seconds")
    return (
        panels.series(
            "Instances that answer",
            "Instances whose last scrape worked, by service.",
            panels.COUNT,
            Query(f"sum by (job) ({queries.pick('up')})", "{{job}}"),
        ),
        panels.rows(
            "Instances that do not answer",
            f"Instances whose last scrape failed; runbook: {config.runbooks}/InstanceDown.md",
            panels.COUNT,
            f"{queries.pick('up')} == 0",
            hidden=("Value",),
            empty="Every instance answers",
            width=8,
        ),
        panels.series(
            "Age",
            "Time since the process began; it falls at a restart.",
            panels.SECONDS,
            Query(f"time() - {started}", LEGEND),
            empty=NO_PROCESS,
        ),
    )


def _use(queries: Queries) -> tuple[Panel, ...]:
    target = "max by (job, instance)"
    return (
        panels.series(
            "Memory",
            "Memory of the process, and its limit where it has one.",
            panels.BYTES,
            Query(f"{target} ({queries.pick('process_resident_memory_bytes')})", LEGEND),
            Query(f"{target} ({queries.pick('mlmetrics_memory_limit_bytes')}) > 0", f"limit {LEGEND}"),
            empty=NO_PROCESS,
        ),
        panels.series(
            "Processor",
            "Processor cores in use, and their limit where there is one.",
            panels.COUNT,
            Query(queries.per_second(["job", "instance"], "process_cpu_seconds_total"), LEGEND),
            Query(f"{target} ({queries.pick('mlmetrics_cpu_limit_cores')}) > 0", f"limit {LEGEND}"),
            empty=NO_PROCESS,
        ),
        panels.series(
            "Open files",
            "File descriptors of the process, as a share of what it may open.",
            panels.SHARE,
            Query(f"{queries.pick('process_open_fds')} / ({queries.pick('process_max_fds')} > 0)", LEGEND),
            empty=NO_PROCESS,
        ),
    )


def _measuring(config: Config, queries: Queries) -> Iterator[Panel]:
    yield panels.series(
        "Scrape duration",
        "What a scrape takes, as Prometheus sees it, and the writing in it.",
        panels.SECONDS,
        Query(queries.pick("scrape_duration_seconds"), LEGEND),
        Query(queries.pick("mlmetrics_scrape_duration_seconds"), f"writing {LEGEND}"),
        limit=over(config, "SlowScrape"),
        width=6,
    )
    yield panels.series(
        "Samples",
        "Samples in a scrape; each label value adds some.",
        panels.COUNT,
        Query(queries.pick("scrape_samples_scraped"), LEGEND),
        width=6,
    )
    yield panels.series(
        "Failed scrapes",
        "Scrapes that failed each second because a collector raised.",
        panels.PER_SECOND,
        Query(queries.per_second(["job", "instance"], "mlmetrics_scrape_errors_total"), LEGEND),
        width=6,
    )
    yield panels.rows(
        "Versions of mlmetrics",
        "How many instances run which version.",
        panels.COUNT,
        f"count by (job, version) ({queries.pick('mlmetrics_build_info')})",
        width=6,
    )
    yield panels.series(
        "Measurements lost",
        f"Measurements that could not be recorded each second, by place; runbook: {config.runbooks}/RecordingErrors.md",
        panels.PER_SECOND,
        Query(queries.per_second(["job", "where"], "mlmetrics_recording_errors_total"), "{{where}} · {{job}}"),
        empty="Every measurement was recorded",
        width=12,
    )
    yield panels.series(
        "Labels at their limit",
        f"Recordings each second whose label value became 'other'; runbook: {config.runbooks}/LabelOverflow.md",
        panels.PER_SECOND,
        Query(
            queries.per_second(["job", "metric", "label"], "mlmetrics_label_overflow_total"),
            "{{label}} of {{metric}} · {{job}}",
        ),
        empty="No label has reached its limit",
        width=12,
    )


def _hosts(config: Config) -> tuple[Panel, ...]:
    total, available = f"node_memory_MemTotal_bytes{{{NODE}}}", f"node_memory_MemAvailable_bytes{{{NODE}}}"
    busy = f'sum by (instance) (rate(node_cpu_seconds_total{{{NODE},mode!~"idle|iowait"}}[{WINDOW}]))'
    every = f"sum by (instance) (rate(node_cpu_seconds_total{{{NODE}}}[{WINDOW}]))"
    return (
        panels.series(
            "Memory of hosts",
            "Share of the host's memory that is in use.",
            panels.SHARE,
            Query(f"({total} - {available}) / ({total} > 0)", "{{instance}}"),
            limit=share_over(config, "HighMemoryUsage"),
            empty=NO_HOST,
            width=12,
        ),
        panels.series(
            "Processor of hosts",
            "Share of the host's processor time that is in use.",
            panels.SHARE,
            Query(f"{busy} / ({every} > 0)", "{{instance}}"),
            limit=share_over(config, "HighCPUUsage"),
            empty=NO_HOST,
            width=12,
        ),
    )
