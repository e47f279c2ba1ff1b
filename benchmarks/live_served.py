"""The services that the benchmark of the live page reads: many pages of ours, whose numbers change at every scrape.

`python -m benchmarks.live_served TARGETS MODELS` prints the ports as JSON, and serves until its input ends.
"""

import asyncio
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, ProcessCollector

from benchmarks.scrapes import latencies
from mlmetrics import MLMetrics
from mlmetrics.exposition.text import render

CALLS_BETWEEN = 3
"""Calls of each model between two scrapes, where it is called at all."""
CALLED = 0.6
ROUTES = ("/parse", "/match", "/health")
FAILING = 40


class Service:
    """A service with models and routes, and the calls that change its numbers."""

    def __init__(self, number: int, models: int) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._random = Random(number)  # noqa: S311 (the same calls in every run, no secrets)
        self._models = [f"model-{each}" for each in range(models)]
        self._metrics = MLMetrics(f"service-{number}", self.registry, slow_seconds=1e9)
        self._app = FastAPI()
        for route in ROUTES:
            self._app.get(route)(_nothing)
        self._metrics.instrument(self._app)
        for model in self._models:
            self._call(model)

    def page(self) -> bytes:
        """Return the page, after some calls."""
        for model in self._models:
            if self._random.random() < CALLED:
                self._call(model)
        asyncio.run(self._requests())
        return render(self.registry, openmetrics=False)

    def _call(self, model: str) -> None:
        place = self._models.index(model) * 1000 // len(self._models)
        for seconds in latencies(self._random, place, CALLS_BETWEEN):
            works = self._random.randrange(FAILING) > 0
            self._metrics.track_ml_inference(model, f"{self._metrics.service}", seconds, success=works)
        with self._metrics.inference_timer(model=model) as call:
            call.tokens(input=self._random.randrange(2000), output=self._random.randrange(500))
            call.cost(self._random.random() / 100)
            call.first_chunk()
        self._metrics.track_matching_score(f"matcher of {model}", self._random.random())

    async def _requests(self) -> None:
        for route in ROUTES:
            await _request(self._app, route)


def _nothing() -> None:
    """Answer with nothing."""


async def _request(app: FastAPI, path: str) -> None:
    """Send a request to an app, without a server between."""
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "headers": [],
        "query_string": b"",
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(_message: Any) -> None:
        return

    await app(scope, receive, send)


def serve(service: Service) -> ThreadingHTTPServer:
    """Serve the page of a service on a free port."""

    class Page(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = service.page()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main() -> None:
    """Serve until the input ends."""
    targets, models = map(int, sys.argv[1:])
    servers = [serve(Service(number, models)) for number in range(targets)]
    sys.stdout.write(json.dumps([server.server_port for server in servers]) + "\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
