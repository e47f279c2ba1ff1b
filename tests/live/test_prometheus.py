"""The page on a real Prometheus: the same tiles, asked of the server."""

import json
from collections.abc import Iterator

import pytest

from mlmetrics.errors import ConfigurationError
from mlmetrics.live.feed import View, live_feed
from mlmetrics.monitoring.text import yaml_text
from tests.live.following import newest, until
from tests.live.test_feed import Turning
from tests.programs import free_port
from tests.servers import Prometheus


@pytest.fixture(scope="module")
def server() -> Iterator[Prometheus]:
    """Return a Prometheus that reads a service every second."""
    with Turning() as service:
        job = {"job_name": "cv", "static_configs": [{"targets": [f"127.0.0.1:{service.port}"]}]}
        config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}
        with Prometheus(yaml_text(config)) as running:
            running.wait_for("rate(ml_inference_total[5s]) > 0")
            yield running
        service.over.set()


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
    assert (True, "") == (target["up"], target["why"])
    assert "inferences" in {tile["id"] for row in layout["rows"] for tile in row["tiles"]}
    states = {each["name"]: each["state"] for each in data["alerts"]}
    assert "unknown" not in states.values()
    assert "inactive" == states["HighErrorRate"]


async def test_past(server: Prometheus) -> None:
    """A view that is opened has the past that the server has."""
    async with live_feed([], prometheus=server.url) as feed:
        await until(feed, lambda each: newest(each, "inferences").get("Inferences"))
        server.wait_for("rate(ml_inference_total[4s] offset 6s) > 0")
        data = await until(feed, lambda _each: True, View(service="cv"))
        assert newest(data, "api-request-rate")
        assert data["times"]


async def test_a_server_that_is_down() -> None:
    """A server that cannot be reached is told as a target that is down."""
    url = f"http://127.0.0.1:{free_port()}"
    async with live_feed([], prometheus=url) as feed:
        data = await until(feed, lambda each: each["targets"])
    (target,) = data["targets"]
    assert (url, False) == (target["url"], target["up"])
    assert "cannot be asked" in target["why"]


@pytest.mark.parametrize("url", ["ftp://prometheus", "http://a:b", "http://user:pass@prometheus"])
def test_refuses_what_is_no_address(url: str) -> None:
    """An address that is none is refused at once."""
    with pytest.raises(ConfigurationError, match="expected an address of a Prometheus, such as http://localhost:9090"):
        live_feed([], prometheus=url)
