"""Ask a running Prometheus everything that the dashboards ask, and print panel x series x milliseconds.

`python -m mlmetrics.monitoring.verify.panels URL [DASHBOARD.json ...]`
"""

import argparse
import json
import math
import re
import sys
import time
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.verify.interpolation import Choice, interpolate
from mlmetrics.monitoring.verify.metrics_page import fetch

LIMIT_MILLISECONDS = 200.0
STEPS = 120
_LABEL_VALUES = re.compile(r"label_values\((?:(.+), )?(\w+)\)")
FOLDER = Path("grafana/dashboards")


@dataclass(frozen=True, slots=True)
class Answer:
    """What Prometheus said to one query: `series` with a number in them, or an `error`.

    `empty` is what the panel says when there is nothing to show; without it there must be something.
    """

    dashboard: str
    panel: str
    query: str
    series: int
    milliseconds: float
    empty: str = ""
    error: str = ""

    def complaint(self, limit_milliseconds: float) -> str:
        """Return what is wrong with the answer, if anything is."""
        if self.error:
            return self.error
        if self.milliseconds > limit_milliseconds:
            return f"slower than {limit_milliseconds:g} ms"
        return "" if self.series or self.empty else "no data"


@dataclass(frozen=True, slots=True)
class Server:
    """A Prometheus, asked as Grafana asks: over the last `span_seconds`, rates over `rate_interval`."""

    url: str
    span_seconds: float = 3600.0
    rate_interval: str = "1m"

    def answer(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer.

        Raises:
            ConfigurationError: Prometheus refuses the query, or does not answer.
        """
        body, _ = fetch(f"{self.url.rstrip('/')}/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
        return json.loads(body)["data"]

    def series(self, query: str, *, instant: bool) -> int:
        """Return how many series of a query have a number."""
        if instant:
            found = self.answer("query", query=query)["result"]
            return sum(_is_number(each["value"][1]) for each in found)
        end = time.time()
        step = max(self.span_seconds / STEPS, 1.0)
        window = {"start": f"{end - self.span_seconds:.3f}", "end": f"{end:.3f}", "step": f"{step:g}"}
        found = self.answer("query_range", query=query, **window)["result"]
        return sum(any(_is_number(text) for _, text in each["values"]) for each in found)

    def label_values(self, query: str) -> list[str]:
        """Return the values that a variable's query offers."""
        match = _LABEL_VALUES.fullmatch(query)
        if match is None:
            message = f"{query}: expected label_values(selector, label)"
            raise ConfigurationError(message)
        chosen = {"match[]": match[1]} if match[1] else {}
        start = {"start": f"{time.time() - self.span_seconds:.3f}"}
        values: list[str] = self.answer(f"label/{match[2]}/values", **chosen, **start)
        return values

    def intervals(self) -> dict[str, Choice]:
        """Return the variables that Grafana itself sets."""
        span = f"{self.span_seconds:.0f}s"
        return {"__rate_interval": self.rate_interval, "__interval": self.rate_interval, "__range": span}


def _is_number(text: str) -> bool:
    return not math.isnan(float(text))


def probe(server: Server, dashboard: Mapping[str, Any], *, pick: bool = False) -> Iterator[Answer]:
    """Ask every variable, annotation and panel of a dashboard; variables at All, or `pick`ed: every value by name."""
    title, choices = dashboard["title"], server.intervals()
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            query = interpolate(variable["query"]["query"], choices)
            values, answer = _values(server, title, f"${variable['name']}", query)
            choices[variable["name"]] = values if pick and values else variable["allValue"]
            yield answer
    for annotation in dashboard["annotations"]["list"]:
        query = interpolate(annotation["expr"], choices)
        yield _ask(server, title, f"@ {annotation['name']}", query, empty="Nothing of the kind has happened")
    for panel in dashboard["panels"]:
        empty = panel.get("fieldConfig", {}).get("defaults", {}).get("noValue", "")
        for target in panel.get("targets", []):
            query = interpolate(target["expr"], choices)
            yield _ask(server, title, panel["title"], query, instant=target.get("instant", False), empty=empty)


def _values(server: Server, title: str, name: str, query: str) -> tuple[list[str], Answer]:
    start = time.perf_counter()
    try:
        values = server.label_values(query)
    except ConfigurationError as error:
        return [], Answer(title, name, query, 0, _since(start), error=str(error))
    # A grouping's label may be missing, and an objective is declared by those who want one.
    optional = "" if name in ("$job", "$service", "$instance") else "Nobody has such a label yet"
    return values, Answer(title, name, query, len(values), _since(start), optional)


def _ask(server: Server, title: str, panel: str, query: str, *, instant: bool = False, empty: str = "") -> Answer:
    start = time.perf_counter()
    try:
        series = server.series(query, instant=instant)
    except ConfigurationError as error:
        return Answer(title, panel, query, 0, _since(start), empty, str(error))
    return Answer(title, panel, query, series, _since(start), empty)


def _since(start: float) -> float:
    return (time.perf_counter() - start) * 1000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 1 if an answer is wrong, empty without a reason, or slow."""
    parser = argparse.ArgumentParser(description="Ask a running Prometheus everything that the dashboards ask.")
    parser.add_argument("url", help="such as http://127.0.0.1:9090")
    parser.add_argument("files", nargs="*", type=Path, help=f"dashboards; {FOLDER}/*.json by default")
    parser.add_argument("--span", type=float, default=3600.0, help="seconds to look back (3600)")
    parser.add_argument("--rate-interval", default="1m", help="what stands for $__rate_interval (1m)")
    parser.add_argument("--limit", type=float, default=LIMIT_MILLISECONDS, help="milliseconds for a query (200)")
    parser.add_argument("--pick", action="store_true", help="choose every value by name instead of All")
    parser.add_argument("--json", action="store_true", help="print a list that programs can read")
    chosen = parser.parse_args(arguments)
    server = Server(chosen.url, chosen.span, chosen.rate_interval)
    files = chosen.files or sorted(FOLDER.glob("*.json"))
    boards = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    answers = [answer for board in boards for answer in probe(server, board, pick=chosen.pick)]
    text = json.dumps([asdict(answer) for answer in answers], indent=2) if chosen.json else table(answers, chosen.limit)
    sys.stdout.write(f"{text}\n")
    return 1 if not answers or any(answer.complaint(chosen.limit) for answer in answers) else 0


def table(answers: Sequence[Answer], limit_milliseconds: float = LIMIT_MILLISECONDS) -> str:
    """Return the answers as lines: panel, series, milliseconds, and what there is to say."""
    lines = []
    previous = ""
    for answer in answers:
        if answer.dashboard != previous:
            lines.append(f"\n{answer.dashboard}")
            previous = answer.dashboard
        wrong = answer.complaint(limit_milliseconds)
        said = f"WRONG: {wrong}" if wrong else "" if answer.series else f"empty: {answer.empty}"
        lines.append(f"  {answer.panel:42} {answer.series:5} series {answer.milliseconds:7.1f} ms  {said}".rstrip())
    complaints = sum(bool(answer.complaint(limit_milliseconds)) for answer in answers)
    empty = sum(not answer.series and not answer.complaint(limit_milliseconds) for answer in answers)
    slowest = max((answer.milliseconds for answer in answers), default=0.0)
    lines.append(f"\n{len(answers)} queries, {complaints} wrong, {empty} empty with a reason, slowest {slowest:.0f} ms")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
