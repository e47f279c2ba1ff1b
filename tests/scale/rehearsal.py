"""What `mlmetrics plan` says of a fleet, against a Prometheus that scrapes so many simulated pods.

`python -m tests.scale.rehearsal` scrapes 200 pods of 2,000 series each, prints plan x measured, and exits with 1 if
one differs by more than 15 %; `--write` puts the table into docs/scale.md. Pods are scraped every 4 s, so that memory
is measured after the collector of Prometheus has gone through all that loading left behind, in minutes.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlmetrics.catalog import INFERENCE
from mlmetrics.monitoring.sizing import Pod, exposed_by_pod, load
from tests.programs import free_port, wait_until
from tests.scale.pods import Pods, targets
from tests.servers import Prometheus

MODELS, ROUTES, PODS = 40, 25, 200
INTERVAL_SECONDS, RUN_SECONDS = 4, 270.0
ALLOWED = 0.15
DOCUMENT = Path(__file__).parents[2] / "docs" / "scale.md"
BEGIN, END = "<!-- rehearsal: begin -->", "<!-- rehearsal: end -->"
_ITSELF = """\
- job_name: itself
  scrape_interval: {0}s
  static_configs: [{{targets: ['127.0.0.1:{1}']}}]
"""
_MEASURED = {
    "series": "prometheus_tsdb_head_series",
    "samples a second": "sum(rate(prometheus_tsdb_head_samples_appended_total[{0}s]))",
    "memory, MB": "process_resident_memory_bytes{{job='itself'}} / 1e6",
}


@dataclass(frozen=True)
class Row:
    """One figure, as it was planned and as it was measured."""

    name: str
    planned: float
    measured: float

    @property
    def difference(self) -> float:
        """By which part of the measured figure the plan is off."""
        return self.planned / self.measured - 1


def _pod(models: int, routes: int) -> Pod:
    return Pod((INFERENCE.recording(frozenset()),), {"model": models, "route": routes})


def run(pods: int, models: int, routes: int, seconds: float, interval_seconds: int) -> list[Row]:
    """Scrape so many pods for some time, and return the figures at its end."""
    port = free_port()
    with Pods(models, routes, interval_seconds) as served:
        config = targets(served, pods, f"{interval_seconds}s") + _ITSELF.format(interval_seconds, port)
        with Prometheus(config, port=port) as prometheus:
            began = time.monotonic()
            wait_until(
                lambda: time.monotonic() - began > seconds, timeout=seconds + 60, what=lambda: "the clock stands still"
            )
            measured = {
                name: prometheus.query_value(query.format(round(seconds / 2))) for name, query in _MEASURED.items()
            }
            own = prometheus.query_value('scrape_samples_scraped{job="itself"}')
    found = load(exposed_by_pod(_pod(models, routes)), pods, interval_seconds)
    # Prometheus scrapes itself for these figures; what that adds is no pod's.
    own_series = (own or 0.0) + 5
    planned = {
        "series": found.series + own_series,
        "samples a second": found.samples_per_second + own_series / interval_seconds,
        "memory, MB": found.memory_bytes / 1e6,
    }
    return [Row(name, planned[name], measured[name] or 0.0) for name in _MEASURED]


def table(rows: Sequence[Row]) -> str:
    """Return the figures as a Markdown table."""
    lines = ["| | plan | measured | plan is off by |", "| --- | ---: | ---: | ---: |"]
    lines += [f"| {row.name} | {row.planned:,.0f} | {row.measured:,.0f} | {row.difference:+.1%} |" for row in rows]
    return "\n".join(lines)


def write_table(text: str) -> None:
    """Put a table between its marks in docs/scale.md."""
    document = DOCUMENT.read_text(encoding="utf-8")
    before, rest = document.split(BEGIN)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}", encoding="utf-8")


def main() -> int:
    """Print the table; exit 1 if the plan is off by more than is allowed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pods", type=int, default=PODS)
    parser.add_argument("--write", action="store_true", help="also put the table into docs/scale.md")
    arguments = parser.parse_args()
    rows = run(arguments.pods, MODELS, ROUTES, RUN_SECONDS, INTERVAL_SECONDS)
    sys.stdout.write(f"{arguments.pods} pods, scraped every {INTERVAL_SECONDS} s\n\n{table(rows)}\n")
    if arguments.write:
        write_table(table(rows))
    return 0 if all(abs(row.difference) <= ALLOWED for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
