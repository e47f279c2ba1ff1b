"""Memory and processor of processes, on the main dashboard and that of the fleet: what they use, and their limits.

Use is shown as it is, and not as a share of the limit, because most processes have no limit.
"""

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.grafana import panels
from mlmetrics.monitoring.grafana.panels import Panel, Query
from mlmetrics.monitoring.grafana.queries import Queries
from mlmetrics.monitoring.grafana.thresholds import share_of_limit
from mlmetrics.monitoring.rules.promql import sum_by

TARGET = ["job", "instance"]
LEGEND = "{{instance}} · {{job}}"
NO_PROCESS = "No process reports this; prometheus_client does so on Linux only"


def memory(config: Config, queries: Queries) -> Panel:
    """Return the panel of the memory that each instance uses."""
    return panels.timeseries(
        "Memory",
        "Memory of all processes of an instance, and its limit if it has one.",
        panels.BYTES,
        Query(sum_by(TARGET, queries.select("process_resident_memory_bytes")), LEGEND),
        _limit(queries, "mlmetrics_memory_limit_bytes"),
        threshold=share_of_limit(config, "HighMemoryUsage"),
        empty=NO_PROCESS,
    )


def processor(config: Config, queries: Queries) -> Panel:
    """Return the panel of the processor cores that each instance uses."""
    return panels.timeseries(
        "Processor",
        "Processor cores that all processes of an instance use, and its limit if it has one.",
        panels.COUNT,
        Query(queries.per_second(TARGET, "process_cpu_seconds_total"), LEGEND),
        _limit(queries, "mlmetrics_cpu_limit_cores"),
        threshold=share_of_limit(config, "HighCPUUsage"),
        empty=NO_PROCESS,
    )


def _limit(queries: Queries, sample: str) -> Query:
    """Return the limit of each instance; one whose limit is 0 has none, and no line."""
    return Query(f"max by ({', '.join(TARGET)}) ({queries.select(sample)}) > 0", f"limit {LEGEND}")
