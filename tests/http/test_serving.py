"""The ways by which metrics leave a process."""

import asyncio
import gzip
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.responses import Response

import mlmetrics
from mlmetrics import ConfigurationError, MLMetrics, RegistrationError
from mlmetrics.exposition.negotiation import OPENMETRICS, TEXT
from mlmetrics.http.endpoint import metrics_app, metrics_endpoint
from mlmetrics.http.instrumentation import instrument
from mlmetrics.http.middleware import PrometheusMiddleware
from mlmetrics.http.serving import start_metrics_server
from tests.http.asking import Conversation, ask, counted, request, samples, value

ROOT = Path(__file__).parents[2]


class Blocking(Collector):
    """A collector that says in which thread it is read, and waits until it may go on."""

    def __init__(self) -> None:
        self.threads: list[str] = []
        self.started = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def collect(self) -> Iterator[Metric]:
        """Yield nothing."""
        self.threads.append(threading.current_thread().name)
        self.started.set()
        self.go_on.wait()
        return iter(())

    def describe(self) -> list[Metric]:
        """Name nothing."""
        return []


class TestMetricsEndpoint:
    """`return await metrics_endpoint()` in a route of one's own."""

    async def test_without_a_request_it_is_the_text(self, registry: CollectorRegistry) -> None:
        """The first users' call needs nothing else."""
        answer = await metrics_endpoint(registry=registry)
        assert 200 == answer.status_code
        assert TEXT == answer.headers["content-type"]
        assert b"# HELP mlmetrics_build_info" in answer.body

    async def test_with_a_request_it_is_negotiated(self, registry: CollectorRegistry) -> None:
        """Format and encoding are what the headers ask for."""
        app = FastAPI()

        @app.get("/figures")
        async def figures(request: Request) -> Response:
            return await metrics_endpoint(request, registry=registry)

        headers = {"Accept": "application/openmetrics-text", "Accept-Encoding": "gzip"}
        answer = await ask(app, "/figures", headers=headers)
        assert OPENMETRICS == answer.headers["content-type"]
        assert "gzip" == answer.headers["content-encoding"]
        assert "Accept, Accept-Encoding" == answer.headers["vary"]
        assert answer.text.endswith("# EOF\n")

    async def test_behind_the_middleware_it_is_negotiated(self, registry: CollectorRegistry) -> None:
        """The first users' call gets its format from the scrape, and knows of it no longer than that."""
        app = FastAPI()
        app.add_middleware(PrometheusMiddleware, registry=registry)

        @app.get("/metrics")
        async def metrics() -> Response:
            return await metrics_endpoint(registry=registry)

        answer = await ask(app, "/metrics", headers={"Accept": "application/openmetrics-text"})
        assert OPENMETRICS == answer.headers["content-type"]
        assert TEXT == (await metrics_endpoint(registry=registry)).headers["content-type"]

    async def test_the_event_loop_goes_on(self, registry: CollectorRegistry) -> None:
        """Pitfall 12: while a registry is written, other requests are served."""
        blocking = Blocking()
        registry.register(blocking)
        blocking.go_on.clear()
        app = FastAPI()
        instrument(app, registry=registry)
        app.add_api_route("/health", lambda: "well")
        scrape = asyncio.create_task(ask(app, "/metrics"))
        await asyncio.to_thread(blocking.started.wait)
        assert 200 == (await ask(app, "/health")).status_code
        assert not scrape.done()
        second = asyncio.create_task(ask(app, "/metrics"))
        assert 200 == (await ask(app, "/health")).status_code
        blocking.go_on.set()
        assert [200, 200] == [each.status_code for each in await asyncio.gather(scrape, second)]
        assert ["mlmetrics-scrape"] * 2 == blocking.threads

    async def test_a_full_default_pool_does_not_hold_it_up(self, registry: CollectorRegistry) -> None:
        """A service that runs its models in the event loop's own pool can still be scraped."""
        busy = threading.Event()
        loop = asyncio.get_running_loop()
        work = [loop.run_in_executor(None, busy.wait) for _ in range(64)]
        try:
            assert 200 == (await metrics_endpoint(registry=registry)).status_code
        finally:
            busy.set()
            await asyncio.gather(*work)


