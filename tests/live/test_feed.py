"""The feed: what viewers get from targets, while some of them misbehave."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import pytest

from mlmetrics.errors import ConfigurationError
from mlmetrics.live.feed import Feed, TooManyViews, View, live_feed
from tests.live.following import events, newest, until
from tests.live.pages import PageServer
from tests.programs import free_port

BUCKETS = ("0.1", "1.0", "30.0", "+Inf")


def page(turn: int, *, model: str = "gpt-4", service: str = "cv", slow: bool = False) -> str:
    """Return the page of a service with one model, after some turns of ten calls; slow calls take over 30 s."""
    labels = f'model="{model}",operation="",service="{service}"'
    counts = (0, 0, 0, 10) if slow else (2, 10, 10, 10)
    name = "ml_inference_duration_seconds"
    lines = [
        f'{name}_bucket{{le="{bound}",{labels}}} {count * turn}' for bound, count in zip(BUCKETS, counts, strict=True)
    ]
    lines += [f"{name}_count{{{labels}}} {10 * turn}", f"{name}_sum{{{labels}}} {5 * turn}"]
    shares = {"success": 9, "failure": 1, "cancelled": 0}
    lines += [f'ml_inference_total{{outcome="{each}",{labels}}} {share * turn}' for each, share in shares.items()]
    lines += [
        f'ml_inference_errors_total{{error_type="TimeoutError",{labels}}} {turn}',
        f"ml_inference_in_progress{{{labels}}} 3",
        f'fastapi_requests_total{{method="GET",route="/",service="{service}",status="200"}} {20 * turn}',
        "process_start_time_seconds 1.7e9",
        'mlmetrics_build_info{version="1"} 1',
    ]
    return "\n".join(lines) + "\n"


class Turning(PageServer):
    """A service whose counters grow by ten calls at every scrape."""

    def __init__(self, **options: str | bool) -> None:
        super().__init__()
        self.turn = 0
        self.options = options

    @property
    def page(self) -> str:
        """The page, one turn later each time."""
        self.turn += 1
        return page(self.turn, **self.options)  # type: ignore[arg-type]  # as named

    @page.setter
    def page(self, _text: str) -> None:
        return


@pytest.fixture
def service() -> Iterator[Turning]:
    """Return a running service."""
    with Turning() as server:
        yield server
        server.over.set()


@pytest.fixture
async def feed(service: Turning) -> AsyncIterator[Feed]:
    """Return a feed of the service, of a target that is down and of one that hangs."""
    urls = [f"{service.url}/metrics", f"http://127.0.0.1:{free_port()}/metrics", f"{service.url}/hang"]
    async with live_feed(urls) as running:
        yield running


async def test_tiles(feed: Feed) -> None:
    """Rates, shares, quantiles and values are those of the page; what is not recorded has no tile."""
    data = await until(feed, lambda each: newest(each, "inferences").get("Inferences"))
    # How long two scrapes are apart depends on the machine; there are twice as many requests as calls.
    assert pytest.approx(2 * newest(data, "inferences")["Inferences"], rel=1e-4) == newest(data, "requests")["Requests"]
    assert pytest.approx(0.9) == newest(data, "inference-success")["Inference success"]
    assert {"cv"} == set(newest(data, "api-request-rate"))
    assert pytest.approx(0.4375) == newest(data, "latency-percentiles")["p50 gpt-4 · cv"]
    assert 3 == newest(data, "in-progress")["In progress"]
    assert list(BUCKETS) == data["tiles"]["latency"]["bounds"]
    assert "first-chunk" not in data["tiles"]
    rows = json.loads(await feed.layout(View()))["rows"]
    declared = {tile["id"]: tile for row in rows for tile in row["tiles"]}
    assert set(declared) == set(data["tiles"])
    threshold = {"alert": "HighMLFailureRate", "value": 0.9, "above": False, "of_limit": False}
    assert threshold == declared["inference-success"]["threshold"]
    assert (3, 1) == (declared["latency-percentiles"]["queries"], declared["latency"]["queries"])


async def test_models(feed: Feed) -> None:
    """The table has a row for each model, with the type of its last failure."""
    data = await until(feed, lambda each: each["models"] and each["models"][0]["calls"])
    (row,) = data["models"]
    expected = {"model": "gpt-4", "service": "cv", "operation": "", "success": 0.9, "error": "TimeoutError"}
    assert expected == {key: row[key] for key in expected}
    assert (["cv"], ["gpt-4"]) == (data["services"], data["all_models"])


async def test_targets(feed: Feed, service: Turning) -> None:
    """The target that is down says why, the one that hangs too, and the others go on."""
    data = await until(feed, lambda each: "hang" in str([target["why"] for target in each["targets"]]))
    first, refused, hangs = data["targets"]
    assert (True, "", 14) == (first["up"], first["why"], first["samples"])
    assert (False, "the connection was refused: no server listens there; is the service running?") == (
        refused["up"],
        refused["why"],
    )
    assert not hangs["up"]
    assert service.turn > 1


async def test_restarts(feed: Feed, service: Turning) -> None:
    """A target whose counters begin again at 0 says so, and its rate does not fall below 0."""
    await until(feed, lambda each: newest(each, "inferences").get("Inferences"))
    service.turn = 0
    data = await until(feed, lambda each: each["targets"][0]["why"])
    assert "counters began again at 0: the process has restarted" == data["targets"][0]["why"]
    assert newest(data, "inferences")["Inferences"] > 0


async def test_alerts() -> None:
    """A rule whose condition holds is pending with its value; one whose window is too long needs a Prometheus."""
    with Turning(slow=True) as slow:
        async with live_feed([f"{slow.url}/metrics"]) as feed:

            def is_pending(data: dict[str, object]) -> bool:
                return "pending" in str([each for each in data["alerts"] if each["name"] == "SlowMLInference"])  # type: ignore[attr-defined]  # rows

            data = await until(feed, is_pending)
    (alert,) = [each for each in data["alerts"] if each["name"] == "SlowMLInference"]
    expected = {"state": "pending", "value": 1, "threshold": 0.05, "operator": ">", "unit": "percentunit", "for": 300}
    assert expected == {key: alert[key] for key in expected}
    assert {"model": "gpt-4", "service": "cv"} == alert["labels"]
    assert "gpt-4" in alert["summary"]
    assert alert["since"]
    states = {each["name"]: (each["state"], each["why"]) for each in data["alerts"]}
    assert ("inactive", "") == states["HighErrorRate"]
    assert "LowParsingAccuracy" not in states


async def test_views(feed: Feed) -> None:
    """A view of one service has that service's numbers, with its past; one of an unknown service has none."""
    await until(feed, lambda each: len(each["times"]) == 1 and newest(each, "inferences").get("Inferences"))
    data = await until(feed, lambda _each: True, View(service="cv"))
    assert len(data["times"]) > 1
    assert newest(data, "inferences")["Inferences"]
    data = await until(feed, lambda _each: True, View(service="other"))
    assert [None] == list(newest(data, "inferences").values()) or not newest(data, "inferences")


