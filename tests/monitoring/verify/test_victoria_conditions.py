"""The conditions of the alerts in VictoriaMetrics, on the scenarios that promtool proves in Prometheus.

Each scenario has days of its own in one VictoriaMetrics. Drift is recorded by many rules first: vmalert evaluates those
in `test_victoria`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import promql_parser
import pytest

from mlmetrics.catalog import OPERATIONS
from mlmetrics.monitoring.operations import metrics_in_use
from mlmetrics.monitoring.promtool import test_cases
from mlmetrics.monitoring.promtool.alerts import alert_cases, plan_of
from mlmetrics.monitoring.rules.alerts import enabled_alerts
from mlmetrics.monitoring.rules.conditions import Drifted
from mlmetrics.monitoring.verify.prometheus_api import PrometheusAPI
from tests.monitoring.configurations import CONFIGURATIONS
from tests.monitoring.verify.remote_write import Series, remote_write
from tests.servers import VictoriaMetrics

DAY_SECONDS = 86_400
BEGINNING = 1_300_000_000 // DAY_SECONDS * DAY_SECONDS
CONFIG = replace(CONFIGURATIONS["shipped"], operations=OPERATIONS, metrics=metrics_in_use(OPERATIONS))
TIMES = ("_timestamp_seconds", "_start_time_seconds")
"""How the names of gauges end whose values are times."""
Conditions = dict[int, tuple[dict[str, str], float]]
# Where the steps of a process are younger than the window, its rate is divided by their age and not by the window.
AGE_COUNTS = ("HighCPUUsage", "just above the threshold, then below")

# The last success stays one step longer in the window of VictoriaMetrics: the condition holds by its other part, which
# has another value.
LEAVES_THE_WINDOW = ("BatchJobNotSucceeded", "just above the threshold, then a success")


@dataclass(frozen=True)
class Played:
    """A scenario, and when it is played."""

    alert: str
    case: test_cases.TestCase
    start: int
    step_seconds: float

    @property
    def steps(self) -> int:
        """How many steps it has."""
        return max(map(len, self.case.series.values()))

    def written(self) -> Iterator[Series]:
        """Yield its series as Prometheus writes them; where a sample is missing, a series has ended."""
        for name, values in self.case.series.items():
            # promtool's time begins at 0: what tells a time tells it from the start of the scenario.
            since = self.start if name.partition("{")[0].endswith(TIMES) else 0
            samples = [(self._time(step), None if each is None else each + since) for step, each in enumerate(values)]
            yield labels_of(name), samples

    def _time(self, step: int) -> float:
        return self.start + step * self.step_seconds

    def holds(self, storage: VictoriaMetrics, expected: test_cases.ExpectedAlert) -> Conditions:
        """Return the labels and the value by step where the condition holds in VictoriaMetrics."""
        found: Conditions = {}
        window = (self.start, self._time(self.steps - 1), self.step_seconds)
        for series in PrometheusAPI(storage.url).query_range(expected.rule.expression, *window):
            labels = {name: text for name, text in series["metric"].items() if name != "__name__"}
            for time, text in series["values"]:
                found[round((time - self.start) / self.step_seconds)] = labels, float(text)
        return found

    def expected(self, alert: test_cases.ExpectedAlert) -> Conditions:
        """Return the same as promtool proves it for Prometheus."""
        labels = {name: text for name, text in alert.labels.items() if text}
        return {step: (labels, value) for step, value in enumerate(alert.values) if value is not None}


def labels_of(series: str) -> dict[str, str]:
    """Return the labels of a series in PromQL, its name among them."""
    selector = promql_parser.parse(series)
    assert isinstance(selector, promql_parser.VectorSelector)
    matched = {matcher.name: matcher.value for matcher in selector.matchers.matchers if matcher.value}
    return {"__name__": selector.name or "", **matched}


def scenarios() -> Iterator[Played]:
    """Yield every scenario, three days or more apart."""
    start = BEGINNING
    for alert in enabled_alerts(CONFIG):
        if not isinstance(alert.condition, Drifted):
            for case in alert_cases(CONFIG, alert):
                played = Played(alert.name, case, start, plan_of(alert).step_seconds)
                yield played
                start += (int(played.steps * played.step_seconds) // DAY_SECONDS + 3) * DAY_SECONDS


SCENARIOS = tuple(scenarios())


@pytest.fixture(scope="module")
def storage() -> Iterator[VictoriaMetrics]:
    """Run a VictoriaMetrics that has all scenarios."""
    with VictoriaMetrics(("-search.disableCache", "-retentionPeriod=100y")) as running:
        remote_write(running.url, (series for scenario in SCENARIOS for series in scenario.written()))
        running.get("/internal/force_flush")
        yield running


@pytest.mark.parametrize("alert", sorted({scenario.alert for scenario in SCENARIOS}))
def test_holds_when_it_holds_in_prometheus(storage: VictoriaMetrics, alert: str) -> None:
    """At every step of every scenario the condition holds, with the same labels and value, or does not hold."""
    played = [(each, one) for each in SCENARIOS if each.alert == alert for one in each.case.expected]
    assert played
    for scenario, expected in played:
        found, wanted = scenario.holds(storage, expected), scenario.expected(expected)
        if (alert, scenario.case.name) == AGE_COUNTS and "process" in expected.rule.labels.values():
            assert wanted.items() <= found.items()
            continue
        assert wanted.keys() == found.keys(), scenario.case.name
        for step, (labels, value) in wanted.items():
            assert labels == found[step][0], scenario.case.name
            if (alert, scenario.case.name) != LEAVES_THE_WINDOW:
                assert pytest.approx(value, rel=1e-6) == found[step][1], scenario.case.name
