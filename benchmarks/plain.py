"""Counters and gauges of a project's own, beside those of prometheus_client: by labels, and bound to a series."""

from collections.abc import Callable
from itertools import repeat

from prometheus_client import CollectorRegistry, Counter, Gauge

from benchmarks.ours import Toolkit
from benchmarks.peers import sample
from benchmarks.results import Row, medians
from benchmarks.timing import Side, added, interleave, ratio

LABELS = ("country",)


def looped(verb: Callable[[], object], finish: Callable[[], object] = int) -> Callable[[int], None]:
    """Return what calls a verb so many times."""

    def run(units: int) -> None:
        for _ in repeat(None, units):
            verb()
        finish()

    return run


def measure_plain(rounds: int) -> list[Row]:
    """Measure each verb of ours and of theirs; all that ours has appended is folded, as part of its cost."""
    return [
        _compare("plain/labels", rounds, *_counters(bound=False)),
        _compare("plain/counter", rounds, *_counters(bound=True)),
        _compare("plain/gauge", rounds, *_gauges()),
    ]


def _compare(name: str, rounds: int, ours: Side, theirs: Side) -> Row:
    times = interleave([Side("bare", looped(int)), ours, theirs], rounds)
    cost = {side: added(times, side) for side in ("ours", "prometheus_client")}
    return Row(name, ratio(cost["prometheus_client"], cost["ours"]), "ns", medians(**cost))


def _counters(*, bound: bool) -> tuple[Side, Side]:
    toolkit, registry = Toolkit(), CollectorRegistry()
    ours = toolkit.metrics.counter("cv_accepted", "Accepted CVs.", LABELS)
    theirs = Counter("cv_accepted", "Accepted CVs.", LABELS, registry=registry)
    if bound:
        verbs: tuple[Callable[[], object], ...] = (ours.labels(country="fr").inc, theirs.labels(country="fr").inc)
    else:
        verbs = (lambda: ours.labels(country="fr").inc(), lambda: theirs.labels(country="fr").inc())
    return (
        Side("ours", looped(verbs[0], toolkit.fold), lambda: toolkit.value("cv_accepted_total")),
        Side("prometheus_client", looped(verbs[1]), lambda: sample(registry, "cv_accepted_total")),
    )


def _gauges() -> tuple[Side, Side]:
    toolkit, registry = Toolkit(), CollectorRegistry()
    ours = toolkit.metrics.gauge("cv_waiting", "CVs that wait.")
    theirs = Gauge("cv_waiting", "CVs that wait.", registry=registry)
    return (
        Side("ours", looped(ours.inc, toolkit.fold), lambda: toolkit.value("cv_waiting")),
        Side("prometheus_client", looped(theirs.inc), lambda: sample(registry, "cv_waiting")),
    )
