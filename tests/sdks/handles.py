"""What holds for the handle of every SDK that is instrumented where its clients send requests.

Each has a module `test_instrument_<sdk>.py`, with a subclass of `Handles` and the fixtures `server` and `client`.
"""

import subprocess
import sys
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from prometheus_client import REGISTRY, CollectorRegistry

import mlmetrics
from mlmetrics import MLMetrics
from tests import recorded
from tests.sdks.asking import by_labels, tokens, total
from tests.sdks.fixed import FixedServer
from tests.sdks.servers import ProviderServer

PROGRAM = """
import sys
from prometheus_client import CollectorRegistry, generate_latest
from mlmetrics import MLMetrics

metrics = MLMetrics(service="tests", registry=CollectorRegistry())
handle = metrics.instrument_{name}()
assert "{name}" not in sys.modules
import {name}
client = {name}.{client}(base_url=sys.argv[1], api_key="any")
client.{method}(model="asked", messages=[{{"role": "user", "content": "any"}}], max_tokens=9)
assert b'ml_inference_total{{model="asked",operation="{operation}",outcome="success",service="tests"}} 1.0' in (
    generate_latest(metrics.registry)
)
handle.uninstrument()
assert not hasattr({name}._base_client.SyncAPIClient.request, "__wrapped__")
"""


@dataclass(frozen=True, slots=True)
class Asking:
    """How an SDK is asked: by a method of its client, which with `stream` returns a stream.

    `answer` is any that the SDK can read.
    """

    name: str
    client: type
    method: str
    operation: str
    given: dict[str, Any]
    stream: dict[str, Any]
    answer: dict[str, Any]

    def __call__(self, client: Any, *, raw: bool = False, **more: Any) -> Any:
        """Ask for an answer, or for its raw response."""
        *path, last = self.method.split(".")
        for name in (*path, *(["with_raw_response"] if raw else []), last):
            client = getattr(client, name)
        return client(**{**self.given, **more})

    def instrument(self, toolkit: Any) -> Any:
        """Instrument the SDK, by a toolkit or by the module."""
        return getattr(toolkit, f"instrument_{self.name}")()


class Handles:
    """The handle that is returned, and when the instrument takes hold."""

    asking: ClassVar[Asking]

    @pytest.fixture
    def metrics(self, registry: CollectorRegistry) -> MLMetrics:
        """Return a toolkit."""
        return MLMetrics(service="tests", registry=registry)

    def test_uninstrument(self, metrics: MLMetrics, client: Any) -> None:
        """The functions of the SDK are put back; a second time does nothing."""
        kind: Any = self.asking.client
        original = kind.request
        handle = self.asking.instrument(metrics)
        assert kind.request is not original
        assert f"<instrumentation of {self.asking.name}, active>" == repr(handle)
        self.asking(client)
        handle.uninstrument()
        handle.uninstrument()
        assert kind.request is original
        self.asking(client)
        assert 1 == total(metrics.registry, "ml_inference_total")
        assert f"<instrumentation of {self.asking.name}, undone>" == repr(handle)

    def test_begun(self, server: ProviderServer, metrics: MLMetrics, client: Any) -> None:
        """A stream that has begun is still recorded."""
        with self.asking.instrument(metrics):
            stream = self.asking(client, **self.asking.stream)
            raw = self.asking(client, raw=True)
        list(stream)
        raw.parse()
        assert {("success",): 2} == by_labels(metrics.registry, "ml_inference_total", "outcome")
        assert server.ledger.tokens() == tokens(metrics.registry)

    def test_order(self, metrics: MLMetrics, client: Any) -> None:
        """Two handles may be undone in either order."""
        first, second = self.asking.instrument(metrics), self.asking.instrument(metrics)
        first.uninstrument()
        self.asking(client)
        second.uninstrument()
        self.asking(client)
        assert 1 == total(metrics.registry, "ml_inference_total")

    def test_imported_later(self) -> None:
        """It may be instrumented before it is imported."""
        asking = self.asking
        program = PROGRAM.format(
            name=asking.name, client=asking.client.__name__, method=asking.method, operation=asking.operation
        )
        with FixedServer(asking.answer) as server:
            command = [sys.executable, "-c", program, server.url]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (0, "") == (done.returncode, done.stderr)

    def test_module(self, client: Any) -> None:
        """The function of the module records with the default toolkit."""
        model = f"asked-of-{self.asking.name}-by-module"
        with self.asking.instrument(mlmetrics):
            self.asking(client, model=model)
        assert 1 == recorded.value(REGISTRY, "ml_inference_total", model=model)
