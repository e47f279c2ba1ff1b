"""What a row of the catalogue says of one metric, and the default buckets.

Default buckets have every alert threshold as a bound: an alert whose threshold is not a bound cannot
be exact, and one above the last bound never fires.
"""

from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["counter", "gauge", "histogram"]
Mode = Literal["all", "liveall", "max", "livemax", "min", "livemin", "mostrecent", "livemostrecent", "sum", "livesum"]
"""How the processes of a service are joined in a gauge, by prometheus_client's names."""
MODES: tuple[Mode, ...] = get_args(Mode)
OF_EACH: tuple[str, ...] = ("all", "liveall")
"""The modes that keep the workers apart, by the label `worker`."""
NEWEST: tuple[str, ...] = ("mostrecent", "livemostrecent")
"""The modes in which only the newest value counts, so that it can be set and not changed."""

REQUEST_BUCKETS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
LATENCY_BUCKETS_SECONDS = (
    *(0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
    *(5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 120.0, 300.0),
)
FIRST_CHUNK_BUCKETS_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0)
CHUNK_INTERVAL_BUCKETS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
QUEUE_BUCKETS_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
ACCURACY_BUCKETS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.99, 1.0)
SCORE_BUCKETS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
SIZE_BUCKETS_BYTES = tuple(1024.0 * 4**power for power in range(11))
BODY_BUCKETS_BYTES = tuple(64.0 * 4**power for power in range(13))
JOB_BUCKETS_SECONDS = (
    *(1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 1800.0),
    *(3600.0, 7200.0, 14_400.0, 28_800.0, 57_600.0, 86_400.0),
)
WEBSOCKET_BUCKETS_SECONDS = (
    *(0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0),
    *(600.0, 1800.0, 3600.0, 14_400.0, 28_800.0, 86_400.0),
)
BATCH_BUCKETS = tuple(2.0**power for power in range(11))
LENGTH_BUCKETS_TOKENS = (1.0, 4.0, 16.0, 64.0, *(2.0**power for power in range(7, 21)))
SPEED_BUCKETS = (1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0, 75.0, 100.0, 150.0, 200.0, 300.0, 500.0, 1000.0)
PREDICTION_ERROR_BUCKETS = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0),
)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: its full name as typed in PromQL, its kind, help text, labels, unit and buckets.

    `buckets` are the default upper bounds of a histogram, ascending, without `+Inf`.
    `unit` is the OpenMetrics unit; the name carries it too.
    `part` is what an operation has to record for the metric to exist, such as `tokens`; empty if every
    call records it. `multiprocess_mode` says how the processes of a service are joined in a gauge of a
    project's own, by prometheus_client's names. To an `extensible` metric an application adds labels of its own,
    once: the row that a store then has of it is not extensible.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    buckets: tuple[float, ...] = ()
    part: str = ""
    multiprocess_mode: str = ""
    extensible: bool = False

    @property
    def across_workers(self) -> str:
        """How the processes of a service are joined in a gauge: sum of calls in progress, newest state."""
        if self.multiprocess_mode:
            return self.multiprocess_mode
        return "livesum" if self.name.endswith("_in_progress") else "mostrecent"

    @property
    def sample_names(self) -> tuple[str, ...]:
        """The names of the samples that this metric is exposed as."""
        if self.kind == "histogram":
            return (f"{self.name}_bucket", f"{self.name}_count", f"{self.name}_sum")
        return (self.name,)
