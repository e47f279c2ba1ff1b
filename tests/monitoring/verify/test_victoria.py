"""Panels and rules in VictoriaMetrics and vmalert, against what the same samples give in Prometheus."""

import json
import math
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from mlmetrics.monitoring.grafana.provisioning import dashboard_texts
from mlmetrics.monitoring.loading import parse
from mlmetrics.monitoring.verify.interpolation import interpolate
from mlmetrics.monitoring.verify.panel_queries import PanelProbe
from mlmetrics.monitoring.verify.prometheus_api import PrometheusAPI
from tests.monitoring.configurations import ONE_SERVICE
from tests.monitoring.grafana.stage import RATE_SECONDS, STORAGE, TRAFFIC_SECONDS, Stage
from tests.programs import wait_until
from tests.servers import Alertmanager, Queryable, VictoriaMetrics, VMAlert

Vector = dict[tuple[tuple[str, str], ...], float]
SCRAPE_SECONDS = 1
NOBODY = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"
# VictoriaMetrics computes a rate from the last sample before the window on, and divides by the time between samples;
# Prometheus takes the samples in the window, and extrapolates to its edges. Where a counter goes on evenly, Prometheus
# says over a window one scrape longer what VictoriaMetrics says. Else a rate differs by what one scrape brought.
EDGES = 1.5 * SCRAPE_SECONDS / RATE_SECONDS
# Of series that began in the window: Prometheus divides by the window, VictoriaMetrics by the age of the series.
YOUNG = {
    "Parsing failures by error type",
    "job_where:mlmetrics_recording_errors:rate5m",
    "job_metric_label:mlmetrics_label_overflow:rate5m",
}
# Half a bucket more or less at the edge of the window moves an interpolated quantile within its bucket.
INTERPOLATED = 0.25


def vector(found: list[dict[str, Any]]) -> Vector:
    """Return the numbers of a result by label; VictoriaMetrics keeps names of metrics where Prometheus drops them."""
    numbers = {
        tuple(sorted((name, text) for name, text in each["metric"].items() if name != "__name__")): each["value"][1]
        for each in found
    }
    return {labels: float(text) for labels, text in numbers.items() if not math.isnan(float(text))}


def ask(server: Queryable, query: str, at: float) -> Vector:
    """Return the result of a query at a time."""
    return vector(PrometheusAPI(server.url).query(query, at))


@pytest.fixture(scope="module")
def stored(stage: Stage) -> Stage:
    """Return the stage once VictoriaMetrics has all samples up to its end."""
    for storage in (stage.storage, stage.scraped):
        storage.wait_for(f"min(timestamp(fastapi_requests_in_progress)) > {stage.end + 2}", timeout=60)
    return stage


def queries(stage: Stage) -> Iterator[tuple[str, str]]:
    """Yield each panel's title and query, and the name and the expression of each recording rule.

    Conditions of alerts may stand near their threshold here; `test_victoria_conditions` has them at every step.
    """
    probe = PanelProbe(
        PrometheusAPI(stage.prometheus.url), TRAFFIC_SECONDS, "$__rate_interval", clock=lambda: stage.end
    )
    for text in dashboard_texts(stage.config).values():
        for result in probe.results(json.loads(text)):
            if not result.panel.startswith("$"):
                yield result.panel, result.query
    for text in stage.rules.values():
        for group in yaml.safe_load(text)["groups"]:
            yield from ((rule["record"], rule["expr"]) for rule in group["rules"] if "record" in rule)


def difference(stage: Stage, query: str) -> tuple[float, str]:
    """Return by what part the results differ, and where most; infinity where one has series that the other has not."""
    window, longer = (query.replace("$__rate_interval", f"{RATE_SECONDS + more}s") for more in (0, SCRAPE_SECONDS))
    theirs, stored = ask(stage.prometheus, window, stage.end), ask(stage.storage, window, stage.end)
    if theirs.keys() != stored.keys():
        return math.inf, f"{set(theirs) ^ set(stored)}"
    also = ask(stage.prometheus, longer, stage.end) if longer != window else theirs
    parts = {
        labels: min(part_between(number, stored[labels]), part_between(also.get(labels, number), stored[labels]))
        for labels, number in theirs.items()
    }
    worst = max(parts, key=parts.__getitem__, default=())
    return parts.get(worst, 0.0), f"{dict(worst)}: {theirs.get(worst)} and {stored.get(worst)}"


def part_between(one: float, other: float) -> float:
    """Return the difference of two numbers as a part of the larger."""
    return abs(one - other) / max(abs(one), abs(other)) if one != other else 0.0


