"""Services that record little, each on a real Prometheus: every rule is loaded, and every rendered panel has data."""

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, HTTPException
from prometheus_client import CollectorRegistry, ProcessCollector

from mlmetrics import MLMetrics, export_baseline
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.grafana.provisioning import dashboard_texts
from mlmetrics.monitoring.loading import parse
from mlmetrics.monitoring.prometheus.files import server_files
from mlmetrics.monitoring.prometheus.scrape import prometheus_document
from mlmetrics.monitoring.starter import starter_objectives
from mlmetrics.monitoring.text import yaml_text
from mlmetrics.monitoring.verify.checks import check_prometheus
from mlmetrics.monitoring.verify.panel_queries import PanelProbe
from mlmetrics.monitoring.verify.prometheus_api import PrometheusAPI
from tests.monitoring.configurations import CHAT, CLASSIFIER, ONLY_REQUESTS
from tests.monitoring.grafana.stage import HOWEVER_LONG, MAY_BE_EMPTY, each_second
from tests.servers import Prometheus, ThreadServer

TRAFFIC_SECONDS, RATE_SECONDS = 14.0, 6
Work = Callable[[int], Awaitable[None]]
OWN = '[[operation]]\nname = "retrieval"\nlabels = ["index"]\nscore = true\n'
DECLARED = {"chat": CHAT, "classifier": CLASSIFIER, "requests": ONLY_REQUESTS, "own": OWN}
# What the scores and classes are compared with, because no week has passed.
BASELINES: Mapping[str, Mapping[str, tuple[list[Any], dict[str, str]]]] = {
    "classifier": {
        "ml_inference_score": ([0.75, 0.85], {"service": "classifier", "model": "sorter", "operation": "sort"}),
        "ml_prediction_total": (["rare", "common"], {"service": "classifier", "model": "sorter"}),
    },
    "own": {"ml_retrieval_score": ([0.75, 0.85], {"service": "own", "index": "docs"})},
}
NO_WEEK_HAS_PASSED = {"A week ago: inference scores", "Classes a week ago"}


@dataclass(frozen=True)
class Running:
    """The Prometheus and the configuration of each service, and the end of the traffic."""

    prometheus: Mapping[str, Prometheus]
    configs: Mapping[str, Config]
    end: float


def application(name: str) -> FastAPI:
    """Return a service that records what its configuration says, and fails now and then."""
    registry, app = CollectorRegistry(), FastAPI()
    ProcessCollector(registry=registry)
    metrics = MLMetrics(service=name, registry=registry)
    metrics.instrument(app, service_name=name)
    work = {"chat": chatting, "classifier": classifying, "own": retrieving}.get(name)
    act = work(metrics) if work else None

    @app.get("/tasks/{number}")
    async def answer(number: int) -> str:
        if act is not None:
            await act(number)
        if number % 10 == 9:
            raise HTTPException(500)
        return "done"

    return app


def chatting(metrics: MLMetrics) -> Work:
    """Return the work of a chat service: streams, tokens and cost."""

    @metrics.track_inference(model="talker")
    async def talk() -> AsyncIterator[str]:
        for word in ("so", "be it"):
            await asyncio.sleep(0.002)
            yield word

    @metrics.track_inference(model="talker", usage=lambda _: None)
    def hide() -> str:
        return "no usage"

    async def act(number: int) -> None:
        async for _ in talk():
            pass
        hide()
        with metrics.inference_timer(model="talker") as call:
            call.tokens(input=12, output=5)
            call.cost(0.001)
            if number % 5 == 0:
                call.fail("Refused")

    return act


def classifying(metrics: MLMetrics) -> Work:
    """Return the work of a classifier: confidence and classes."""

    @metrics.track_inference(model="sorter", operation="sort", score="confidence", predicted_class="label")
    def classify(number: int) -> dict[str, object]:
        if number % 5 == 0:
            raise ValueError(number)
        return {"label": "rare" if number % 4 == 0 else "common", "confidence": 0.8}

    async def act(number: int) -> None:
        with suppress(ValueError):
            classify(number)

    return act


