"""How often drift alerts fire without drift, and with a drift of known size: measured through the rendered rules.

`python -m tests.monitoring.rules.false_alarms` simulates the traffic of many models in one week and in the next, each a
label value of its own, and has promtool evaluate the rendered rules on it every quarter of an hour. It prints a row for
each number of bins or classes and each traffic, and exits with 1 if alarms without drift exceed 5 % of the hours in one
of them; `--write` puts the rows into docs/drift.md.
"""

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.loading import parse
from mlmetrics.monitoring.prometheus.files import server_files
from mlmetrics.monitoring.rules.alerts import drift_alerts
from mlmetrics.monitoring.rules.conditions import Drifted
from mlmetrics.monitoring.rules.drift import WEEK_SECONDS
from mlmetrics.monitoring.rules.promql import bound
from tests.monitoring.tools import PROMTOOL, run_tool, write

ALLOWED = 0.05
STEP_SECONDS = 900
STEPS_A_WEEK = round(WEEK_SECONDS) // STEP_SECONDS
STEPS_AN_HOUR = 3600 // STEP_SECONDS
SHIFTS = (0.0, 0.2, 0.3)
"""The PSI between the distributions of now and of a week ago, as they are before any sampling."""
STRONGEST = 60.0
DOCUMENT = Path(__file__).parents[3] / "docs" / "drift.md"
BEGIN, END = "<!-- false alarms: begin -->", "<!-- false alarms: end -->"
SERVICE = '[[service]]\nname = "s"\ntargets = ["h:1"]\n'
LOWEST = "[alert.MatchingScoreDrift]\nminimum = 170\n[alert.ParsingAccuracyDrift]\nminimum = 224\n"
"""The lowest numbers of scores that the configuration accepts for the default bounds."""
Shares = Any  # arrays of shares and of counts; NumPy's types do not express their shapes
Random = np.random.Generator


@dataclass(frozen=True)
class Subject:
    """What drifts: its alert, the label that tells trials apart, and the other labels of its series."""

    alert: str
    label: str
    others: str


MATCHING = Subject("MatchingScoreDrift", "matcher", 'service="s"')
PARSING = Subject("ParsingAccuracyDrift", "parser", 'service="s",doc_type="pdf"')
CLASSES = Subject("PredictedClassDrift", "model", 'service="s"')


@dataclass(frozen=True)
class Row:
    """One row of the table: so many bins or classes, with so many observations an hour a week ago and now."""

    subject: Subject
    bins: int
    then: int
    now: int
    settings: str = ""
    counts: dict[float, "Counts"] = field(default_factory=dict, compare=False)
    """By shift."""

    @property
    def name(self) -> str:
        """What the first column says."""
        what = "classes" if self.subject is CLASSES else "bins"
        return f"{self.bins} {what}{', lowest `minimum`' if self.settings else ''}"


@dataclass(frozen=True)
class Counts:
    """How many hours were simulated, at the end of how many the condition held, and in how many the alert fired."""

    hours: int
    over: int
    alarms: int


TRAFFIC = ((504, 504), (504, 20_000), (20_000, 20_000))
CLASS_TRAFFIC = ((104, 104), (504, 504), (504, 20_000), (5000, 5000))
ROWS = (
    *(Row(MATCHING, 10, *traffic) for traffic in TRAFFIC),
    *(Row(PARSING, 14, *traffic) for traffic in TRAFFIC),
    Row(MATCHING, 10, 172, 172, LOWEST),
    Row(PARSING, 14, 228, 228, LOWEST),
    *(Row(CLASSES, classes, *traffic) for classes in (2, 5, 20, 100) for traffic in CLASS_TRAFFIC),
)


def score_shapes(random: Random, bounds: Sequence[float]) -> Iterator[Shares]:
    """Yield the shares of bins for scores as models give them."""
    draws = 200_000
    beta = random.beta
    for scores in (
        random.uniform(size=draws),
        beta(8, 2, draws),  # most results are good
        beta(1.5, 12, draws),  # most are poor, with a long tail
        np.where(random.uniform(size=draws) < 0.4, beta(2, 8, draws), beta(9, 1.5, draws)),  # two kinds of results
        np.where(random.uniform(size=draws) < 0.97, 0.97, beta(2, 2, draws)),  # nearly constant
        random.choice([0.25, 0.5, 1.0], size=draws, p=[0.1, 0.3, 0.6]),  # few values
    ):
        yield np.histogram(scores, bins=[0.0, *bounds])[0] / draws


