"""Every query of the panels and every expression of the rules, evaluated here and by a real Prometheus 2.42."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from mlmetrics.monitoring.grafana.provisioning import dashboard_texts
from mlmetrics.monitoring.verify.interpolation import Choice, interpolate
from tests.live.samples import compare, history_of
from tests.monitoring.grafana import scripted
from tests.monitoring.grafana.stage import RATE_SECONDS, Stage

READ_SECONDS = 1200
"""Longer than the stage has been up, and shorter than until the samples of a week ago."""
ALL = dict.fromkeys(("job", "service", "model", "instance"), ".+")
ONE: Mapping[str, Choice] = {**ALL, "service": [scripted.NAME], "model": [scripted.MODEL, scripted.SORTER]}
LONG = re.compile(r"(?:\[|offset )(\d+)([smhdwy])")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}


def fits(query: str) -> bool:
    """Whether all windows and offsets of a query fit into 15 minutes."""
    return all(int(number) * SECONDS[unit] <= 900 for number, unit in LONG.findall(query))


def panel_queries(stage: Stage) -> Iterator[str]:
    """Yield the queries of all panels and annotations, of everything and of one service and two models."""
    intervals = {"__rate_interval": f"{RATE_SECONDS}s", "__interval": f"{RATE_SECONDS}s", "__range": "15m"}
    for text in dashboard_texts(stage.config).values():
        board: dict[str, Any] = json.loads(text)
        texts = [each["expr"] for panel in board["panels"] for each in panel.get("targets", ())]
        for query in (*texts, *(each["expr"] for each in board["annotations"]["list"])):
            for choices in (ALL, ONE):
                yield interpolate(query, {**choices, **intervals})


def rule_expressions(stage: Stage) -> Iterator[str]:
    """Yield the expressions of all rules."""
    for text in stage.rules.values():
        for group in yaml.safe_load(text)["groups"]:
            yield from (rule["expr"] for rule in group["rules"])


def test_equals_prometheus(stage: Stage) -> None:
    """At instants on samples, between them, and with samples on both edges of windows, all results are equal."""
    queries = [query for query in dict.fromkeys((*panel_queries(stage), *rule_expressions(stage))) if fits(query)]
    assert len(queries) > 250
    history = history_of(stage.prometheus, READ_SECONDS)
    (times,) = [source.times for source in history.sources if scripted.NAME in source.name]
    # Of the scripted service, and well before the newest: rules of that time may still be evaluated.
    before = times[-9:-25:-5]
    instants = [*before, *(time + 333 for time in before), before[1] + RATE_SECONDS * 500, before[0] + 1]
    compared = compare(stage.prometheus, history, queries, instants)
    assert not compared.wrong, "\n".join(compared.wrong[:20])
    assert compared.queries == len(queries) * len(instants)
    assert compared.series > 10_000
    print(f"{len(queries)} queries, {compared.queries} results, {compared.series} series, worst {compared.worst:g}")  # noqa: T201
