"""Tests that `mlmetrics init` knows what a project records of requests: the sizes of bodies, and WebSockets."""

from pathlib import Path

import pytest
from fastapi import FastAPI, WebSocket
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from mlmetrics.cli.init.agreement import other_requests
from mlmetrics.cli.init.live_page import recorded_at
from mlmetrics.cli.init.operations import read_operations
from mlmetrics.cli.init.reading.source import Source
from mlmetrics.cli.init.requests import read_requests, requests_on
from mlmetrics.monitoring.loading import load
from mlmetrics.monitoring.operations import ALL_OF_REQUESTS, ONLY_REQUESTS
from tests.cli.init.projects import write
from tests.cli.init.test_differences import edit
from tests.cli.init.test_init import run
from tests.servers import ThreadServer

APP = "from fastapi import FastAPI\nfrom mlmetrics import instrument, PrometheusMiddleware\n\napp = FastAPI()\n"
ECHO = '\n\n@app.websocket("/echo")\nasync def echo(websocket): ...\n'
BOTH = APP + "instrument(app, body_sizes=True)\n" + ECHO
KEYS = "body_sizes = true\nwebsockets = true\n"


def keys(root: Path, *modules: str) -> set[str]:
    """Write modules, and return what their source says of requests."""
    write(root, {f"part{number}.py": text for number, text in enumerate(modules)})
    return set(read_requests(Source(root)))


class TestSource:
    """What the source says."""

    @pytest.mark.parametrize(
        "line",
        [
            "instrument(app, body_sizes=True)",
            "instrument(app, body_sizes=settings.sizes)",
            "metrics.instrument(app, body_sizes=True)",
            "app.add_middleware(PrometheusMiddleware, body_sizes=True)",
            "app = PrometheusMiddleware(app, body_sizes=True)",
            "app = FastAPI(middleware=[Middleware(PrometheusMiddleware, body_sizes=True)])",
        ],
    )
    def test_sizes(self, tmp_path: Path, line: str) -> None:
        """Sizes are recorded where an argument says so, or may say so."""
        assert {"body_sizes"} == keys(tmp_path, f"{APP}{line}\n")

    @pytest.mark.parametrize("line", ["instrument(app)", "instrument(app, body_sizes=False)", "draw(body_sizes=True)"])
    def test_no_sizes(self, tmp_path: Path, line: str) -> None:
        """They are not without the argument, and not by that of another function."""
        assert set() == keys(tmp_path, f"{APP}{line}\n")

    @pytest.mark.parametrize(
        "text",
        [
            ECHO,
            '\n@router.websocket("/echo")\nasync def echo(websocket): ...\n',
            'app.add_api_websocket_route("/echo", echo)\n',
            'routes = [WebSocketRoute("/echo", echo)]\n',
        ],
    )
    def test_websockets(self, tmp_path: Path, text: str) -> None:
        """WebSockets are recorded if there is a route, in an application that is instrumented or will be."""
        assert {"websockets"} == keys(tmp_path / "instrumented", APP + "instrument(app)\n", text)
        assert {"websockets"} == keys(tmp_path / "bare", APP + text)

    @pytest.mark.parametrize(
        "text",
        ["", "client.websocket(URL)\n", "def f(websocket):\n    websocket.send('x')\n", "# WebSocketRoute(...)\n"],
    )
    def test_no_websockets(self, tmp_path: Path, text: str) -> None:
        """A client's WebSocket is no route."""
        assert set() == keys(tmp_path, APP + "instrument(app)\n" + text)

    def test_left_out(self, tmp_path: Path) -> None:
        """They are not recorded if every application leaves them out; if one does not, it may be the one."""
        off = APP + "instrument(app, websockets=False)\n"
        assert set() == keys(tmp_path, off + ECHO)
        assert {"websockets"} == keys(tmp_path, off + ECHO, APP + "instrument(app)\n")


class TestProject:
    """What is found is written into the configuration, and rendered."""

    def test_written(self, tmp_path: Path) -> None:
        """The section names the files; dashboards and the list of metrics have what it says."""
        write(tmp_path, {"shop/main.py": BOTH})
        assert 0 == run(tmp_path).exit_code
        assert f"\n[requests]  # shop/main.py\n{KEYS}" in (tmp_path / "mlmetrics.toml").read_text()
        main = (tmp_path / "monitoring/grafana/dashboards/mlmetrics-performance.json").read_text()
        assert "fastapi_websockets_open" in main
        assert "fastapi_response_size_bytes_sum" in main
        assert "fastapi_websocket_messages_total" in (tmp_path / "monitoring/metrics.md").read_text()
        assert 0 == run(tmp_path, "--check").exit_code

    def test_nothing(self, tmp_path: Path) -> None:
        """Without them there is no section."""
        write(tmp_path, {"main.py": APP + "instrument(app)\n"})
        assert 0 == run(tmp_path).exit_code
        assert "[requests]" not in (tmp_path / "mlmetrics.toml").read_text()
        assert ONLY_REQUESTS == load(tmp_path / "mlmetrics.toml").requests

    def test_service_left_out(self, tmp_path: Path) -> None:
        """What only a service records that is left out is not rendered."""
        write(tmp_path, {"shop/main.py": APP + "instrument(app, service_name='shop')\n", "till/main.py": BOTH})
        assert 0 == run(tmp_path, "--leave-out", "till").exit_code
        assert "[requests]" not in (tmp_path / "mlmetrics.toml").read_text()

    def test_edited(self, tmp_path: Path) -> None:
        """In a configuration that was edited, what differs is told in both directions."""
        write(tmp_path, {"main.py": BOTH})
        assert 0 == run(tmp_path).exit_code
        edit(tmp_path / "mlmetrics.toml", "body_sizes = true", "body_sizes = false")
        edit(tmp_path / "main.py", "@app.websocket", "@client.listens")
        told = run(tmp_path).stderr
        assert "the code records body_sizes (main.py), which the configuration leaves out" in told
        assert "[requests] says websockets = true, and nothing in the code records them" in told

    def test_agreed(self, tmp_path: Path) -> None:
        """What is the same on both sides is not told."""
        write(tmp_path, {"main.py": BOTH})
        assert [] == list(other_requests(ALL_OF_REQUESTS, read_operations(Source(tmp_path)).requests))
        assert [] == list(other_requests(ONLY_REQUESTS, {}))


class TestPages:
    """What a running service exposes."""

    def test_page(self, tmp_path: Path) -> None:
        """A route of WebSockets is on the page before its first connection, and is kept for later runs."""
        app, metrics = FastAPI(), MLMetrics(service="s", registry=CollectorRegistry())
        metrics.instrument(app, service_name="s")

        @app.websocket("/echo")
        async def echo(websocket: WebSocket) -> None:
            await websocket.accept()

        write(tmp_path, {"main.py": APP + "instrument(app)\n"})
        with ThreadServer(app) as server:
            assert {"websockets"} == set(recorded_at(server.url).requests)
            assert 0 == run(tmp_path, "--url", f"{server.url}/metrics").exit_code
        assert "\n[requests]\nwebsockets = true\n" in (tmp_path / "mlmetrics.toml").read_text()
        assert 0 == run(tmp_path, "--check").exit_code

    def test_sizes(self) -> None:
        """Sizes are known by their samples; other metrics of requests say nothing of them."""
        assert ["body_sizes"] == list(requests_on({"fastapi_request_size_bytes_count", "fastapi_requests_total"}))
        assert [] == list(requests_on({"fastapi_requests_total"}))
