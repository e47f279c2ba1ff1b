"""The page on a Prometheus: the same queries, sent to the server instead of evaluated here.

Ticks are instant queries, and the past of a view is a range query for each of its queries. Alerts are those of the
server if it has loaded the rules; else its data is compared with the rules of the project.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from mlmetrics.live.api import Server, ServerError, ServerMoment
from mlmetrics.live.data import PromQLError, Results, results_of
from mlmetrics.live.history import KEPT_SECONDS
from mlmetrics.live.known import Known, look
from mlmetrics.live.loaded import loaded_rules
from mlmetrics.live.models import BY, ERRORS, model_queries
from mlmetrics.live.rules import Rules
from mlmetrics.live.target import Access
from mlmetrics.live.tiles import choices_of, tile_rows
from mlmetrics.live.views import View, ViewState
from mlmetrics.monitoring.config import Config

CONNECTIONS = 4
STEP_SECONDS = 5
LOOK_SECONDS = 15.0
"""How often the server is asked which metrics, targets and rules it has, and how near to firing alerts are."""
PATIENCE_SECONDS = 8.0
"""How long all queries of one kind may take together."""
_LAST_ERRORS = f"sum by ({', '.join(BY)}, error_type) (increase({ERRORS}[15m])) > 0"
_Result = TypeVar("_Result")


@dataclass(slots=True)
class _Asked(Generic[_Result]):
    """So many queries that were asked: the results, and why others have none."""

    count: int
    results: dict[str, _Result] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def trouble(self) -> str:
        """What a viewer is told about those that have none."""
        if not self.failed:
            return ""
        return f"{len(self.failed)} of {self.count} queries have no answer: {next(iter(self.failed.values()))}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server has answered, None if it cannot be asked, what is known about it, and what is wrong."""

    moment: ServerMoment | None = None
    known: Known = field(default_factory=Known)
    rules: Rules | None = None
    trouble: str = ""


