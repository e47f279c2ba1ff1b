"""The conditions that alerts watch; each writes its PromQL and names the samples that it reads."""

from dataclasses import dataclass
from typing import Protocol

from mlmetrics.catalog import BY_NAME
from mlmetrics.monitoring.durations import parse_seconds
from mlmetrics.monitoring.rules.indicators import Events, Indicator, Sample
from mlmetrics.monitoring.rules.promql import job_matcher, number, quote, selector, sum_by

STARTED = "process_start_time_seconds"


class Condition(Protocol):
    """Decides when an alert fires."""

    def expression(self, window: str, /) -> str:
        """Return the PromQL; `window` is the duration to count over, scaled already."""

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The samples that the expression reads, for unit tests and checks."""


def service_of_job(expression: str) -> str:
    """Return an expression over targets with `service` set: a job is named as its service."""
    return f'label_replace({expression}, "service", "$1", "job", "(.+)")'


# The jobs that exposed metrics of mlmetrics in the last day; rules are about these if no service is declared.
_SEEN_JOBS = "last_over_time(mlmetrics_build_info[1d])"


def of_services(metric: str, jobs: tuple[str, ...]) -> str:
    """Return a metric that other programs expose too, restricted to the services."""
    return selector(metric, job_matcher(jobs)) if jobs else f"{metric} and on (job) {_SEEN_JOBS}"


@dataclass(frozen=True, slots=True)
class Share:
    """More than a share of the calls in a window is bad, and there were enough of them."""

    indicator: Indicator
    by: tuple[str, ...]
    window_seconds: float
    share: float
    minimum: float | None

    def expression(self, window: str) -> str:
        """Return the PromQL."""
        ratio = f"{self.indicator.bad_rate(self.by, window)}\n  / {self.indicator.total_rate(self.by, window)}"
        test = f"{ratio} > {number(self.share)}"
        if self.minimum is None:
            return test
        return f"{test}\nand {self.indicator.total_increase(self.by, window)} >= {number(self.minimum)}"

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The samples that the expression reads."""
        return self.indicator.samples


@dataclass(frozen=True, slots=True)
class Growth:
    """A counter grew by more than a threshold in a window; `of_target` says that it has no label `service`.

    A series that begins with 1 has not grown for Prometheus. With `first`, the condition also holds by all that series
    count whose process is younger than the window, or answered a window ago without them.
    """

    counted: Events
    by: tuple[str, ...]
    window_seconds: float
    threshold: float
    of_target: bool = False
    first: bool = False

    def expression(self, window: str) -> str:
        """Return the PromQL."""
        grown = sum_by(self.by, f"increase({self.counted.selected()}[{window}])")
        test = f"{service_of_job(grown) if self.of_target else grown} > {number(self.threshold)}"
        return f"{test}\nor {self._first(window)} > {number(self.threshold)}" if self.first else test

    def _first(self, window: str) -> str:
        """Return all that series count which have begun in the window; a label that a scrape adds begins none."""
        counted, own = self.counted.selected(), BY_NAME[self.counted.name].labels
        labels = (*(label for label in self.by if label not in own), "job", "instance")
        target, same = ", ".join(labels), ", ".join((*labels, *own))
        young = f"{counted} and on ({target}) time() - {STARTED} < {number(parse_seconds(window))}"
        new = f"{counted} unless on ({same}) {counted} offset {window} and on ({target}) up offset {window} == 1"
        return sum_by(self.by, f"\n  {young}\n  or {new}\n")

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The samples that the expression reads."""
        return self.counted.samples


@dataclass(frozen=True, slots=True)
class Spent:
    """What a rule has recorded of a counter's growth, by finer labels too, is above a threshold."""

    counter: Sample
    recorded: str
    by: tuple[str, ...]
    threshold: float

    def expression(self, _window: str) -> str:
        """Return the PromQL."""
        return f"{sum_by(self.by, self.recorded)} > {number(self.threshold)}"

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The sample whose growth is recorded."""
        return (self.counter,)


@dataclass(frozen=True, slots=True)
class Level:
    """A gauge, or the rate of a counter over a window, is above a threshold, as a share of a limit if there is one.

    A limit of 0 means that there is none; then the condition does not hold.
    """

    used: Sample
    by: tuple[str, ...]
    threshold: float
    jobs: tuple[str, ...]
    limit: Sample | None = None
    window_seconds: float | None = None

    def expression(self, window: str) -> str:
        """Return the PromQL."""
        return f"{service_of_job(self._level(window))} > {number(self.threshold)}"

    def _level(self, window: str) -> str:
        if self.limit is None:
            return sum_by(self.by, of_services(self.used.name, self.jobs))
        used, limit = (selector(sample.name, job_matcher(self.jobs)) for sample in (self.used, self.limit))
        if self.window_seconds is not None:
            used = f"rate({used}[{window}])"
        return f"{sum_by(self.by, used)}\n  / (max by ({', '.join(self.by)}) ({limit}) > 0)"

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The samples that the expression reads."""
        return (self.used,) if self.limit is None else (self.used, self.limit)


