"""The servers that other tests use start, answer and end."""

import socket
from collections.abc import Awaitable, Callable

import httpx
import pytest

from tests.servers import (
    Alertmanager,
    HTTPReceiver,
    NodeExporter,
    Prometheus,
    Pushgateway,
    Redis,
    ThreadServer,
    UvicornServer,
    VictoriaMetrics,
    free_port,
)

SCRAPE = """
global: {scrape_interval: 1s}
scrape_configs:
- job_name: pushgateway
  static_configs: [{targets: ["127.0.0.1:%d"]}]
"""
ROUTE = "route: {receiver: hook, group_wait: 0s}\nreceivers: [{name: hook, webhook_configs: [{url: 'http://127.0.0.1:%d/'}]}]\n"


async def hello(
    scope: dict[str, object], receive: Callable[..., Awaitable[object]], send: Callable[..., Awaitable[None]]
) -> None:
    """Answer every request with `hello`."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})


class TestPrometheus:
    """`Prometheus`."""

    def test_scrapes_a_pushgateway(self) -> None:
        """A scraped target is up, and its samples answer queries."""
        with Pushgateway() as gateway, Prometheus(SCRAPE % gateway.port) as prometheus:
            prometheus.wait_for("up == 1")
            assert [("up", "pushgateway")] == [(t["health"], t["labels"]["job"]) for t in prometheus.targets()]
            assert 1.0 == prometheus.query_value("pushgateway_build_info")
            assert 3.0 == prometheus.query_value("scalar(vector(3))")
            assert prometheus.query_value("nothing_of_this_name") is None

    def test_reads_its_configuration_again(self) -> None:
        """After `reload` the new rules are evaluated."""
        rules = "groups: [{name: g, interval: 1s, rules: [{record: answer, expr: vector(42)}]}]"
        with Prometheus("scrape_configs: []") as prometheus:
            prometheus.reload("rule_files: [rules.yml]", {"rules.yml": rules})
            assert "42" == prometheus.wait_for("answer")[0]["value"][1]

    def test_shows_why_it_did_not_start(self) -> None:
        """If a server ends at once, the error contains what it printed."""
        with pytest.raises(pytest.fail.Exception, match="no_such_key"), Prometheus("no_such_key: 1"):
            pass


class TestAlertmanager:
    """`Alertmanager`."""

    def test_sends_an_alert_to_a_webhook(self) -> None:
        """A posted alert reaches the receiver that the route names."""
        with HTTPReceiver() as hook, Alertmanager(ROUTE % hook.port) as manager:
            alert = {"labels": {"alertname": "Quiet"}}
            httpx.post(manager.url + "/api/v2/alerts", json=[alert], trust_env=False).raise_for_status()
            assert ["Quiet"] == [a["labels"]["alertname"] for a in manager.alerts()]
            assert ["Quiet"] == [a["labels"]["alertname"] for a in hook.wait()[0]["alerts"]]


class TestOthers:
    """The servers of which tests need only that they answer."""

    @pytest.mark.parametrize(("server", "path"), [(NodeExporter, "/metrics"), (VictoriaMetrics, "/api/v1/labels")])
    def test_answers(self, server: type[NodeExporter] | type[VictoriaMetrics], path: str) -> None:
        """The server answers at its own path."""
        with server() as running:
            assert running.get(path).is_success

    def test_redis_answers(self) -> None:
        """Redis answers a ping."""
        with Redis() as redis, socket.create_connection(("127.0.0.1", redis.port)) as connection:
            connection.sendall(b"PING\r\n")
            assert b"+PONG\r\n" == connection.recv(16)

    def test_port_is_free_afterwards(self) -> None:
        """The end of the block ends a server, and nothing listens on its port any more."""
        with Pushgateway() as gateway:
            pass
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", gateway.port), timeout=1)

    def test_free_port_is_free(self) -> None:
        """Nothing listens on a port that `free_port` returned."""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", free_port()), timeout=1)


class TestApplications:
    """`UvicornServer` and `ThreadServer`."""

    def test_process(self) -> None:
        """An application named by its import string is served by a process."""
        with UvicornServer("tests.test_servers:hello", args=("--lifespan", "off")) as server:
            assert "hello" == server.get("/").text

    def test_thread(self) -> None:
        """An application object is served by a thread."""
        with ThreadServer(hello, lifespan="off") as server:
            assert "hello" == httpx.get(server.url, trust_env=False).text
