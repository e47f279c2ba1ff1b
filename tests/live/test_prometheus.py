"""The page on a real Prometheus: the same tiles, asked of the server, and the server's own alerts."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler

import httpx
import pytest

from mlmetrics.errors import ConfigurationError
from mlmetrics.live import prometheus as module
from mlmetrics.live.feed import View, live_feed
from mlmetrics.monitoring.loading import parse
from mlmetrics.monitoring.prometheus.files import server_files
from mlmetrics.monitoring.text import yaml_text
from tests.apps import HandlerServer, QuietHandler
from tests.live.following import newest, until
from tests.live.test_feed import Turning
from tests.monitoring.grafana.stage import each_second
from tests.programs import free_port, wait_until
from tests.servers import Prometheus

OPENS = "open"
EXPECTED = "expected an address of a Prometheus, such as http://localhost:9090"
RULED = '[[service]]\nname = "cv"\ntargets = ["here:1"]\n[alert.HighMLFailureRate]\nshare = 0.07\nfor = "0s"\n'
"""A share that the service passes, and that no default has."""


class Gate(HandlerServer):
    """Stands before a Prometheus: asks for a token, has a path, and may hang or break each query."""

    def __init__(self, url: str) -> None:
        self.hangs = threading.Event()
        self.over = threading.Event()
        self.refused = "none"
        self.asked = 0
        self._url = url

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """Return the class that answers."""
        gate = self

        class Handler(QuietHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:  # noqa: N802 - as http.server calls it
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                gate.asked += 1
                if gate.hangs.is_set():
                    gate.over.wait(30)
                if not self.path.startswith("/prometheus/"):
                    self.answer(404, b"<html>Nothing here", **{"Content-Type": "text/html"})
                elif self.headers.get("Authorization") != "Bearer open":
                    self.answer(401, b"No")
                elif gate.refused in body:
                    self.answer(422, json.dumps({"status": "error", "error": "too many samples"}).encode())
                else:
                    url = gate._url + self.path.removeprefix("/prometheus")
                    headers = {"Content-Type": self.headers.get("Content-Type", "")}
                    found = httpx.request(self.command, url, content=body, headers=headers, trust_env=False)
                    with contextlib.suppress(ConnectionError):  # the other side has given up
                        self.answer(found.status_code, found.content)

            do_POST = do_GET  # noqa: N815 - as http.server calls it

        return Handler


@pytest.fixture(scope="module")
def service() -> Iterator[Turning]:
    """Return a service, a tenth of whose calls fail."""
    with Turning() as running:
        yield running
        running.over.set()


def scraping(service: Turning, **more: object) -> str:
    """Return the configuration of a Prometheus that reads the service every second."""
    job = {"job_name": "cv", "static_configs": [{"targets": [f"127.0.0.1:{service.port}"]}]}
    intervals = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    return yaml_text({"global": intervals, "scrape_configs": [job], **more})


@pytest.fixture(scope="module")
def server(service: Turning) -> Iterator[Prometheus]:
    """Return a Prometheus without rules."""
    with Prometheus(scraping(service)) as running:
        running.wait_for("rate(ml_inference_total[5s]) > 0")
        yield running


@pytest.fixture(scope="module")
def ruled(service: Turning) -> Iterator[Prometheus]:
    """Return a Prometheus with the rules of a configuration."""
    files = server_files(parse(RULED))
    rules = {name: each_second(text) for name, text in files.items() if name.startswith("rules/")}
    with Prometheus(scraping(service, rule_files=sorted(rules)), rules) as running:
        running.wait_for('ALERTS{alertname="HighMLFailureRate",alertstate="firing"}', timeout=60)
        yield running


@pytest.fixture
def gate(server: Prometheus) -> Iterator[Gate]:
    """Return what stands before the Prometheus."""
    with Gate(server.url) as standing:
        yield standing
        standing.over.set()


async def test_shows_what_the_server_has(server: Prometheus) -> None:
    """Tiles, table, targets and alerts come from the server, with the past that it has."""
    async with live_feed([], prometheus=server.url) as feed:
        data = await until(feed, lambda each: newest(each, "inferences").get("Inferences") and each["alerts"])
        layout = json.loads(await feed.layout(View()))
    assert newest(data, "inferences")["Inferences"] > 5
    assert pytest.approx(0.9) == newest(data, "inference-success")["Inference success"]
    (row,) = data["models"]
    assert ("gpt-4", "TimeoutError") == (row["model"], row["error"])
    (target,) = data["targets"]
    assert (True, "", 14) == (target["up"], target["why"], target["samples"])
    assert "inferences" in {tile["id"] for row in layout["rows"] for tile in row["tiles"]}
    states = {each["name"]: each["state"] for each in data["alerts"]}
    assert "unknown" not in states.values()
    assert "inactive" == states["HighErrorRate"]
    assert (["cv"], ["gpt-4"]) == (data["services"], data["all_models"])


async def test_past(server: Prometheus) -> None:
    """A view that is opened has the past that the server has, and its table."""
    async with live_feed([], prometheus=server.url) as feed:
        await until(feed, lambda each: newest(each, "inferences").get("Inferences"))
        server.wait_for("rate(ml_inference_total[4s] offset 6s) > 0")
        data = await until(feed, lambda _each: True, View(service="cv"))
        assert newest(data, "api-request-rate")
        assert data["times"]
        assert ["gpt-4"] == [row["model"] for row in data["models"]]


async def test_alerts_of_the_server(ruled: Prometheus) -> None:
    """Where the rules are loaded, thresholds, states and times are those of the server, whatever is the default."""
    (expected,) = [each for each in ruled.alerts() if each["labels"]["alertname"] == "HighMLFailureRate"]
    async with live_feed([], prometheus=ruled.url) as feed:
        data = await until(feed, lambda each: each["alerts"] and each["times"])
    (alert,) = [each for each in data["alerts"] if each["name"] == "HighMLFailureRate"]
    assert ("firing", 0.07, ">", "critical") == tuple(
        alert[key] for key in ("state", "threshold", "operator", "severity")
    )
    assert {"model": "gpt-4", "service": "cv"} == alert["labels"]
    assert expected["annotations"]["summary"] == alert["summary"]
    assert pytest.approx(0.1) == alert["value"]
    assert round(datetime.fromisoformat(expected["activeAt"]).timestamp() * 1000) == alert["since"]
    (other,) = [each for each in data["alerts"] if each["name"] == "HighErrorRate"]
    assert "inactive" == other["state"]
    assert "MatchingScoreDrift" not in {each["name"] for each in data["alerts"]}


async def test_a_rule_that_the_server_cannot_evaluate(service: Turning, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that fails there is unknown, with the server's reason."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    rule = {"alert": "HighErrorRate", "expr": "fastapi_requests_total * on () ml_inference_total > 1"}
    rules = {"rules/x.yml": yaml_text({"groups": [{"name": "mlmetrics-alerts", "rules": [rule]}]})}
    with Prometheus(scraping(service, rule_files=["rules/x.yml"]), rules) as running:
        running.wait_for("ml_inference_total")
        async with live_feed([], prometheus=running.url) as feed:
            data = await until(feed, lambda each: "duplicate series" in str(each["alerts"]))
    (alert,) = data["alerts"]
    assert "unknown" == alert["state"]
    assert "duplicate series" in alert["why"]


async def test_a_token_and_a_path(gate: Gate) -> None:
    """A server behind a path that wants a token is read with both."""
    async with live_feed([], prometheus=f"{gate.url}/prometheus/", token=OPENS) as feed:
        data = await until(feed, lambda each: newest(each, "inferences").get("Inferences"))
    assert [""] == [target["why"] for target in data["targets"]]


@pytest.mark.parametrize(
    ("path", "token", "why"),
    [
        ("/prometheus", "", "answers 401; a bearer token is needed (--bearer-token-file)"),
        ("/prometheus", "wrong", "answers 401; another bearer token is needed (--bearer-token-file)"),
        (
            "",
            "open",
            f"answers 404, but not as a Prometheus; {EXPECTED}, with the path before /api/v1 if there is one",
        ),
    ],
)
async def test_says_why_not(gate: Gate, path: str, token: str, why: str) -> None:
    """A server that does not let the page in, or is none, is told with what to do."""
    async with live_feed([], prometheus=gate.url + path, token=token) as feed:
        data = await until(feed, lambda each: each["targets"] and not each["targets"][0]["up"])
    assert [why] == [target["why"] for target in data["targets"]]


async def test_a_server_that_hangs(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that hangs is told within the time of one tick, its numbers are not shown as new, and it comes back."""
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 2.0)
    async with live_feed([], prometheus=f"{gate.url}/prometheus", token=OPENS) as feed:
        data = await until(feed, lambda each: newest(each, "inferences").get("Inferences") and each["alerts"])
        gate.hangs.set()
        data = await until(feed, lambda each: not each["targets"][0]["up"])
        assert "no answer within 2 s; is it busy?" == data["targets"][0]["why"]
        assert None is newest(data, "inferences")["Inferences"]
        assert {"unknown"} == {each["state"] for each in data["alerts"]}
        gate.hangs.clear()
        gate.over.set()
        data = await until(feed, lambda each: [""] == [target["why"] for target in each["targets"]])
        assert newest(data, "inferences")["Inferences"]
        assert "unknown" not in {each["state"] for each in data["alerts"]}