def test_every_panel_and_every_recording_rule(stored: Stage) -> None:
    """Each query has the same series, and the same numbers but for the edges of windows."""
    asked = list(queries(stored))
    assert len(asked) > 180
    found = [(name, query, *difference(stored, query)) for name, query in asked]
    assert [] == [each for each in found if each[2] > allowed(each[0], each[1])]


def test_a_beginning_is_no_restart() -> None:
    """An instance that is new is no restart, and one whose start time has changed is one, in VictoriaMetrics too."""
    board = json.loads(dashboard_texts(parse(ONE_SERVICE))["mlmetrics-fleet"])
    (query,) = [each["expr"] for each in board["annotations"]["list"] if each["name"] == "Restarts"]
    now = int(time.time())
    samples = {"new": [5.0] * 6, "restarted": [5.0, 5.0, 5.0, 9.0, 9.0, 9.0]}
    lines = [
        f'process_start_time_seconds{{job="solo",instance="{name}"}} {value} {(now - 60 + 10 * step) * 1000}'
        for name, values in samples.items()
        for step, value in enumerate(values)
    ]
    with VictoriaMetrics(STORAGE) as storage:
        url = f"{storage.url}/api/v1/import/prometheus"
        httpx.post(url, content="\n".join(lines), trust_env=False).raise_for_status()
        storage.wait_for("count(process_start_time_seconds) == 2")
        choices = {"__rate_interval": "60s", "job": ".+", "instance": ".+"}
        found = ask(storage, interpolate(query, choices), now - 5)
    assert ["restarted"] == [dict(labels)["instance"] for labels in found]


def allowed(name: str, query: str) -> float:
    """Return the part by which results may differ: nothing, but where a counter is read over a window."""
    if name in YOUNG:
        return 1.0
    if "histogram_quantile" in query:
        return INTERPOLATED
    return EDGES if "rate(" in query or "increase(" in query else 1e-6


@pytest.fixture(scope="module")
def vmalert(stored: Stage) -> Iterator[VMAlert]:
    """Run vmalert with the rendered rules, on samples that were scraped alone."""
    pace = ("-evaluationInterval=1s", "-remoteWrite.flushInterval=200ms", "-disableAlertgroupLabel")
    with Alertmanager(NOBODY) as nobody, VMAlert(stored.rules, stored.scraped, nobody.url, pace) as running:
        yield running


def states(alerts: list[dict[str, Any]]) -> set[tuple[tuple[str, str], ...]]:
    """Return the alerts with their labels and states."""
    return {tuple(sorted({**each["labels"], "state": each["state"]}.items())) for each in alerts}


class TestVMAlert:
    """vmalert on the rendered files, as they are."""

    def test_raises_the_same_alerts(self, stored: Stage, vmalert: VMAlert) -> None:
        """The alerts that fire or wait are those of Prometheus, with the same labels."""
        wait_until(
            lambda: states(vmalert.alerts()) == states(stored.prometheus.alerts()),
            timeout=60,
            what=lambda: f"differ: {states(vmalert.alerts()) ^ states(stored.prometheus.alerts())}",
        )
        assert {"RecordingErrors", "LabelOverflow", "Watchdog"} <= {
            each["labels"]["alertname"] for each in vmalert.alerts() if each["state"] == "firing"
        }

    def test_evaluates_every_rule(self, stored: Stage, vmalert: VMAlert) -> None:
        """No rule fails, and each of the files is evaluated."""
        groups = vmalert.get("/api/v1/rules").json()["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        written = [group for text in stored.rules.values() for group in yaml.safe_load(text)["groups"]]
        assert sum(len(group["rules"]) for group in written) == len(rules)
        assert [] == [(rule["name"], rule["lastError"]) for rule in rules if rule["lastError"]]

    @pytest.mark.parametrize(
        "name",
        [
            'mlmetrics:slo_errors:ratio{window!="30d"}',
            "mlmetrics:slo_target:ratio",
            'mlmetrics:parsing_accuracy_score:cdf{reference="now"}',
            "job:up:sum",
            "job_where:mlmetrics_recording_errors:rate5m",
        ],
    )
    def test_records_the_same_series(self, stored: Stage, vmalert: VMAlert, name: str) -> None:
        """What it records has the labels of what Prometheus records."""

        def labels(server: Queryable) -> set[tuple[tuple[str, str], ...]]:
            return set(vector(server.query(name)))

        wait_until(
            lambda: labels(stored.scraped) == labels(stored.prometheus),
            timeout=60,
            what=lambda: f"{name}: {labels(stored.scraped) ^ labels(stored.prometheus)}",
        )
        assert labels(stored.scraped)