class PrometheusReader:
    """Reads a Prometheus, and knows the views."""

    def __init__(self, url: str, access: Access, config: Config | None) -> None:
        self._server = Server(url, access)
        self._given = config
        self._threads = ThreadPoolExecutor(CONNECTIONS, "mlmetrics-live-prometheus")
        self._views: dict[View, ViewState] = {}
        self._last = Answer()
        self._looked = -math.inf
        self._shape: object = None

    async def answers(self) -> Answer:
        """Return the results of all queries now, or why there are none."""
        return await asyncio.get_running_loop().run_in_executor(None, self._answered)

    def step(self, answer: Answer) -> bool:
        """Take results over; return whether viewers need all data again."""
        self._last = answer
        moment = answer.moment
        if moment is None:
            for rule in answer.rules.alerting if answer.rules is not None else ():
                rule.why = answer.trouble
            empty = ServerMoment(round(time.time() * 1000), {}, {})
            for state in self._views.values():
                state.tick(empty)
            return False
        is_new = self._reshape()
        errors = _last_errors(moment)
        for state in self._views.values():
            if moment.has(state.queries()):  # one that was opened meanwhile has its past until now
                state.tick(moment)
                state.tabulate(moment, errors)
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
        known, rules = self._last.known, self._last.rules
        alerts = rules.shown(known.names.__contains__) if rules is not None else []
        return self._views[view].data({"alerts": alerts, "targets": self._targets(), **known.choices}, last)

    def close(self) -> None:
        """End all connections, and with them all that is asked or waits to be."""
        self._server.close()
        self._threads.shutdown(wait=False)

    def _targets(self) -> list[dict[str, Any]]:
        """Return the targets, after the server itself if there is something to say about it."""
        is_up, why = self._last.moment is not None, self._last.trouble
        server = {"url": self._server.url, "up": is_up, "why": why, "samples": 0, "seconds": 0}
        return [server, *self._last.known.targets] if why else self._last.known.targets

    def _answered(self) -> Answer:
        known, rules, trouble = self._last.known, self._last.rules, ""
        try:
            if time.monotonic() - self._looked > LOOK_SECONDS or self._last.moment is None:
                known = look(self._server, self._now, self._given)
                rules, trouble = self._rules(known, rules)
                self._looked = time.monotonic()
            at = round(time.time() * 1000)
            queries = {query for state in list(self._views.values()) for query in state.queries()}
            asked = self._instants({*queries, _LAST_ERRORS}, at)
        except (ServerError, PromQLError) as error:
            return Answer(None, known, rules, str(error))
        return Answer(ServerMoment(at, asked.results, asked.failed), known, rules, asked.trouble or trouble)

    def _rules(self, known: Known, before: Rules | None) -> tuple[Rules, str]:
        """Return the rules of the server or, if it has none of ours, those of the project on its data; and what failed.

        A server says which alerts there are, but not how near the others are.
        """
        loaded = loaded_rules(known.groups, known.config)
        rules = loaded or Rules(known.config, math.inf)
        if not loaded and before is not None:
            rules.take_over(before)
        shown = [each for each in rules.alerting if rules.is_recorded(each, known.names.__contains__)]
        queries = {each.threshold.query for each in shown if each.threshold is not None}
        if not loaded:
            queries |= {each.rule.expression for each in shown}
        at = round(time.time() * 1000)
        asked = self._instants(queries, at)
        moment = ServerMoment(at, asked.results, asked.failed)
        for each in shown:
            if not loaded:
                each.evaluate(moment)
            else:
                with contextlib.suppress(PromQLError):
                    each.compare(moment)
        return rules, asked.trouble

    def _instants(self, queries: Collection[str], at: int) -> _Asked[Results]:
        return self._all(lambda query: self._instant(query, at), queries)

    def _now(self, query: str) -> Results:
        return self._instant(query, round(time.time() * 1000))

    def _instant(self, query: str, at: int) -> Results:
        found = self._server.get("query", query=query, time=f"{at / 1000:.3f}")
        if found["resultType"] == "scalar":
            return [((), float(found["result"][1]))]
        return [(tuple(sorted(each["metric"].items())), float(each["value"][1])) for each in found["result"]]

    def _all(self, ask: Callable[[str], _Result], queries: Collection[str]) -> _Asked[_Result]:
        """Return the results of queries, several at a time.

        Raises:
            ServerError: None of them has an answer.
        """
        asked = {query: self._threads.submit(ask, query) for query in queries}
        _, late = wait(asked.values(), PATIENCE_SECONDS)
        found: _Asked[_Result] = _Asked(len(asked))
        is_answered = not asked
        for query, each in asked.items():
            if each in late:
                each.cancel()
                found.failed[query] = f"no answer within {PATIENCE_SECONDS:g} s; is it busy?"
            elif error := each.exception():
                found.failed[query] = str(error)
                is_answered = is_answered or isinstance(error, PromQLError)
            else:
                found.results[query] = each.result()
        if not found.results and not is_answered:
            raise ServerError(next(iter(found.failed.values())))
        return found

    def _reshape(self) -> bool:
        """Make views for the metrics that are there now; return whether a layout has changed."""
        config = self._last.known.config
        shape = self._last.known.names, self._last.known.rate_seconds, config.services, config.operations
        if shape == self._shape:
            return False
        self._shape = shape
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
        config, has = self._last.known.config, self._last.known.names.__contains__
        rate, span = self._last.known.rate_seconds, float(KEPT_SECONDS)
        choices = choices_of(config, view.service, view.model, rate_seconds=rate, range_seconds=span)
        return ViewState(view, config.title, tile_rows(config, choices, has), model_queries(config, choices, has))

    def _fill(self, state: ViewState) -> None:
        """Ask for the past of a view, a range query for each of its queries, and for its table."""
        end = int(time.time()) // STEP_SECONDS * STEP_SECONDS
        window = {"start": str(end - KEPT_SECONDS), "end": str(end), "step": str(STEP_SECONDS)}

        def ranged(query: str) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = self._server.get("query_range", query=query, **window)["result"]
            return found

        try:
            found = self._all(ranged, {each.text for tile in state.tiles for each in tile.queries})
            table = self._instants({*state.models.keys(), _LAST_ERRORS}, end * 1000)
        except ServerError:
            return  # which the next tick tells
        past: dict[int, dict[str, Results]] = {}
        for query, every in found.results.items():
            for series in every:
                labels = tuple(sorted(series["metric"].items()))
                for at, text in series["values"]:
                    past.setdefault(round(at * 1000), {}).setdefault(query, []).append((labels, float(text)))
        for at in sorted(past):
            state.tick(ServerMoment(at, past[at], {}))
        moment = ServerMoment(end * 1000, table.results, table.failed)
        state.tabulate(moment, _last_errors(moment))


def _last_errors(moment: ServerMoment) -> dict[tuple[str, ...], str]:
    """Return the error type of each model that grew most in the last quarter of an hour."""
    most: dict[tuple[str, ...], tuple[float, str]] = {}
    for labels, grown in results_of(moment, _LAST_ERRORS):
        texts = dict(labels)
        key = tuple(texts.get(name, "") for name in BY)
        most[key] = max(most.get(key, (0.0, "")), (grown, texts.get("error_type", "")))
    return {key: kind for key, (_, kind) in most.items()}
