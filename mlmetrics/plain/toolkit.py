"""A project's own counters, gauges and histograms, as methods of a toolkit."""

from collections.abc import Sequence

from mlmetrics.calls.recorder import Recorder
from mlmetrics.catalog.metric import NEWEST, Mode
from mlmetrics.catalog.plain import own_metric
from mlmetrics.plain.labelled import declared
from mlmetrics.plain.verbs import Counter, Gauge, Histogram, NewestGauge


class PlainMetrics(Recorder):
    """What declares a project's own metrics. Their first label is `service`, as of all metrics."""

    def counter(self, name: str, documentation: str, labelnames: Sequence[str] = (), *, unit: str = "") -> Counter:
        """Return a counter of the project's own, with the verbs of prometheus_client's.

        Declared again in the same way, it is the same counter. What goes wrong in recording, such as a negative
        amount, is counted in `mlmetrics_recording_errors_total{where="metric"}` and raises nothing.

        Args:
            name: its name, in lower case; it is exposed with `_total` at its end.
            documentation: what it counts, in a sentence.
            labelnames: the labels after `service`.
            unit: the unit of its amounts, such as `bytes`, which becomes part of the name.

        Raises:
            DeclarationError: a name cannot be used or is taken, or the metric was declared in another way.
            RegistrationError: the registry has another metric of this name.

        Example:
            >>> from prometheus_client import CollectorRegistry
            >>> from mlmetrics import MLMetrics
            >>> metrics = MLMetrics(service="docs", registry=CollectorRegistry())
            >>> accepted = metrics.counter("cv_accepted", "Accepted CVs.", labelnames=("country",))
            >>> accepted.labels(country="fr").inc()
            >>> metrics.registry.get_sample_value("cv_accepted_total", {"service": "docs", "country": "fr"})
            1.0
        """
        row = own_metric("counter", name, documentation, labelnames, unit)
        return declared(Counter, self.store, row, self.service)

    def histogram(
        self,
        name: str,
        documentation: str,
        labelnames: Sequence[str] = (),
        *,
        unit: str = "",
        buckets: Sequence[float] | None = None,
    ) -> Histogram:
        """Return a histogram of the project's own, with the verbs of prometheus_client's.

        Declared again in the same way, it is the same histogram. What goes wrong in recording, such as a value
        that is no number, is counted in `mlmetrics_recording_errors_total{where="metric"}` and raises nothing.

        Args:
            name: its name, in lower case.
            documentation: what it measures, in a sentence.
            labelnames: the labels after `service`.
            unit: the unit of its values, such as `seconds`, which becomes part of the name.
            buckets: upper bounds, ascending; prometheus_client's by default. `configure(buckets=...)` may replace them.

        Raises:
            DeclarationError: a name cannot be used or is taken, the bounds do not ascend, or the metric was
                declared in another way.
            RegistrationError: the registry has another metric of this name.

        Example:
            >>> from prometheus_client import CollectorRegistry
            >>> from mlmetrics import MLMetrics
            >>> metrics = MLMetrics(service="docs", registry=CollectorRegistry())
            >>> pages = metrics.histogram("cv_pages", "Pages of a CV.", buckets=(1, 2, 5, 10))
            >>> pages.observe(3)
            >>> metrics.registry.get_sample_value("cv_pages_bucket", {"service": "docs", "le": "5.0"})
            1.0
        """
        row = own_metric("histogram", name, documentation, labelnames, unit, buckets)
        return declared(Histogram, self.store, row, self.service)

    def gauge(
        self,
        name: str,
        documentation: str,
        labelnames: Sequence[str] = (),
        *,
        unit: str = "",
        multiprocess_mode: Mode = "all",
    ) -> Gauge:
        """Return a gauge of the project's own, with the verbs of prometheus_client's.

        Values that are set and amounts that are added keep their order, whatever thread they come from.
        Declared again in the same way, it is the same gauge. What goes wrong in recording, such as a value that
        is no number, is counted in `mlmetrics_recording_errors_total{where="metric"}` and raises nothing.

        Args:
            name: its name, in lower case.
            documentation: what it measures, in a sentence.
            labelnames: the labels after `service`.
            unit: the unit of its values, such as `bytes`, which becomes part of the name.
            multiprocess_mode: what a scrape tells if several processes serve together (`PROMETHEUS_MULTIPROC_DIR`):
                `all` a value for each, by the label `worker`; `sum`, `max`, `min`, or `mostrecent`, the value that
                was set last, one for all. With `live` before it (`livesum`), processes that have ended do not count.

        Raises:
            DeclarationError: a name cannot be used or is taken, there is no such mode, or the metric was declared
                in another way.
            RegistrationError: the registry has another metric of this name.

        Example:
            >>> from prometheus_client import CollectorRegistry
            >>> from mlmetrics import MLMetrics
            >>> metrics = MLMetrics(service="docs", registry=CollectorRegistry())
            >>> waiting = metrics.gauge("cv_waiting", "CVs that wait.", multiprocess_mode="livesum")
            >>> waiting.set(3)
            >>> waiting.dec()
            >>> metrics.registry.get_sample_value("cv_waiting", {"service": "docs"})
            2.0
        """
        row = own_metric("gauge", name, documentation, labelnames, unit, multiprocess_mode=multiprocess_mode)
        kind = NewestGauge if multiprocess_mode in NEWEST else Gauge
        return declared(kind, self.store, row, self.service)
