"""`MLMetrics`: everything that a service records, bound to one registry."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry

from mlmetrics.calls.agents import Agents
from mlmetrics.calls.operating import Operating
from mlmetrics.calls.quality import Quality
from mlmetrics.calls.tracking import Tracking
from mlmetrics.errors import ConfigurationError, shown
from mlmetrics.exemplars import TraceIds, is_source
from mlmetrics.http.serving import Serving
from mlmetrics.integrations.toolkit import Instrumenting
from mlmetrics.jobs.toolkit import Jobs
from mlmetrics.plain.toolkit import PlainMetrics
from mlmetrics.pricing.table import Own, read_table
from mlmetrics.recording.collector import HELD, registry_of, store_for, store_of
from mlmetrics.recording.labels import declared_problem
from mlmetrics.recording.store import Store


class MLMetrics(Tracking, Agents, Operating, Quality, Serving, Instrumenting, Jobs, PlainMetrics):
    """One toolkit: decorators, timers, direct functions, own metrics, HTTP and batch jobs, on one registry.

    The functions of the `mlmetrics` module are those of a default toolkit on
    prometheus_client's `REGISTRY`. Toolkits on the same registry share their series.

    Args:
        service: the `service` label of calls that do not name a service. By default the service name
            given to the middleware, else `MLMETRICS_SERVICE`, else `OTEL_SERVICE_NAME`, else `default`.
        registry: where the metrics are registered, at the first declaration. If the registry is cleared,
            as test suites do, the next declaration or scrape registers them again; no recorded value
            is lost.
        max_label_values: the most distinct values of a label per metric; further ones become `other`.
        max_series: the most distinct combinations of labels per metric; in further ones, the labels that
            a call provides become `other`. Outcomes, token types and buckets do not count as combinations.
        slow_seconds: calls that take longer are logged, for example as `inference.slow`.
        log_interval_seconds: of the failures of a series with the same error type, the first is logged at once, and
            then at most one in so many seconds, with the number of those that were not as `suppressed`; slow calls
            and failed requests likewise. 10 by default, 0 for every one. What is counted is never limited.
        buckets: upper bounds by histogram name, in place of the catalogue's or, of a histogram of your own, of those
            that it was declared with.
        prices: what tokens of your models cost, in US dollars per million by model and token type, such as
            `{"my-llm": {"input": 0.15, "output": 0.6}}`, or the path of a TOML file; asked before genai-prices.
        trace_ids: a function without arguments that returns the ids of the current trace and of its span, as two texts,
            or that of the trace alone, or None; for the exemplars of buckets, where the tracer is not OpenTelemetry's.
            By default they are those of OpenTelemetry's current span. If it raises, that is counted.
        clock: returns seconds as a monotonic float; `time.perf_counter` by default. After its first failure
            (it raises, or returns no finite number) `perf_counter` is used instead; the failure is counted.

    Raises:
        ConfigurationError: a value is not allowed.
        RegistrationError: at the first declaration, if the registry already has metrics with the same names.

    Example:
        >>> from prometheus_client import CollectorRegistry
        >>> metrics = MLMetrics(service="docs", registry=CollectorRegistry())
        >>> with metrics.inference_timer(model="gpt-4") as call:
        ...     call.tokens(input=120, output=48)
    """

    def __init__(
        self,
        service: str | None = None,
        registry: CollectorRegistry = REGISTRY,
        *,
        max_label_values: int | None = None,
        max_series: int | None = None,
        slow_seconds: float | None = None,
        log_interval_seconds: float | None = None,
        buckets: Mapping[str, Sequence[float]] | None = None,
        prices: Own | None = None,
        trace_ids: TraceIds | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        super().__init__()
        self.service = service
        self.configured_service: str | None = None
        self.registry = registry
        self._store: Store | None = None
        self._options: dict[str, Any] = {}
        check_options(service, {})
        self.configure(
            max_label_values=max_label_values,
            max_series=max_series,
            slow_seconds=slow_seconds,
            log_interval_seconds=log_interval_seconds,
            buckets=buckets,
            prices=prices,
            trace_ids=trace_ids,
            clock=clock,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Unpickled in another process, the toolkit uses the registry that replaces its own there."""
        return _toolkit_here, (self.service, self.store)

    def configure(
        self,
        service: str | None = None,
        registry: CollectorRegistry | None = None,
        *,
        max_label_values: int | None = None,
        max_series: int | None = None,
        slow_seconds: float | None = None,
        log_interval_seconds: float | None = None,
        buckets: Mapping[str, Sequence[float]] | None = None,
        prices: Own | None = None,
        trace_ids: TraceIds | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Change the given options and keep the others. Call it at the start of the program, before the first call.

        Args: as those of `MLMetrics`. `service` applies to everything that does not name a service,
        including functions that were decorated earlier.

        Raises:
            ConfigurationError: a value is not allowed, or is set too late.
        """
        given = {
            "max_label_values": max_label_values,
            "max_series": max_series,
            "slow_seconds": slow_seconds,
            "log_interval_seconds": log_interval_seconds,
            "prices": None if prices is None else read_table(prices),
            "trace_ids": trace_ids,
            "clock": clock,
        }
        options = {name: value for name, value in given.items() if value is not None}
        check_options(service, options)
        if registry is not None and registry is not self.registry:
            if self._store is not None:
                raise ConfigurationError(
                    "configure(registry=...) came after something was declared on another registry; "
                    "call it before the first decorator or timer, and before an application with our middleware starts"
                )
            self.registry = registry
        if service is not None:
            self._options["service"] = self.configured_service = service
        if buckets is not None:
            known = self._store or store_of(self.registry)
            (known or Store()).set_buckets(buckets)  # refuses what is wrong now, not at the first declaration
            if known is None:
                self._options["buckets"] = buckets
        self._options.update(options)
        if self._store is not None:
            self._apply(self._store)

    @property
    def store(self) -> Store:
        """The store of this toolkit; registered when first needed, and again if the registry was cleared."""
        store = self._store
        # `holds` written out: every direct function asks this.
        if store is None or store.collectors[0] not in getattr(self.registry, HELD, store.collectors):
            store = store_for(self.registry)
            self._apply(store)
            self._store = store
        return store

    def _apply(self, store: Store) -> None:
        """Pass each option to the store once; first the options that the store may refuse."""
        options = self._options
        if "buckets" in options:
            store.set_buckets(options["buckets"])
        if "clock" in options:
            store.set_clock(options["clock"])
        if "service" in options:
            store.name_service(options["service"], configured=True)
        if "prices" in options:
            store.set_prices(options["prices"])
        store.trace_ids = options.get("trace_ids", store.trace_ids)
        store.limits.max_values = options.get("max_label_values", store.limits.max_values)
        store.limits.max_series = options.get("max_series", store.limits.max_series)
        # A float: every call compares its seconds with it, and comparing with an int takes three times as long.
        store.slow_seconds = float(options.get("slow_seconds", store.slow_seconds))
        store.log_interval_seconds = options.get("log_interval_seconds", store.log_interval_seconds)
        self._options = {}


def _toolkit_here(service: str | None, store: Store) -> MLMetrics:
    """Return a toolkit for a store of this process; called when a toolkit is unpickled."""
    registry = registry_of(store)
    return MLMetrics(service) if registry is None else MLMetrics(service, registry)


def check_options(service: str | None, options: Mapping[str, Any]) -> None:
    """Refuse option values that are not allowed, and say which values are."""
    problem = None if service is None else declared_problem(service)
    if problem is not None:
        raise ConfigurationError(f"service={shown(service)}: expected a non-empty string; this one is {problem}")
    for name in ("max_label_values", "max_series"):
        most = options.get(name, 1)
        if not isinstance(most, int) or isinstance(most, bool) or most < 1:
            raise ConfigurationError(f"{name}={most!r}: expected a whole number, 1 or more")
    slow = options.get("slow_seconds", 1.0)
    if not isinstance(slow, int | float) or isinstance(slow, bool) or not slow > 0:
        raise ConfigurationError(f"slow_seconds={slow!r}: expected a number of seconds above 0")
    interval = options.get("log_interval_seconds", 0)
    if not isinstance(interval, int | float) or isinstance(interval, bool) or not interval >= 0:
        raise ConfigurationError(
            f"log_interval_seconds={interval!r}: expected a number of seconds, 0 or more; 0 logs every failure"
        )
    if "trace_ids" in options and not is_source(options["trace_ids"]):
        raise ConfigurationError(
            f"trace_ids={shown(options['trace_ids'])}: expected a function without arguments that returns "
            "(trace id, span id), a trace id, or None"
        )
    if not callable(options.get("clock", check_options)):
        raise ConfigurationError(f"clock={options['clock']!r}: expected a function that returns seconds")