def retrieving(metrics: MLMetrics) -> Work:
    """Return the work of a service with an operation of its own."""
    retrieval = metrics.operation("retrieval", labelnames=("index",), score=True)

    async def act(number: int) -> None:
        with retrieval.timer(index="docs") as call:
            call.score(0.8)
            if number % 5 == 0:
                call.fail("Timeout")

    return act


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """Run the four services with traffic, and a Prometheus for each, which evaluates the rules of its configuration."""
    with ExitStack() as started:
        servers = {name: started.enter_context(ThreadServer(application(name))) for name in DECLARED}
        configs = {name: configured(name, server.port) for name, server in servers.items()}
        prometheus = {name: started.enter_context(Prometheus(*files(config))) for name, config in configs.items()}
        for each in prometheus.values():
            each.wait_for("up == 1")
        asyncio.run(drive([server.url for server in servers.values()]))
        end = time.time() - 1
        for each in prometheus.values():
            each.wait_for(f"min(timestamp(fastapi_requests_in_progress)) > {end}")
        yield Running(prometheus, configs, end)


def configured(name: str, port: int) -> Config:
    """Return the configuration of a service, with the objectives that a new project starts with."""
    text = f'[[service]]\nname = "{name}"\ntargets = ["127.0.0.1:{port}"]\n'
    whole = DECLARED[name] + text if name == "requests" else text + DECLARED[name]
    return parse(whole + starter_objectives(parse(whole).operations, [name]))


def files(config: Config) -> tuple[str, dict[str, str]]:
    """Return the rendered configuration of Prometheus at intervals of a second, the rendered rules, and baselines."""
    rules = {name: text for name, text in server_files(config).items() if name.startswith("rules/")}
    for metric, (values, labels) in BASELINES.get(config.jobs[0], {}).items():
        with tempfile.TemporaryDirectory() as folder:
            path = export_baseline(values, f"{folder}/baseline.yml", metric=metric, labels=labels)
            rules[f"rules/baselines/{metric}.yml"] = path.read_text(encoding="utf-8")
    document = prometheus_document(config, sorted(rules))
    document["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    for job in document["scrape_configs"]:
        job.pop("scrape_interval")
    return yaml_text(document), {name: each_second(text) for name, text in rules.items()}


async def drive(urls: list[str]) -> None:
    """Send requests to every service for some seconds."""
    start = time.monotonic()
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        number = 0
        while time.monotonic() - start < TRAFFIC_SECONDS:
            await asyncio.gather(*(client.get(f"{url}/tasks/{number}") for url in urls))
            number += 1
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("name", DECLARED)
class TestFew:
    """What is rendered for a service that records a part of what there is."""

    def test_every_rule_is_loaded(self, running: Running, name: str) -> None:
        """Each rendered rule is loaded and healthy."""
        findings = check_prometheus(running.configs[name], running.prometheus[name].url)
        assert [] == [each for each in findings if each.kind == "rule"]

    def test_every_panel_has_data(self, running: Running, name: str) -> None:
        """Every query returns data, or is about faults that there are none of."""
        probe = PanelProbe(
            PrometheusAPI(running.prometheus[name].url),
            TRAFFIC_SECONDS,
            f"{RATE_SECONDS}s",
            by_name=True,
            clock=lambda: running.end,
        )
        boards = [json.loads(text) for text in dashboard_texts(running.configs[name]).values()]
        results = [result for board in boards for result in probe.results(board)]
        assert len(results) > 30
        assert [] == [
            (each.panel, each.query, each.problem(HOWEVER_LONG)) for each in results if each.problem(HOWEVER_LONG)
        ]
        with_data = {(each.dashboard, each.panel) for each in results if each.series}
        empty = {each.panel for each in results if (each.dashboard, each.panel) not in with_data}
        assert empty <= MAY_BE_EMPTY | NO_WEEK_HAS_PASSED