def class_shapes(random: Random, classes: int) -> Iterator[Shares]:
    """Yield the shares of classes: even ones, ones that fall off, a dominant one, and any."""
    yield np.full(classes, 1 / classes)
    for power in (1.0, 1.5):
        falling = 1 / np.arange(1, classes + 1) ** power
        yield falling / falling.sum()
    yield np.array([0.9, *[0.1 / (classes - 1)] * (classes - 1)])
    yield random.dirichlet(np.ones(classes))


def shifted(shares: Shares, psi: float) -> Shares:
    """Return shares at a PSI from these: the higher the bin, the more its share is raised (exponential tilting).

    Lower bins are raised where that takes less: of scores that are nearly all at the top, none can be higher.
    """
    if not psi:
        return shares
    places = np.arange(len(shares)) / len(shares)
    strength, way = min((_strength(shares, each, psi), index) for index, each in enumerate((places, places[::-1])))
    found = _tilted(shares, (places, places[::-1])[way], strength)
    assert abs(_psi(shares, found) - psi) < 1e-6, "no such shift of these shares"
    return found


def _strength(shares: Shares, places: Shares, psi: float) -> float:
    low, high = 0.0, STRONGEST
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _psi(shares, _tilted(shares, places, middle)) < psi else (low, middle)
    return high


def _tilted(shares: Shares, places: Shares, strength: float) -> Shares:
    raised = shares * np.exp(strength * (places - 1))
    return raised / raised.sum()


def _psi(then: Shares, now: Shares) -> float:
    used = (then > 0) & (now > 0)
    return float(np.sum((now[used] - then[used]) * np.log(now[used] / then[used])))


