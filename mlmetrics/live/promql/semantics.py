"""In what the releases of Prometheus differ, and the error about what is not evaluated here."""

from dataclasses import dataclass

from mlmetrics.errors import MLMetricsError

LOOKBACK_MS = 5 * 60 * 1000


class PromQLError(MLMetricsError, ValueError):
    """A query cannot be evaluated here."""


@dataclass(frozen=True, slots=True)
class Semantics:
    """How a release evaluates.

    `left_closed`: a sample on the left edge of a window belongs to it. `zero_first`: a counter is extrapolated back to
    zero before it is seen whether the window begins near enough to the first sample. `forgives`: buckets whose counts
    differ by next to nothing are equal. `dot_is_any`: a dot in a regular expression matches a line break too.
    """

    left_closed: bool
    zero_first: bool
    forgives: bool
    dot_is_any: bool


PROMETHEUS_2 = Semantics(left_closed=True, zero_first=True, forgives=False, dot_is_any=False)
PROMETHEUS_3 = Semantics(left_closed=False, zero_first=False, forgives=True, dot_is_any=True)
