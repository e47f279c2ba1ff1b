"""An operation as one row: what its calls are called, what labels them, and what they may record.

Series, decorators, timers, log events, rules, drift, objectives, dashboards, runbooks and the reference
read the row, of the operations that ship and of those that a project declares.
"""

from dataclasses import dataclass, field, replace

from mlmetrics.catalog.metric import LATENCY_BUCKETS_SECONDS, Metric

SCORE = "score"
"""The part of an operation that scores its results."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One kind of work: its name in log events, its metrics' prefix, its labels after `service`.

    `subject` is the label that a declaration may leave out, whose value is then the function's name; the
    other labels may be empty. `score` is the histogram of its scores, 0 to 1.
    `more` are metrics that a call may record besides, each with its `part`, such as `tokens`.
    `slow_is_told` says whether calls that took longer than `slow_seconds` are logged.
    `ships` says that it is one of mlmetrics' own. `calls` is false where a project records none of its calls, but
    only numbers such as scores.
    """

    name: str
    labels: tuple[str, ...]
    subject: str
    score: Metric | None = None
    more: tuple[Metric, ...] = ()
    buckets: tuple[float, ...] = LATENCY_BUCKETS_SECONDS
    slow_is_told: bool = True
    ships: bool = True
    calls: bool = True
    parts: frozenset[str] = field(init=False, compare=False)
    """Kept, because calls ask for it."""

    def __post_init__(self) -> None:
        found = (*self.more, self.score) if self.score is not None else self.more
        object.__setattr__(self, "parts", frozenset(metric.part for metric in found) - {""})

    @property
    def prefix(self) -> str:
        """The first part of its metrics' names."""
        return f"ml_{self.name}"

    @property
    def noun(self) -> str:
        """Its name in texts."""
        return self.name.replace("_", " ")

    @property
    def finished(self) -> str:
        """The counter of its finished calls by outcome."""
        return f"{self.prefix}_total"

    @property
    def duration(self) -> str:
        """The histogram of its calls' seconds."""
        return f"{self.prefix}_duration_seconds"

    @property
    def errors(self) -> str:
        """The counter of its failed calls by error type."""
        return f"{self.prefix}_errors_total"

    @property
    def in_progress(self) -> str:
        """The gauge of its calls that run."""
        return f"{self.prefix}_in_progress"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Every metric of the operation, those of each call first."""
        scores = () if self.score is None else (self.score,)
        return (*(self._of_calls() if self.calls else ()), *self.more, *scores)

    def _of_calls(self) -> tuple[Metric, ...]:
        noun, labels = self.noun, ("service", *self.labels)
        return (
            Metric(
                self.duration,
                "histogram",
                f"Duration of {noun} calls that succeeded or failed; cancelled calls are left out.",
                labels,
                "seconds",
                self.buckets,
            ),
            Metric(self.finished, "counter", f"Finished {noun} calls by outcome.", (*labels, "outcome")),
            Metric(self.errors, "counter", f"Failed {noun} calls by error type.", (*labels, "error_type")),
            Metric(self.in_progress, "gauge", f"Calls of {noun} that have begun and not ended.", labels),
        )

    def recording(self, parts: frozenset[str], *, calls: bool = True) -> "Operation":
        """Return the operation with only these of its parts, and without the metrics of its calls if there are none."""
        score = self.score if self.score is not None and self.score.part in parts else None
        more = tuple(metric for metric in self.more if not metric.part or metric.part in parts)
        return replace(self, score=score, more=more, calls=calls)
