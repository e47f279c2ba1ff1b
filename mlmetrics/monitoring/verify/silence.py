"""Which alerts of a project are silent on its live pages, and whether for good.

An alert can never fire if its threshold is no bucket bound of a page, or if a metric that it reads was renamed. It
waits if that metric comes with the first event, such as the first error.
"""

from collections.abc import Iterator, Mapping
from math import isfinite

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.rules.alerts import enabled_alerts
from mlmetrics.monitoring.rules.indicators import Sample
from mlmetrics.monitoring.rules.slo import burn_alerts
from mlmetrics.monitoring.verify.absence import Exposed, why_absent
from mlmetrics.monitoring.verify.finding import Finding
from mlmetrics.monitoring.verify.metrics_page import MetricsPage


def silent_alerts(config: Config, pages: Mapping[str, MetricsPage]) -> Iterator[Finding]:
    """Yield a finding for each alert that no page lets fire, and for each page whose buckets lack a threshold."""
    names = {name for page in pages.values() for name in page.names}
    exposed = Exposed(config.operations)
    burns = [alert for objective in config.objectives for alert in burn_alerts(config, objective)[:1]]
    for alert in (*enabled_alerts(config), *burns):
        subject = " ".join(filter(None, (alert.name, alert.labels.get("objective", ""))))
        samples = tuple(sample for sample in alert.condition.samples if exposed.has(sample.name))
        yield from _absent(subject, samples, names, exposed)
        yield from _without_bound(subject, samples, pages)


def _absent(subject: str, samples: tuple[Sample, ...], names: set[str], exposed: Exposed) -> Iterator[Finding]:
    """Yield why the alert is silent: the first sample of which it is certain, else the first that is absent."""
    found = [
        Finding(absence.level, absence.kind, subject, f"{sample.name} is on no page; {absence.reason}")
        for sample in samples
        if sample.name not in names and (absence := why_absent(sample.name, names, exposed)) is not None
    ]
    yield from sorted(found, key=lambda finding: finding.level)[:1]


def _without_bound(subject: str, samples: tuple[Sample, ...], pages: Mapping[str, MetricsPage]) -> Iterator[Finding]:
    for url, page in pages.items():
        for sample in samples:
            bounds = page.bounds.get(sample.name)
            if bounds and sample.bound is not None and sample.bound not in bounds:
                found = ", ".join(f"{bound:g}" for bound in sorted(bounds))
                last = max(filter(isfinite, bounds), default=0.0)
                beyond = f"; the last one is {last:g}" if sample.bound > last else ""
                text = f"{sample.name} has no bucket bound {sample.bound:g}, but {found}{beyond}"
                yield Finding("error", "never fires", subject, text, url)
                break
