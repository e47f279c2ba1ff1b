"""Simulated pods: one process that serves the pages of many, each the real page of a busy service at a moment.

`python -m tests.scale.pods PORT MODELS ROUTES SECONDS` writes the pages at moments that are `SECONDS` apart, and serves
the present one at any path. Counters go on from page to page, so that nothing looks restarted.
"""

import gzip
import random
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from fastapi import FastAPI, Response
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY

from mlmetrics import MLMetrics
from mlmetrics.exposition.text import render
from tests.programs import HOST, Program

MOMENTS = 60
SERVICE = "scaled-service"
ERROR_TYPE = "TimeoutError"  # beside the one that `track_ml_inference` gives
SLOWEST_SECONDS = 40.0
_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Pods(Program):
    """The process, on a port of its own."""

    ready_path = "/ready"

    def __init__(self, models: int, routes: int, seconds: float) -> None:
        super().__init__()
        self._words = [str(models), str(routes), str(seconds)]

    def command(self, directory: Path) -> list[str]:
        """Return the command line."""
        return [sys.executable, "-m", "tests.scale.pods", str(self.port), *self._words]


def targets(pods: "Pods", count: int, interval: str) -> str:
    """Return a `prometheus.yml` that scrapes so many pods, told apart by their instance, and nothing else."""
    places = "\n".join(
        f"  - targets: ['{HOST}:{pods.port}']\n    labels: {{instance: 'pod-{number}', __metrics_path__: '/{number}'}}"
        for number in range(count)
    )
    job = f"scrape_configs:\n- job_name: {SERVICE}\n  scrape_interval: {interval}\n  scrape_timeout: {interval}\n"
    return f"{job}  static_configs:\n{places}\n"


class Service:
    """A service of some models behind some routes, and the traffic that it has had."""

    def __init__(self, models: int, routes: int) -> None:
        self._metrics = MLMetrics(service=SERVICE, registry=REGISTRY)
        self._models = [f"model-{number}" for number in range(models)]
        self._paths = [f"/route-{number}" for number in range(routes)]
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        self._metrics.instrument(app, service_name=SERVICE, path="/metrics")
        for path in self._paths:
            app.get(path)(self._answer)
        self._client = TestClient(app)
        self._chance = random.Random(11)  # noqa: S311 - traffic, no secret

    async def _answer(self) -> Response:
        return Response(status_code=500 if self._chance.random() < 0.02 else 200)

    def work(self) -> None:
        """Have the traffic between two moments: a few requests a route, and some tens of calls a model."""
        for path in self._paths:
            for _ in range(self._chance.randrange(4)):
                self._client.get(path)
        for model in self._models:
            for _ in range(self._chance.randrange(40)):
                self._call(model)

    def _call(self, model: str) -> None:
        seconds = min(self._chance.lognormvariate(-1, 1), SLOWEST_SECONDS)
        success = self._chance.random() > 0.05
        self._metrics.track_ml_inference(model, SERVICE, seconds, success=success)
        if not success:
            with self._metrics.inference_timer(model=model) as call:
                call.fail(ERROR_TYPE)

    @staticmethod
    def page() -> bytes:
        """Return the page of this moment."""
        return render(REGISTRY)


def pages(models: int, routes: int, moments: int) -> list[bytes]:
    """Return the pages of a service at moments with traffic between them."""
    service, found = Service(models, routes), []
    for _ in range(moments):
        service.work()
        found.append(service.page())
    return found


def serve(port: int, texts: list[bytes], seconds: float) -> None:
    """Serve the page of the present moment, compressed, until the process is ended."""
    compressed = [gzip.compress(text, mtime=0) for text in texts]
    began = time.monotonic()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = compressed[min(int((time.monotonic() - began) / seconds), len(compressed) - 1)]
            self.send_response(200)
            for name, value in {"Content-Type": _TYPE, "Content-Encoding": "gzip", "Content-Length": len(body)}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Print nothing for each request."""

    ThreadingHTTPServer((HOST, port), Handler).serve_forever()


if __name__ == "__main__":
    _port, _models, _routes, _seconds = sys.argv[1:]
    serve(int(_port), pages(int(_models), int(_routes), MOMENTS), float(_seconds))