class TestMetricsApp:
    """An ASGI application to mount."""

    async def test_mounted(self, registry: CollectorRegistry) -> None:
        """Below a mount it answers at the mount's own path."""
        app = Starlette()
        app.mount("/metrics", metrics_app(registry))
        assert TEXT == (await ask(app, "/metrics/")).headers["content-type"]

    @pytest.mark.parametrize("path", ["", "/", "/metrics"])
    async def test_by_itself(self, path: str, registry: CollectorRegistry) -> None:
        """It needs no framework, and answers at any path."""
        answer = await ask(metrics_app(registry), path, headers={"Accept-Encoding": "identity"})
        assert 200 == answer.status_code
        assert str(len(answer.content)) == answer.headers["content-length"]
        assert b"mlmetrics_build_info" in answer.content

    async def test_head_has_no_body(self, registry: CollectorRegistry) -> None:
        """HEAD says what GET would."""
        answer = await ask(metrics_app(registry), "/", "HEAD")
        assert (200, b"") == (answer.status_code, answer.content)
        assert 0 < int(answer.headers["content-length"])

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
    async def test_other_methods_are_refused(self, method: str, registry: CollectorRegistry) -> None:
        """Nothing can be written through it."""
        answer = await ask(metrics_app(registry), "/", method)
        assert (405, "GET, HEAD") == (answer.status_code, answer.headers["allow"])

    async def test_names_restrict(self, registry: CollectorRegistry) -> None:
        """`?name[]=` asks for single families, as prometheus_client's server has it."""
        query = "/?name[]=mlmetrics_build_info&name[]=mlmetrics_cpu_limit_cores"
        text = (await ask(metrics_app(registry), query)).text
        assert {"mlmetrics_build_info", "mlmetrics_cpu_limit_cores"} == {
            line.split("{")[0].split(" ")[0] for line in text.splitlines() if not line.startswith("#")
        }

    async def test_lifespan_and_websockets_get_an_answer(self, registry: CollectorRegistry) -> None:
        """A server may start and stop it; a WebSocket is closed."""
        lifespan = Conversation({"type": "lifespan"}, [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
        await lifespan.with_(metrics_app(registry))
        assert ["lifespan.startup.complete", "lifespan.shutdown.complete"] == [m["type"] for m in lifespan.sent]
        websocket = Conversation({"type": "websocket"}, [{"type": "websocket.connect"}])
        await websocket.with_(metrics_app(registry))
        assert "websocket.close" == websocket.sent[0]["type"]
        assert [] == websocket.incoming  # the client's message is taken before it is answered

    async def test_headers_are_as_asgi_has_them(self, registry: CollectorRegistry) -> None:
        """Names of headers are sent in lower case, as servers for HTTP/2 need them."""
        conversation = request()
        await conversation.with_(metrics_app(registry))
        names = [name for name, _ in conversation.sent[0]["headers"]]
        assert [b"content-type", b"vary", b"content-length"] == names

    async def test_a_collector_that_raises_fails_the_scrape(self, registry: CollectorRegistry) -> None:
        """A broken scrape is a 500, never half an exposition."""
        conversation = request()

        class Failing(Blocking):
            def collect(self) -> Iterator[Metric]:
                raise ZeroDivisionError

        registry.register(Failing())
        with pytest.raises(ZeroDivisionError):
            await conversation.with_(metrics_app(registry))
        assert [] == conversation.sent

    def test_a_registry_with_our_names_is_refused(self, registry: CollectorRegistry) -> None:
        """A clash is found when the application is made, not at the first scrape."""
        Gauge("fastapi_requests_in_progress", "By hand.", registry=registry)
        with pytest.raises(RegistrationError):
            metrics_app(registry)


class TestInstrument:
    """Middleware and route at once."""

    async def test_there_is_no_redirect(self, registry: CollectorRegistry) -> None:
        """Pitfall 11: the path itself answers 200, GET and HEAD; other methods are refused."""
        app = FastAPI()
        instrument(app, service_name="s", registry=registry)
        assert 200 == (await ask(app, "/metrics")).status_code
        assert 200 == (await ask(app, "/metrics", "HEAD")).status_code
        assert 405 == (await ask(app, "/metrics", "POST")).status_code
        assert {} == counted(registry)

    async def test_requests_are_recorded(self, registry: CollectorRegistry) -> None:
        """What the application serves is in the next scrape, under the service's name."""
        app = Starlette()
        instrument(app, service_name="cv-parser-service", path="/internal/metrics", registry=registry)
        await ask(app, "/nowhere")
        text = (await ask(app, "/internal/metrics")).text
        labels = 'method="GET",route="unmatched",service="cv-parser-service",status="404"'
        assert f"fastapi_requests_total{{{labels}}} 1.0\n" in text

    async def test_it_is_not_in_the_schema(self, registry: CollectorRegistry) -> None:
        """The users' API documentation stays theirs."""
        app = FastAPI()
        instrument(app, registry=registry)
        assert {} == (await ask(app, "/openapi.json")).json()["paths"]

    async def test_a_route_for_all_paths_does_not_hide_it(self, registry: CollectorRegistry) -> None:
        """A catch-all that was there before gets everything else."""
        app = FastAPI()
        app.add_api_route("/{path:path}", lambda path: path)
        instrument(app, registry=registry)
        assert "mlmetrics_build_info" in (await ask(app, "/metrics")).text
        assert "other" == (await ask(app, "/other")).json()

    async def test_further_paths_can_be_left_out(self, registry: CollectorRegistry) -> None:
        """Health checks that nobody wants to count are not."""
        app = FastAPI()
        instrument(app, registry=registry, skip_paths=["/health"])
        app.add_api_route("/health", lambda: "well")
        await ask(app, "/health")
        assert {} == counted(registry)

    async def test_twice_is_once(self, registry: CollectorRegistry) -> None:
        """Pitfall 3: the same call again changes nothing."""
        app = FastAPI()
        for _ in range(2):
            instrument(app, service_name="s", registry=registry)
        await ask(app, "/nowhere")
        assert {("GET", "unmatched", "404"): 1} == counted(registry)
        assert [] == app.user_middleware

    def test_other_arguments_are_a_clear_error(self, registry: CollectorRegistry) -> None:
        """An application has one set-up; the error says which it has."""
        app = FastAPI()
        instrument(app, service_name="one", registry=registry)
        with pytest.raises(ConfigurationError, match=r"already.*'one'.*'two'"):
            instrument(app, service_name="two", registry=registry)

    async def test_a_started_application_is_a_clear_error(self, registry: CollectorRegistry) -> None:
        """Middleware that comes too late would never run."""
        app = FastAPI()
        await ask(app, "/")
        with pytest.raises(ConfigurationError, match="had started"):
            instrument(app, registry=registry)

    @pytest.mark.parametrize("app", [None, object(), FastAPI, lambda scope: None])
    def test_other_things_are_a_clear_error(self, app: Any) -> None:
        """The error names what was given, and what to do with another ASGI application."""
        with pytest.raises(ConfigurationError, match="expected a FastAPI or Starlette application"):
            instrument(app, registry=CollectorRegistry())

    @pytest.mark.parametrize("given", [{"path": "metrics"}, {"path": ""}, {"service_name": ""}])
    def test_wrong_arguments_are_clear_errors(self, given: dict[str, Any], registry: CollectorRegistry) -> None:
        """Nothing is changed when an argument is wrong."""
        app = FastAPI()
        with pytest.raises(ConfigurationError, match=next(iter(given))):
            instrument(app, registry=registry, **given)
        assert [] == app.user_middleware


class TestToolkit:
    """The same as methods of `MLMetrics`."""

    async def test_its_registry_and_its_service(self) -> None:
        """What names no service is the toolkit's, in its registry and no other."""
        metrics = MLMetrics(service="matching-service", registry=CollectorRegistry())
        app = FastAPI()
        metrics.instrument(app)
        await ask(app, "/nowhere")
        assert 1 == value(metrics.registry, "fastapi_requests_total", service="matching-service", status="404")
        assert b'service="matching-service"' in (await metrics.metrics_endpoint()).body
        assert 'service="matching-service"' in (await ask(metrics.metrics_app(), "/")).text

    async def test_what_it_was_configured_with_holds(self) -> None:
        """Buckets that were given to the toolkit are those of its requests, with no decorator before."""
        metrics = MLMetrics(registry=CollectorRegistry(), buckets={"fastapi_request_duration_seconds": (1.0, 2.0)})
        app = FastAPI()
        metrics.instrument(app)
        await ask(app, "/nowhere")
        bounds = [line for line in (await ask(app, "/metrics")).text.splitlines() if "duration_seconds_bucket" in line]
        assert 3 == len([line for line in bounds if "unmatched" in line])

    async def test_another_registry(self) -> None:
        """A registry that `instrument` is given has the requests and is the page; calls stay in that of the toolkit."""
        metrics, other = MLMetrics(registry=CollectorRegistry()), CollectorRegistry()
        metrics.configure(service="matching-service")
        app = FastAPI()
        metrics.instrument(app, registry=other)
        app.add_api_route("/items", metrics.track_inference(model="m")(lambda: "ok"))
        await ask(app, "/items")
        assert 1 == value(other, "fastapi_requests_total", service="matching-service", route="/items", status="200")
        assert 1 == value(metrics.registry, "ml_inference_total", service="matching-service", outcome="success")
        text = (await ask(app, "/metrics")).text
        assert 'fastapi_requests_total{method="GET",route="/items",service="matching-service",status="200"} 1.0' in text
        assert "ml_inference_total" not in text
        assert not [name for name, _, _ in samples(metrics.registry) if name.startswith("fastapi_requests")]

    async def test_another_registry_of_the_module(self, registry: CollectorRegistry) -> None:
        """`mlmetrics.instrument(app, registry=...)` records requests there, and serves it."""
        app = FastAPI()
        mlmetrics.instrument(app, "s", registry=registry)
        await ask(app, "/nowhere")
        assert {("GET", "unmatched", "404"): 1} == counted(registry)
        assert 'service="s",status="404"} 1.0' in (await ask(app, "/metrics")).text

    def test_another_registry_is_all_that_is_touched(self) -> None:
        """Where the toolkit's own registry has our names in use, a registry of its own serves the requests."""
        metrics = MLMetrics(registry=CollectorRegistry())
        Gauge("fastapi_requests_in_progress", "By hand.", registry=metrics.registry)
        with metrics.instrument(FastAPI(), registry=CollectorRegistry()):
            assert ["fastapi_requests_in_progress"] == [family.name for family in metrics.registry.collect()]

    def test_the_first_users_code(self) -> None:
        """What origin.md shows runs as it is, but for the line that imports."""
        program = [sys.executable, "-m", "tests.http.first_users"]
        lines = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
        for line in (
            'fastapi_requests_total{method="POST",route="/parse",service="mon-service",status="200"} 1.0',
            'fastapi_requests_total{method="POST",route="/parse",service="mon-service",status="500"} 1.0',
            'file_processing_size_bytes_count{file_type="pdf",service="mon-service"} 2.0',
            'ml_inference_total{model="gpt-4",operation="",outcome="success",service="mon-service"} 1.0',
            'ml_inference_total{model="gpt-4",operation="",outcome="failure",service="mon-service"} 1.0',
            'parsing_accuracy_score_count{doc_type="pdf",parser="document",service="mon-service"} 1.0',
        ):
            assert line in lines


def received(port: int, asked: bytes) -> tuple[bytes, bytes, bytes]:
    """Return what a server sends until it closes the connection: head, empty line, body."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(asked)
        return connection.makefile("rb").read().partition(b"\r\n\r\n")


class TestStartMetricsServer:
    """A server of one's own, for programs without HTTP."""

    def test_it_serves_both_formats(self, registry: CollectorRegistry) -> None:
        """Port 0 picks a port; format and encoding are negotiated at any path."""
        with start_metrics_server(0, registry=registry) as server:
            url = f"http://127.0.0.1:{server.port}"
            text = httpx.get(f"{url}/metrics", headers={"Accept-Encoding": "identity"})
            assert (200, TEXT) == (text.status_code, text.headers["content-type"])
            headers = {"Accept": "application/openmetrics-text", "Accept-Encoding": "gzip"}
            openmetrics = httpx.get(url, headers=headers)
            assert ("gzip", OPENMETRICS) == (
                openmetrics.headers["content-encoding"],
                openmetrics.headers["content-type"],
            )
            assert list(text_string_to_metric_families(openmetrics.text))
            assert "mlmetrics_build_info" in httpx.get(f"{url}/?name[]=mlmetrics_build_info").text
            assert b"" == httpx.head(url).content
            assert 405 == httpx.post(url).status_code

    def test_head_has_no_body(self, registry: CollectorRegistry) -> None:
        """HEAD gets what GET would, without its body; the header names the program and no version."""
        with start_metrics_server(0, registry=registry) as server:
            head, _, body = received(server.port, b"HEAD / HTTP/1.0\r\n\r\n")
        assert b"Content-Type: text/plain; version=0.0.4" in head
        assert b"\r\nServer: mlmetrics\r\n" in head.replace(b" \r\n", b"\r\n")
        assert b"" == body

    def test_a_registry_with_our_names_is_refused(self, registry: CollectorRegistry) -> None:
        """A clash is found when the server is started, not at the first scrape."""
        Gauge("fastapi_requests_in_progress", "By hand.", registry=registry)
        with pytest.raises(RegistrationError):
            start_metrics_server(0, registry=registry)

    def test_closing_waits_for_no_client(self, registry: CollectorRegistry) -> None:
        """A client that has connected and says nothing does not hold up the end of a program."""
        server = start_metrics_server(0, registry=registry)
        with socket.create_connection(("127.0.0.1", server.port)):
            assert 200 == httpx.get(f"http://127.0.0.1:{server.port}").status_code  # it was let in before this one
            closing = threading.Thread(target=server.close)
            closing.start()
            closing.join(30)
            ended = not closing.is_alive()
        closing.join()
        assert ended

    def test_a_program_ends_without_closing_it(self) -> None:
        """The thread of the server does not keep a program running that has come to its end."""
        code = "from mlmetrics import start_metrics_server; print(start_metrics_server(0).port > 0)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
        assert "True" == done.stdout.strip()

    def test_a_broken_scrape_is_told_and_the_next_served(self, registry: CollectorRegistry) -> None:
        """A collector that raises once costs one scrape."""
        errors = [ZeroDivisionError("once")]

        class Failing(Blocking):
            def collect(self) -> Iterator[Metric]:
                if errors:
                    raise errors.pop()
                return iter(())

        registry.register(Failing())
        with start_metrics_server(0, registry=registry) as server:
            url = f"http://127.0.0.1:{server.port}/metrics"
            broken = httpx.get(url)
            assert (500, "ZeroDivisionError: once") == (broken.status_code, broken.text)
            assert "mlmetrics_scrape_errors_total 1.0" in httpx.get(url).text

    def test_a_taken_port_is_a_clear_error(self, registry: CollectorRegistry) -> None:
        """The error says which port, and what to do."""
        with (
            start_metrics_server(0, registry=registry) as server,
            pytest.raises(ConfigurationError, match=rf"port={server.port}.*port 0 picks one"),
        ):
            start_metrics_server(server.port, registry=registry)

    @pytest.mark.parametrize("port", [70000, -1, "metrics"])
    def test_a_wrong_port_is_a_clear_error(self, port: Any, registry: CollectorRegistry) -> None:
        """A value that is not a port is an error that says so."""
        with pytest.raises(ConfigurationError, match="port="):
            start_metrics_server(port, registry=registry)

    def test_closing_frees_the_port(self, registry: CollectorRegistry) -> None:
        """After `close`, which may be called twice, somebody else can listen there."""
        server = start_metrics_server(0, registry=registry)
        server.close()
        server.close()
        with socket.create_server(("127.0.0.1", server.port)):
            pass

    def test_it_speaks_version_6(self, registry: CollectorRegistry) -> None:
        """An address with colons is one of IPv6; a machine without it says so."""
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            with pytest.raises(ConfigurationError, match="::1"):
                start_metrics_server(0, "::1", registry)
            return
        with start_metrics_server(0, "::1", registry) as server:
            assert 200 == httpx.get(f"http://[::1]:{server.port}/").status_code


def test_gzip_is_the_same_text(registry: CollectorRegistry) -> None:
    """What is compressed is what would have been sent."""
    asked = b"GET /?name[]=mlmetrics_build_info HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n"
    with start_metrics_server(0, registry=registry) as server:
        head, _, compressed = received(server.port, asked)
    assert b"Content-Encoding: gzip" in head
    assert b"mlmetrics_build_info" in gzip.decompress(compressed)


def test_nothing_is_imported_before_it_is_needed() -> None:
    """The module that serves knows no framework until somebody asks it for a response."""
    code = "import sys, mlmetrics.http.serving; sys.exit(bool({'fastapi', 'starlette', 'anyio'} & set(sys.modules)))"
    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode
