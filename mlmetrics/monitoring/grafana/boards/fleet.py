"""Fleet: instances, their memory and processor time against their limits, and how well the recording works."""

from grafana_foundation_sdk.models import dashboard

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.grafana import panels
from mlmetrics.monitoring.grafana.boards.processes import LEGEND, NO_PROCESS, memory, processor
from mlmetrics.monitoring.grafana.layout import Row, board
from mlmetrics.monitoring.grafana.panels import Panel, Query
from mlmetrics.monitoring.grafana.queries import WINDOW, Queries
from mlmetrics.monitoring.grafana.thresholds import above, share_above
from mlmetrics.monitoring.rules.alert import DASHBOARDS
from mlmetrics.monitoring.rules.fleet import ANSWERING, LOST, OVERFLOWS, VERSIONS
from mlmetrics.monitoring.rules.indicators import busy_host
from mlmetrics.monitoring.rules.promql import selector

NO_HOST = "No node_exporter answers"


def fleet(config: Config) -> dashboard.Dashboard:
    """Return the dashboard of instances."""
    description = "Instances, their memory and processor time against their limits, and how well the recording works."
    return board(config, DASHBOARDS["fleet"], "ML Fleet", description, fleet_rows(config))


def fleet_rows(config: Config) -> tuple[Row, ...]:
    """Return the rows of the dashboard of instances."""
    queries = Queries(config)
    rows = [
        Row("Instances", _instances(config, queries)),
        Row("Memory and processor", _use(config, queries)),
        Row("Measuring", (*_scrapes(config, queries), *_lost(config, queries))),
    ]
    if config.host_targets:
        rows.append(Row("Hosts", _hosts(config)))
    return tuple(rows)


def _instances(config: Config, queries: Queries) -> tuple[Panel, ...]:
    started = queries.select("process_start_time_seconds")
    return (
        panels.timeseries(
            "Instances that answer",
            "Instances whose last scrape worked, by service; of all instances.",
            panels.COUNT,
            Query(queries.total(ANSWERING), "{{job}}"),
        ),
        panels.table(
            "Instances that do not answer",
            f"Instances whose last scrape failed; runbook: {config.runbooks}/InstanceDown.md",
            panels.COUNT,
            f"{queries.select('up')} == 0",
            hidden=("Value",),
            empty="Every instance answers",
            width=8,
        ),
        panels.timeseries(
            "Age",
            "Time since the process started; it falls to 0 at a restart.",
            panels.SECONDS,
            Query(f"time() - max by (job, instance) ({started})", LEGEND),
            empty=NO_PROCESS,
        ),
        panels.timeseries(
            "Processes",
            "Processes of each instance that run: its workers, where it has several.",
            panels.COUNT,
            Query(f"count by (job, instance) ({started})", LEGEND),
            empty=NO_PROCESS,
        ),
    )


def _use(config: Config, queries: Queries) -> tuple[Panel, ...]:
    files, most = queries.select("process_open_fds"), queries.select("process_max_fds")
    return (
        memory(config, queries),
        processor(config, queries),
        panels.timeseries(
            "Open files",
            "Open file descriptors of the process, as a share of its limit.",
            panels.SHARE,
            Query(f"max by (job, instance) ({files} / ({most} > 0))", LEGEND),
            empty=NO_PROCESS,
        ),
    )


def _scrapes(config: Config, queries: Queries) -> tuple[Panel, ...]:
    return (
        panels.timeseries(
            "Scrape duration",
            "Duration of a scrape as Prometheus measures it, and of writing the page in the service.",
            panels.SECONDS,
            Query(queries.select("scrape_duration_seconds"), LEGEND),
            Query(queries.select("mlmetrics_scrape_duration_seconds"), f"writing {LEGEND}"),
            threshold=above(config, "SlowScrape"),
            width=6,
        ),
        panels.timeseries(
            "Samples",
            "Samples in a scrape; every new label value adds samples.",
            panels.COUNT,
            Query(queries.select("scrape_samples_scraped"), LEGEND),
            width=6,
        ),
        panels.timeseries(
            "Failed scrapes",
            "Scrapes that failed each second because a collector raised.",
            panels.PER_SECOND,
            Query(queries.per_second(["job", "instance"], "mlmetrics_scrape_errors_total"), LEGEND),
            width=6,
        ),
        panels.table(
            "Versions of mlmetrics",
            "Number of instances by version.",
            panels.COUNT,
            queries.total(VERSIONS),
            width=6,
        ),
    )


def _lost(config: Config, queries: Queries) -> tuple[Panel, ...]:
    return (
        panels.timeseries(
            "Measurements lost",
            "Measurements that could not be recorded each second, by place;"
            f" runbook: {config.runbooks}/RecordingErrors.md",
            panels.PER_SECOND,
            Query(queries.total(LOST), "{{where}} · {{job}}"),
            empty="Every measurement was recorded",
            width=12,
        ),
        panels.timeseries(
            "Labels at their limit",
            f"Recordings each second whose label value became 'other'; runbook: {config.runbooks}/LabelOverflow.md",
            panels.PER_SECOND,
            Query(queries.total(OVERFLOWS), "{{label}} of {{metric}} · {{job}}"),
            empty="No label has reached its limit",
            width=12,
        ),
    )


def _hosts(config: Config) -> tuple[Panel, ...]:
    total, available = _of_hosts("node_memory_MemTotal_bytes"), _of_hosts("node_memory_MemAvailable_bytes")
    processor = busy_host(select=_of_hosts)
    busy, every = processor.bad_rate(["instance"], WINDOW), processor.total_rate(["instance"], WINDOW)
    return (
        panels.timeseries(
            "Memory of hosts",
            "Share of the host's memory that is in use.",
            panels.SHARE,
            Query(f"({total} - {available}) / ({total} > 0)", "{{instance}}"),
            threshold=share_above(config, "HighMemoryUsage"),
            empty=NO_HOST,
            width=12,
        ),
        panels.timeseries(
            "Processor of hosts",
            "Share of the host's processor time that is in use.",
            panels.SHARE,
            Query(f"{busy} / ({every} > 0)", "{{instance}}"),
            threshold=share_above(config, "HighCPUUsage"),
            empty=NO_HOST,
            width=12,
        ),
    )


def _of_hosts(sample: str, *matchers: str) -> str:
    return selector(sample, 'job="node"', *matchers)
