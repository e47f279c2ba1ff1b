"""The page on a Prometheus: the same queries, sent to the server instead of evaluated here.

Ticks are instant queries, and the past of a view is a range query for each of its queries. The rules are those of the
project; what the server's own rules record is read there.
"""

import asyncio
import math
import time
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mlmetrics.live.alerts import Rules
from mlmetrics.live.api import Server, ServerMoment
from mlmetrics.live.data import PromQLError, Results
from mlmetrics.live.discovery import discovered
from mlmetrics.live.history import KEPT_SECONDS
from mlmetrics.live.models import BY, ERRORS, model_queries
from mlmetrics.live.target import Access
from mlmetrics.live.tiles import choices_of, tile_rows
from mlmetrics.live.views import View, ViewState
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.durations import parse_seconds

CONNECTIONS = 4
STEP_SECONDS = 5
LOOK_SECONDS = 30.0
"""How often the server is asked which metrics and targets it has, and which alerts would fire."""
_SCRAPES_OF_A_RATE = 4
_LAST_ERRORS = f"sum by ({', '.join(BY)}, error_type) (increase({ERRORS}[15m])) > 0"


class PrometheusReader:
    """Reads a Prometheus, and knows the views."""

    def __init__(self, url: str, access: Access, config: Config | None) -> None:
        self._server = Server(url, access)
        self._given = config
        self._config = config
        self._threads = ThreadPoolExecutor(CONNECTIONS, "mlmetrics-live-prometheus")
        self._views: dict[View, ViewState] = {}
        self._rules: Rules | None = None
        self._names: frozenset[str] = frozenset()
        self._rate_seconds = 60.0
        self._looked = -math.inf
        self._known: object = None
        self._lists: dict[str, list[str]] = {"services": [], "all_models": []}
        self._targets: list[dict[str, Any]] = []

    async def answers(self) -> ServerMoment | str:
        """Return the results of all queries now, or why there are none."""
        return await asyncio.get_running_loop().run_in_executor(None, self._answered)

    def step(self, answer: ServerMoment | str) -> bool:
        """Take results over; return whether viewers need all data again."""
        if isinstance(answer, str):
            self._targets = [{"url": self._server.url, "up": False, "why": answer, "samples": 0, "seconds": 0}]
            empty = ServerMoment(round(time.time() * 1000), {}, lambda _query, _at: [])
            for state in self._views.values():
                state.tick(empty)
            return False
        is_new = self._configured()
        errors = self._last_errors(answer)
        for state in self._views.values():
            state.tick(answer)
            state.tabulate(answer, errors)
        if self._rules is not None:
            self._rules.evaluate(answer)
        return is_new

    def open(self, view: View) -> None:
        """Make a view, with its past."""
        if view not in self._views:
            self._views[view] = made = self._made(view)
            self._fill(made)

    def forget(self, view: View) -> None:
        """Forget a view."""
        self._views.pop(view, None)

    def layout(self, view: View) -> dict[str, Any]:
        """Return the declarations of the tiles of a view."""
        return self._views[view].layout()

    def data(self, view: View, last: int | None) -> dict[str, Any]:
        """Return the data of a view, of all times or of the last only."""
        alerts = self._rules.shown(self._names.__contains__) if self._rules is not None else []
        return self._views[view].data({"alerts": alerts, "targets": self._targets, **self._lists}, last)

    def close(self) -> None:
        """End all threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._server.close()

    def _answered(self) -> ServerMoment | str:
        try:
            if time.monotonic() - self._looked > LOOK_SECONDS or not self._names:
                self._look()
                self._looked = time.monotonic()
            at = round(time.time() * 1000)
            queries = {query for state in list(self._views.values()) for query in state.queries()}
            rules = self._rules.queries() if self._rules is not None else []
            return ServerMoment(at, self._all({*queries, *rules, _LAST_ERRORS}, at), self._ask)
        except PromQLError as error:
            return str(error)

    def _all(self, queries: Collection[str], at: int) -> dict[str, Results]:
        """Return the results of queries, asked for at the same time; one that is refused has none."""

        def one(query: str) -> Results:
            try:
                return self._ask(query, at)
            except PromQLError:
                return []

        return dict(zip(queries, self._threads.map(one, queries), strict=True))

    def _ask(self, query: str, at: int) -> Results:
        found = self._server.get("query", query=query, time=f"{at / 1000:.3f}")
        if found["resultType"] == "scalar":
            return [((), float(found["result"][1]))]
        return [(tuple(sorted(each["metric"].items())), float(each["value"][1])) for each in found["result"]]

    def _look(self) -> None:
        """See which metrics, targets and choices the server has."""
        start = f"{time.time() - KEPT_SECONDS:.0f}"
        self._names = frozenset(self._server.get("label/__name__/values", start=start))
        counters = '{__name__=~"fastapi_requests_total|ml_.+_total"}'
        values = {
            label: self._server.get(f"label/{label}/values", **{"match[]": counters, "start": start})
            for label in ("service", "model")
        }
        self._lists = {"services": sorted(values["service"]), "all_models": sorted(values["model"])}
        ours = {
            dict(labels).get("job", "") for labels, _ in self._ask("mlmetrics_build_info", round(time.time() * 1000))
        }
        jobs = ours | set(self._given.jobs if self._given is not None else ())
        active = self._server.get("targets", state="active")["activeTargets"]
        shown = [each for each in active if each["labels"]["job"] in jobs]
        self._targets = [_state(each) for each in shown]
        intervals = [parse_seconds(each["scrapeInterval"]) for each in shown if each.get("scrapeInterval")]
        self._rate_seconds = _SCRAPES_OF_A_RATE * max(intervals, default=15.0)
        places = sorted((each["labels"]["job"], each["labels"]["instance"]) for each in shown)
        if self._given is None:
            self._config = discovered(self._names, self._labels, places)

    def _labels(self, name: str) -> list[str]:
        found = self._ask(name, round(time.time() * 1000))
        return [label for label, _ in found[0][0] if label != "__name__"] if found else []

    def _configured(self) -> bool:
        """Make rules and views for the metrics that are there now; return whether a layout has changed."""
        known = self._names, self._rate_seconds, self._config and (self._config.services, self._config.operations)
        if known == self._known or self._config is None:
            return False
        self._known = known
        rules = Rules(self._config, math.inf)
        if self._rules is not None:
            rules.take_over(self._rules)
        self._rules = rules
        changed = False
        for view, before in list(self._views.items()):
            after = self._made(view)
            if after.layout() == before.layout():
                after.take_over(before)
            else:
                self._fill(after)
                changed = True
            self._views[view] = after
        return changed

    def _made(self, view: View) -> ViewState:
        config = self._config or discovered((), lambda _name: (), ())
        rate, span = self._rate_seconds, float(KEPT_SECONDS)
        choices = choices_of(config, view.service, view.model, rate_seconds=rate, range_seconds=span)
        has = self._names.__contains__
        return ViewState(view, config.title, tile_rows(config, choices, has), model_queries(config, choices, has))

    def _fill(self, state: ViewState) -> None:
        """Ask for the past of a view: a range query for each of its queries."""
        end = int(time.time()) // STEP_SECONDS * STEP_SECONDS
        window = {"start": str(end - KEPT_SECONDS), "end": str(end), "step": str(STEP_SECONDS)}
        past: dict[int, dict[str, Results]] = {}

        def one(query: str) -> tuple[str, list[dict[str, Any]]]:
            try:
                return query, self._server.get("query_range", query=query, **window)["result"]
            except PromQLError:
                return query, []

        queries = [each.text for tile in state.tiles for each in tile.queries]
        for query, found in self._threads.map(one, queries):
            for series in found:
                labels = tuple(sorted(series["metric"].items()))
                for at, text in series["values"]:
                    past.setdefault(round(at * 1000), {}).setdefault(query, []).append((labels, float(text)))
        for at in sorted(past):
            state.tick(ServerMoment(at, past[at], lambda _query, _at: []))

    def _last_errors(self, moment: ServerMoment) -> dict[tuple[str, ...], str]:
        """Return the error type of each model that grew most in the last quarter of an hour."""
        most: dict[tuple[str, ...], tuple[float, str]] = {}
        for labels, grown in moment.results(_LAST_ERRORS):
            texts = dict(labels)
            key = tuple(texts.get(name, "") for name in BY)
            most[key] = max(most.get(key, (0.0, "")), (grown, texts.get("error_type", "")))
        return {key: kind for key, (_, kind) in most.items()}


def _state(target: Mapping[str, Any]) -> dict[str, Any]:
    is_up = target["health"] == "up"
    seconds = float(f"{target.get('lastScrapeDuration', 0):.3g}")
    why = "" if is_up else target.get("lastError") or "Prometheus has not read it yet"
    return {"url": target["scrapeUrl"], "up": is_up, "why": why, "samples": 0, "seconds": seconds}