@dataclass(frozen=True, slots=True)
class HostMemory:
    """A host has used more than a share of its memory."""

    share: float
    used = Sample("node_memory_MemAvailable_bytes", "good")
    total = Sample("node_memory_MemTotal_bytes", "all")

    def expression(self, _window: str) -> str:
        """Return the PromQL."""
        available, total = self.used.name, self.total.name
        return f"({total} - {available}) / {total} > {number(self.share)}"

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The samples that the expression reads."""
        return (self.used, self.total)


@dataclass(frozen=True, slots=True)
class Down:
    """A whole service is down or gone from the scrape configuration, or (`each`) one instance of it is down."""

    jobs: tuple[str, ...]
    by: tuple[str, ...]
    each: bool = False

    def expression(self, _window: str) -> str:
        """Return the PromQL."""
        up = of_services("up", self.jobs)
        if self.each:
            return service_of_job(f"{up} == 0" if self.jobs else f"({up}) == 0")
        whole = f"max by ({', '.join(self.by)}) ({up}) == 0"
        return service_of_job("\n  or ".join([whole, *self._missing_services()]))

    def _missing_services(self) -> list[str]:
        """Return the expressions for services that are no longer scraped."""
        if self.jobs:
            return [f"absent({selector('up', f'job={quote(job)}')})" for job in self.jobs]
        return [f"0 * max by ({', '.join(self.by)}) ({_SEEN_JOBS}) unless on (job) up"]

    @property
    def samples(self) -> tuple[Sample, ...]:
        """No sample of a service; Prometheus itself writes `up`."""
        return ()


@dataclass(frozen=True, slots=True)
class Unsuccessful:
    """A batch job has not succeeded within a window: its last success is older, or it had none in all that time.

    The time of a success is looked for in the whole window, because a process that has restarted does not know it.
    """

    by: tuple[str, ...]
    window_seconds: float
    runs = Sample("ml_batch_job_total", "all")
    success = Sample("ml_batch_job_last_success_timestamp_seconds", "good")

    def expression(self, window: str) -> str:
        """Return the PromQL."""
        by, success = ", ".join(self.by), f"{self.success.name}[{window}]"
        return (
            f"time() - max by ({by}) (max_over_time({success})) > {number(parse_seconds(window))}\n"
            f"or (\n"
            f"  count by ({by}) ({self.runs.name} offset {window})\n"
            f"  unless count by ({by}) (present_over_time({success}))\n"
            f")"
        )

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The sample that a job has before its first success too."""
        return (self.runs,)


@dataclass(frozen=True, slots=True)
class Aged:
    """What a gauge dates is older than a window; of several instances, the one with the oldest counts."""

    date: Sample
    by: tuple[str, ...]
    window_seconds: float

    def expression(self, window: str) -> str:
        """Return the PromQL."""
        age = f"time() - min by ({', '.join(self.by)}) ({self.date.name})"
        return f"{service_of_job(age)} > {number(parse_seconds(window))}"

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The sample that holds the date."""
        return (self.date,)


@dataclass(frozen=True, slots=True)
class Drifted:
    """The recorded distance between now and a reference is above a threshold, with enough of both.

    `bounds` are those of the histogram `metric`. Without bounds, `metric` counts classes: how many there are is
    known from the samples only, so the distance must also exceed what chance gives with so many classes.
    """

    metric: str
    by: tuple[str, ...]
    threshold: float
    minimum: float
    bounds: tuple[float, ...] = ()

    def expression(self, _window: str) -> str:
        """Return the PromQL."""
        prefix = f"mlmetrics:{self.metric}"
        enough = number(self.minimum)
        by_chance = "" if self.bounds else f"and {prefix}:psi > {prefix}:chance\n"
        return (
            f"{prefix}:psi > {number(self.threshold)}\n"
            f"{by_chance}"
            f"and {prefix}:samples >= {enough}\n"
            f'and ignoring (reference) {prefix}:samples{{reference="now"}} >= {enough}'
        )

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The samples that the distance is computed from."""
        if not self.bounds:
            return (Sample(self.metric, "all"),)
        return tuple(Sample(f"{self.metric}_bucket", "all", {}, bound) for bound in self.bounds)


@dataclass(frozen=True, slots=True)
class Always:
    """Always holds, so that its alert shows that alerts arrive."""

    def expression(self, _window: str) -> str:
        """Return the PromQL."""
        return "vector(1)"

    @property
    def samples(self) -> tuple[Sample, ...]:
        """No sample is read."""
        return ()