def measured(row: Row, hours: int, models: int, seed: int) -> Row:
    """Simulate so many hours of so many models of each shape, and fill in in how many of them alerts fired."""
    config = parse(SERVICE + row.settings)
    drifted = next(found for alert, found in drift_alerts(config) if alert.name == row.subject.alert)
    random = np.random.default_rng(seed)
    shapes = list(class_shapes(random, row.bins) if row.subject is CLASSES else score_shapes(random, drifted.bounds))
    for shift in SHIFTS:
        # Of a shift, half a day is enough: it is there in every hour.
        lasting = hours if not shift else min(hours, 12)
        series: list[dict[str, str]] = []
        for index, shares in enumerate(shapes):
            for model in range(models):
                drawn = [
                    random.multinomial(per_hour // STEPS_AN_HOUR, each, size=lasting * STEPS_AN_HOUR)
                    for per_hour, each in ((row.then, shares), (row.now, shifted(shares, shift)))
                ]
                series += _series(row.subject, drifted, f"{index}/{model}", drawn)
        over, alarms = _results(config, row.subject, drifted, series, lasting)
        row.counts[shift] = Counts(len(shapes) * models * (lasting - 1), over, alarms)
    return row


def _series(subject: Subject, drifted: Drifted, model: str, drawn: Sequence[Shares]) -> Iterator[dict[str, str]]:
    """Yield the counters of one model: they grow a week ago and now, and are not there between."""
    labels = f'{subject.label}="{model}",{subject.others},job="s",instance="h:1"'
    start = np.zeros((1, drawn[0].shape[1]), dtype=int)
    totals = np.cumsum(np.concatenate([start, drawn[0], start, drawn[1]]), axis=0)
    steps = len(drawn[0])
    if not drifted.bounds:
        for index, column in enumerate(totals.T):
            if column[-1]:
                yield _one(f'{drifted.metric}{{{labels},predicted_class="c{index}"}}', column, steps)
        return
    totals = np.cumsum(totals, axis=1)
    for upper, column in zip(drifted.bounds, totals.T, strict=True):
        yield _one(f'{drifted.metric}_bucket{{{labels},le="{bound(upper)}"}}', column, steps)
    yield _one(f"{drifted.metric}_count{{{labels}}}", totals.T[-1], steps)


def _one(name: str, column: Shares, steps: int) -> dict[str, str]:
    values, empty = [str(value) for value in column], STEPS_A_WEEK - steps - 1
    gap = [f"_x{empty}"] if empty > 0 else []
    return {"series": name, "values": " ".join([*values[: steps + 1], *gap, *values[steps + 1 :]])}


def _results(
    config: Config, subject: Subject, drifted: Drifted, series: Iterable[dict[str, str]], hours: int
) -> tuple[int, int]:
    """Return at the end of how many hours the condition held, and in how many hours the alert fired."""
    files = {
        f"{name}.yml": _only(server_files(config)[f"rules/{name}.yml"], subject, drifted)
        for name in ("drift", "alerts")
    }
    firing = f'ALERTS{{alertname="{subject.alert}",alertstate="firing",reference="week"}}'
    queries = [
        # The first hour has no full window before it.
        {"expr": expression, "eval_time": f"{(STEPS_A_WEEK + hour * STEPS_AN_HOUR) * STEP_SECONDS}s"}
        for hour in range(2, hours + 1)
        for expression in (f"count({drifted.expression('1h')})", f"count(max_over_time({firing}[45m]))")
    ]
    document = {
        "rule_files": list(files),
        "evaluation_interval": f"{STEP_SECONDS}s",
        "group_eval_order": [group["name"] for text in files.values() for group in yaml.safe_load(text)["groups"]],
        "tests": [{"interval": f"{STEP_SECONDS}s", "input_series": list(series), "promql_expr_test": queries}],
    }
    with tempfile.TemporaryDirectory() as folder:
        write({**files, "hours.test.yml": json.dumps(document)}, Path(folder))
        _, output = run_tool(PROMTOOL, "test", "rules", "hours.test.yml", folder=Path(folder))
    return _got(output)


def _only(rules: str, subject: Subject, drifted: Drifted) -> str:
    """Return the rules of one alert out of a rendered file: evaluating all the others would only take time."""
    groups = [
        {**group, "rules": [rule for rule in group["rules"] if rule.get("alert", subject.alert) == subject.alert]}
        for group in yaml.safe_load(rules)["groups"]
        if group["name"] in ("mlmetrics-alerts", f"mlmetrics-drift: {drifted.metric}")
    ]
    return json.dumps({"groups": groups})


def _got(output: str) -> tuple[int, int]:
    """Return the sums of what promtool got for both kinds of queries: it expects nothing, and says what there is."""
    if "err:" in output or not ("got:" in output or "SUCCESS" in output):
        raise AssertionError(output[:2000])
    over = alarms = 0
    for part in re.split(r"^ +expr: ", output, flags=re.MULTILINE)[1:]:
        found = round(float(re.search(r"got: \{\} (\S+)", part)[1]))  # type: ignore[index]  # a count is always one number
        if "max_over_time" in part:
            alarms += found
        else:
            over += found
    return over, alarms


def table(rows: Iterable[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "| bins or classes | an hour, then / now | hours | over the threshold | alarms | PSI 0.2 | PSI 0.3 |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        none = row.counts[0.0]
        rates = [none.over / none.hours, *(row.counts[shift].alarms / row.counts[shift].hours for shift in SHIFTS)]
        cells = " | ".join(f"{rate:.1%}" for rate in rates)
        lines.append(f"| {row.name} | {row.then:,} / {row.now:,} | {none.hours:,} | {cells} |")
    return "\n".join(lines)


def too_many(rows: Iterable[Row]) -> list[Row]:
    """Return the rows with more alarms without drift than are allowed."""
    return [row for row in rows if row.counts[0.0].alarms > ALLOWED * row.counts[0.0].hours]


def run(rows: Sequence[Row], hours: int, workers: int = 2) -> list[Row]:
    """Measure rows, with so many hours of two models of each shape; of one where there are many classes."""
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda at: measured(at[1], hours, 1 if at[1].bins > 20 else 2, at[0]), enumerate(rows)))


def write_table(text: str) -> None:
    """Put a table between its marks in docs/drift.md."""
    document = DOCUMENT.read_text(encoding="utf-8")
    before, rest = document.split(BEGIN)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}", encoding="utf-8")


def main() -> int:
    """Print the table; exit 1 if there are too many alarms without drift."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=int, default=48, help="how long each model is watched, at most a week")
    parser.add_argument("--write", action="store_true", help="also put the table into docs/drift.md")
    arguments = parser.parse_args()
    rows = run(ROWS, arguments.hours)
    sys.stdout.write(f"{table(rows)}\n{sum(row.counts[0.0].hours for row in rows):,} hours without drift\n")
    if arguments.write:
        write_table(table(rows))
    return 1 if too_many(rows) else 0


if __name__ == "__main__":
    sys.exit(main())