async def test_many_viewers_get_the_same_bytes(feed: Feed) -> None:
    """A tick is serialised once: all viewers get the same object, and a slow one gets all data at once."""
    async with aclosing(feed.events(View())) as one, aclosing(feed.events(View())) as other:  # type: ignore[type-var]  # generators
        assert (await anext(one)).startswith(b"event: history\ndata: {")
        await anext(other)
        while True:
            first, second = await asyncio.gather(anext(one), anext(other))
            if first.startswith(b"id: "):
                break
        assert first is second
        async for kind, _ in events(feed):
            if kind == "tick":
                break
        for _ in range(2):
            await anext(one)
        slow = await anext(other)
        assert slow.startswith((b"event: history", b"event: layout"))


async def test_too_many_views(feed: Feed) -> None:
    """The ninth view is refused with what to do."""
    for number in range(7):
        await feed.layout(View(model=f"m{number}"))
    with pytest.raises(TooManyViews, match="8 choices of service and model are watched already; close a page"):
        await feed.layout(View(model="another"))


async def test_ends(service: Turning) -> None:
    """When the feed ends, the iterators of its viewers end too."""
    feed = live_feed([f"{service.url}/metrics"])
    await feed.start()
    async with aclosing(feed.events(View())) as one:  # type: ignore[type-var]  # a generator
        assert await anext(one)

    async def rest() -> int:
        return len([each async for each in feed.events(View())])

    watching = asyncio.create_task(rest())
    await until(feed, lambda each: each["targets"])
    await feed.stop()
    assert await asyncio.wait_for(watching, 10) >= 1


async def test_text_of_targets_is_data() -> None:
    """A model named like markup is data in JSON that may stand in a page."""
    with Turning(model="</script><img onerror=alert(1)>") as server:
        async with live_feed([f"{server.url}/metrics"]) as feed:
            await until(feed, lambda each: each["models"])
            async for block in feed.events(View()):
                assert b"</script" not in block
                break


def test_refuses_nothing_to_read() -> None:
    """Without an address there is nothing to read."""
    with pytest.raises(ConfigurationError, match="no address to read; expected some such as http://localhost:5051"):
        live_feed([])