async def test_ends_while_it_is_asking(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of the page does not wait for a server that hangs, nor for queries that have not been sent."""
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 3600.0)
    async with live_feed([], prometheus=f"{gate.url}/prometheus", token=OPENS) as feed:
        await until(feed, lambda each: newest(each, "inferences").get("Inferences"))
        gate.hangs.set()
        asked = gate.asked + module.CONNECTIONS
        await asyncio.to_thread(wait_until, lambda: gate.asked >= asked, timeout=60, what=lambda: "nothing was asked")
    await asyncio.wait_for(asyncio.get_running_loop().shutdown_default_executor(), 60)


async def test_a_query_that_is_refused(gate: Gate) -> None:
    """A query that the server refuses has no values, which is told; the others go on."""
    gate.refused = "ml_inference_in_progress"
    async with live_feed([], prometheus=f"{gate.url}/prometheus", token=OPENS) as feed:
        data = await until(
            feed, lambda each: newest(each, "inferences").get("Inferences") and each["targets"][0]["why"]
        )
    assert data["targets"][0]["up"]
    assert "queries have no answer: too many samples" in data["targets"][0]["why"]
    assert not newest(data, "in-progress").get("In progress")


async def test_a_server_that_is_down() -> None:
    """A server that cannot be reached is told as a target that is down."""
    url = f"http://127.0.0.1:{free_port()}"
    async with live_feed([], prometheus=url) as feed:
        data = await until(feed, lambda each: each["targets"])
    (target,) = data["targets"]
    assert (url, False) == (target["url"], target["up"])
    assert "cannot be asked" in target["why"]
    assert "is it running?" in target["why"]


@pytest.mark.parametrize("url", ["ftp://a/b", "http://", "http://a:x", "http://user:pass@a", "http://a b"])
def test_refuses_what_is_no_address(url: str) -> None:
    """An address that is none is refused at once."""
    with pytest.raises(ConfigurationError, match=EXPECTED):
        live_feed([], prometheus=url)


def test_refuses_a_file_without_certificates() -> None:
    """A file of authorities that is not there is refused at once."""
    with pytest.raises(ConfigurationError, match="expected a file of certificates in PEM"):
        live_feed([], prometheus="https://localhost:1", ca_file="no-such-file")
