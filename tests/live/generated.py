"""A feed whose numbers are made of waves instead of targets, so that a test knows what the page has to show."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from mlmetrics.live.feed import Feed, View

START = 1_732_900_000_000
"""The time of the first tick, in milliseconds; a whole number of ticks is 15 minutes later."""
STEP = 2_000
SERVICES = ("cv-parser-service", "job-parser-service", "matching-service")
MODELS = (
    *("gpt-5-mini", "claude-sonnet-4", "gemini-2-flash", "llama-4-8b", "mistral-small", "e5-large"),
    *("distilbert-ner", "bge-reranker", "layoutlm-v3", "gpt-5-mini-v2", "xgb-score", "all-MiniLM-L6-v2"),
)
ERRORS = ("", "TimeoutError", "RateLimitError", "ValueError")
SCORES = (*(f"{n / 10:g}" for n in range(1, 10)), "1", "+Inf")
SECONDS = ("0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "20", "30", "60", "+Inf")
Tick = dict[str, Any]


def wave(step: int, middle: float, swing: float, period: float, shift: float = 0.0) -> float:
    """Return a number that goes up and down, with a small part that looks like chance."""
    noise = math.sin(step * 12.9898 + shift * 78.233) * 43758.5453 % 1 - 0.5
    value = middle + swing * math.sin(step / period + shift) + swing * 0.25 * noise
    return float(f"{max(0.0, value):.5g}")


def tile(
    kind: str, title: str, unit: str, *, description: str = "", threshold: float = 0.0, alert: str = "", **more: Any
) -> Tick:
    """Return the declaration of a tile."""
    slug = title.lower().replace(" ", "-").replace("(", "").replace(")", "")
    told_by = {"alert": alert, "value": abs(threshold), "above": threshold > 0, "of_limit": False}
    text = description or f"What {title.lower()} means, in a sentence."
    told = {"id": slug, "kind": kind, "title": title, "description": text, "unit": unit}
    return {**told, "threshold": told_by if threshold else None, "empty": "", "stacked": False, **more}


STATS: dict[str, tuple[Tick, tuple[float, float, float]]] = {
    each["id"]: (each, shape)
    for each, shape in (
        (tile("stat", "Requests", "reqps"), (96.4, 18.0, 9.0)),
        (tile("stat", "Errors", "percentunit", threshold=0.05), (0.0119, 0.003, 4.0)),
        (tile("stat", "Response time p95", "s", threshold=5.0), (0.872, 0.2, 30.0)),
        (tile("stat", "Inferences", "reqps"), (193.0, 20.0, 7.0)),
        (tile("stat", "Inference success", "percentunit", threshold=-0.9), (0.976, 0.006, 5.0)),
        (tile("stat", "In progress", "short"), (30.0, 8.0, 6.0)),
        (tile("stat", "Tokens", "reqps"), (272_000.0, 20_000.0, 8.0)),
        (tile("stat", "Cost an hour", "currencyUSD"), (1380.0, 90.0, 11.0)),
    )
}
CHARTS: dict[str, Sequence[tuple[Tick, str, tuple[float, float, float]]]] = {
    "API": (
        (tile("timeseries", "API request rate", "reqps"), "service", (32.0, 11.0, 9.0)),
        (tile("timeseries", "Response time (95th percentile)", "s", threshold=5.0), "service", (0.9, 0.1, 20.0)),
        (
            tile("timeseries", "Error rate per service", "percentunit", threshold=0.05, alert="HighErrorRate"),
            "service",
            (0.02, 0.02, 17.0),
        ),
    ),
    "Models": (
        (tile("timeseries", "Inference duration", "s", threshold=30.0), "quantile", (1.4, 0.08, 15.0)),
        (tile("timeseries", "Outcomes", "reqps", stacked=True), "outcome", (60.0, 8.0, 7.0)),
        (tile("timeseries", "Inference success rate", "percentunit", threshold=-0.9), "model", (0.97, 0.015, 12.0)),
        (tile("timeseries", "First chunk", "s", empty="No model streamed in this time"), "none", (0, 0, 1)),
        (tile("heatmap", "Latency", "s"), "seconds", (2.0, 1.0, 30.0)),
        (tile("table", "Versions", "short", description="Models and versions that are loaded."), "model", (3, 0, 1)),
    ),
    "Quality": ((tile("heatmap", "Distribution of matching scores", "short"), "score", (0.65, 0.2, 25.0)),),
    "Surroundings": (
        (tile("timeseries", "Memory", "bytes"), "service", (420e6, 9e6, 40.0)),
        (tile("timeseries", "Processor in use", "percentunit", threshold=0.8), "service", (0.34, 0.1, 14.0)),
    ),
}
COLUMNS = [
    {"id": name, "title": title, "unit": unit}
    for name, title, unit in (
        *(("model", "Model", ""), ("service", "Service", ""), ("operation", "Operation", "")),
        *(("calls", "Calls", "reqps"), ("success", "Success", "percentunit"), ("p50", "p50", "s"), ("p95", "p95", "s")),
        *(("tokens", "Tokens", "reqps"), ("cost", "Cost an hour", "currencyUSD"), ("error", "Last error", "")),
    )
]
ALERTS = (
    {"name": "HighAPIResponseTime", "unit": "s", "threshold": 5.0, "value": 0.87, "operator": ">"},
    {"name": "HighErrorRate", "unit": "percentunit", "threshold": 0.05, "value": 0.012, "operator": ">"},
    {"name": "SlowMLInference", "unit": "s", "threshold": 30.0, "value": 2.3, "operator": ">"},
    {"name": "HighMLFailureRate", "unit": "percentunit", "threshold": 0.1, "value": 0.024, "operator": ">"},
    {"name": "HighMemoryUsage", "unit": "percentunit", "threshold": 0.9, "value": 0.41, "operator": ">"},
)
UNKNOWN = ("ErrorBudgetBurn", "PredictionDrift")


def _numbered(names: Sequence[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(names)}


class GeneratedFeed(Feed):
    """Ticks of two seconds, given when a test asks for the next one, or by themselves every `seconds`.

    `change` is applied to each tick before it is sent; what a test puts there is what the page gets.
    """

    def __init__(self, *, past: int = 450, seconds: float = 0.0, start: int = START) -> None:
        self.services: Sequence[str] = SERVICES
        self.models: Sequence[str] = MODELS
        self.charts = CHARTS
        self.stats = STATS
        self.change: Callable[[Tick], None] = lambda tick: None
        self.start_time = start
        self.step = past
        self.viewers = 0
        self._seconds = seconds
        self._past = past
        self._news: list[tuple[str, int]] = []
        self._changed = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: asyncio.Task[None] | None = None
        self._made: dict[tuple[View, int], Tick] = {}
        self._sent: dict[tuple[View, int], bytes] = {}

    async def start(self) -> None:
        """Begin to make ticks."""
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        if self._seconds:
            self._running = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End the iterators."""
        if self._running:
            self._running.cancel()
        self._say("end")

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            self._say("tick")

    def tick(self) -> None:
        """Send the next tick to all viewers; any thread may call it."""
        assert self._loop is not None, "the feed has not been started"
        self._loop.call_soon_threadsafe(self._say, "tick")

    def change_layout(self) -> None:
        """Say that the layout has changed."""
        assert self._loop is not None, "the feed has not been started"
        self._loop.call_soon_threadsafe(self._say, "layout")

    def end(self) -> None:
        """End the iterators, as a server that stops does."""
        assert self._loop is not None, "the feed has not been started"
        self._loop.call_soon_threadsafe(self._say, "end")

    def _say(self, kind: str) -> None:
        self.step += kind == "tick"
        self._news.append((kind, self.step))
        self._changed.set()
        self._changed = asyncio.Event()

    def jump(self, milliseconds: int) -> None:
        """Set the clock forward or back."""
        self.start_time += milliseconds
        self.forget()

    def forget(self) -> None:
        """Make all ticks anew, as a server does that was started again."""
        self._made.clear()
        self._sent.clear()

    @property
    def time(self) -> int:
        """The time of the newest tick."""
        return self.start_time + self.step * STEP

    @property
    def newest(self) -> Tick:
        """The newest tick of the view of everything."""
        return self.ago(0)

    def ago(self, ticks: int) -> Tick:
        """Return a past tick of the view of everything."""
        return self.at(View(), self.step - ticks)

    async def layout(self, view: View) -> bytes:
        """Return the declarations."""
        rows = [{"title": "Now", "tiles": [each for each, _ in self.stats.values()]}] if self.stats else []
        rows += [{"title": title, "tiles": [each for each, *_ in tiles]} for title, tiles in self.charts.items()]
        return json.dumps({"title": "mlmetrics live", "rows": rows, "columns": COLUMNS}).replace("</", "<\\/").encode()

    async def events(self, view: View) -> AsyncIterator[bytes]:
        """Yield the history, and then what is new."""
        self.viewers += 1
        try:
            told = len(self._news)
            yield self._block("history", view, self.step)
            while True:
                waiting = self._changed
                if told == len(self._news):
                    await waiting.wait()
                for kind, step in self._news[told:]:
                    told += 1
                    if kind == "end":
                        return
                    yield self._block(kind, view, step)
        finally:
            self.viewers -= 1

    def _block(self, kind: str, view: View, step: int) -> bytes:
        if kind == "layout":
            return b"event: layout\ndata: {}\n\n"
        key = view, step if kind == "tick" else -step - 1
        if key not in self._sent:
            data = self.at(view, step) if kind == "tick" else self.past(view, step)
            text = json.dumps(data, separators=(",", ":"))
            self._sent = {key: f"event: {kind}\nid: {data['times'][-1]}\ndata: {text}\n\n".encode()}
        return self._sent[key]

    def past(self, view: View, step: int) -> Tick:
        """Return the ticks up to one, in the form of one."""
        ticks = [self.at(view, each) for each in range(step - self._past + 1, step + 1)]
        tiles: dict[str, Any] = {}
        for slug, newest in ticks[-1]["tiles"].items():
            column = [each["tiles"].get(slug) for each in ticks]
            if "bounds" in newest:
                buckets = [each and each["buckets"][0] for each in column]
                tiles[slug] = {"bounds": newest["bounds"], "buckets": buckets}
                continue
            known = [{s["name"]: s["values"][0] for s in each["series"]} if each else {} for each in column]
            names = dict.fromkeys(name for each in known for name in each)
            tiles[slug] = {"series": [{"name": n, "values": [each.get(n) for each in known]} for n in names]}
        return {**ticks[-1], "times": [each["times"][0] for each in ticks], "tiles": tiles}

    def at(self, view: View, step: int) -> Tick:
        """Return one tick, which stays as it was when it was first asked for."""
        if (view, step) not in self._made:
            self._made[view, step] = self._make(view, step)
        return self._made[view, step]

    def _make(self, view: View, step: int) -> Tick:
        services = [each for each in self.services if view.service in ("", each)]
        tiles: dict[str, Any] = {}
        for number, (slug, (_, shape)) in enumerate(self.stats.items()):
            tiles[slug] = {"series": [{"name": "", "values": [wave(step, *shape, number)]}]}
        for declared in self.charts.values():
            for each, by, shape in declared:
                tiles[each["id"]] = self._values(step, by, shape, services, view)
        tick = {
            "times": [self.start_time + step * STEP],
            "tiles": tiles,
            "models": self._rows(step, view),
            "alerts": self._alerts(services),
            "targets": self._targets(),
            "services": list(self.services),
            "all_models": list(self.models),
        }
        self.change(tick)
        return tick

    def _values(
        self, step: int, by: str, shape: tuple[float, float, float], services: Sequence[str], view: View
    ) -> dict[str, Any]:
        middle, swing, period = shape
        if by in {"score", "seconds"}:
            bounds = SCORES if by == "score" else SECONDS
            at = wave(step, middle, swing, period) * (len(bounds) - 1) / (1 if by == "score" else len(bounds) / 2)
            row = [float(f"{20 * math.exp(-((n - at) ** 2) / 4):.3g}") for n in range(len(bounds))]
            return {"bounds": list(bounds), "buckets": [row]}
        names: dict[str, Sequence[str]] = {
            "service": services,
            "quantile": ("50 %", "95 %", "99 %"),
            "none": (),
            "outcome": ("success", "failure", "cancelled"),
            "model": [each for each in self.models if view.model in ("", each)][:6],
        }
        order = {**_numbered(names[by]), **_numbered(self.services), **_numbered(self.models)}
        series = []
        for name in names[by]:
            size = self._size(by, order[name], middle)
            value = wave(step, middle * size, swing * min(size, 1.0), period, order[name])
            series.append({"name": name, "values": [value]})
        return {"series": series}

    def _size(self, by: str, number: int, middle: float) -> float:
        if by == "outcome":
            return (3.0, 0.08, 0.03)[number]
        return 1.0 if by == "model" or 0.1 < middle < 1 else 0.55 + 0.6 * number

    def _rows(self, step: int, view: View) -> list[dict[str, Any]]:
        rows = []
        for n, model in enumerate(self.models):
            service = self.services[n % len(self.services)]
            if view.service not in ("", service) or view.model not in ("", model):
                continue
            calls = wave(step, 25 / (1 + 0.4 * n), 1.0, 9.0, n)
            row: Tick = {"model": model, "service": service, "operation": ("extract", "", "score")[n % 3]}
            row |= {"calls": calls, "success": 0.86 if n == 4 else wave(step, 0.975, 0.004, 6, n)}
            row |= {"p50": wave(step, 0.09 * (n + 1), 0.01, 8, n), "p95": wave(step, 0.4 * (n + 1), 0.05, 8, n)}
            row |= {"tokens": None if n > 8 else calls * 1400, "cost": None if n > 8 else calls * 7.1}
            rows.append({**row, "error": ERRORS[n % 4]})
        return rows

    def _alerts(self, services: Sequence[str]) -> list[dict[str, Any]]:
        common: Tick = {"state": "inactive", "severity": "warning", "since": None, "summary": "", "why": "", "for": 300}
        known = [{**common, **each, "labels": {"service": services[0]} if services else {}} for each in ALERTS]
        unknown = {**common, "state": "unknown", "labels": {}, "value": None, "threshold": None, "unit": "short"}
        return [*known, *({**unknown, "name": each, "why": "needs --prometheus"} for each in UNKNOWN)]

    def _targets(self) -> list[dict[str, Any]]:
        return [
            {"url": f"http://localhost:{5051 + n}/metrics", "up": True, "why": "", "samples": 412, "seconds": 0.0123}
            for n in range(len(self.services))
        ]
