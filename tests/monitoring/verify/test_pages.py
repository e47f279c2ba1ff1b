"""Pages by their addresses: `/metrics` beneath them, and one line for whatever is no page of metrics."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.verify.pages import Pages, metrics_address, read_pages
from tests.servers import ThreadServer, free_port

METRICS = "# TYPE shop_queue gauge\nshop_queue 3\n"


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Return a function that serves answers by path, and returns the address."""
    started: list[ThreadServer] = []

    def start(**answers: Any) -> str:
        app = FastAPI(openapi_url=None)
        for name, answer in answers.items():
            app.get("/" if name == "root" else f"/{name}")(lambda answer=answer: answer)
        server = ThreadServer(app)
        started.append(server)
        return server.__enter__().url

    yield start
    for server in started:
        server.__exit__(None, None, None)


def only(pages: Pages) -> str:
    """Return the text about the one page, which is no page of metrics."""
    assert not pages.read
    (finding,) = [*pages.unreachable, *pages.other]
    assert ("error", "page") == (finding.level, finding.kind)
    assert "\n" not in finding.text
    return finding.text


class TestMetricsBeneath:
    """Where an address has no metrics, `/metrics` beneath it is tried."""

    @pytest.mark.parametrize(
        "root",
        [None, HTMLResponse("<h1>hello</h1>"), PlainTextResponse("<!DOCTYPE html><p>"), Response(status_code=404)],
    )
    def test_is_found(self, serve: Callable[..., str], root: Any) -> None:
        """A 404 or an HTML page at the root leads to `/metrics`, and findings name that address."""
        answers = {"metrics": PlainTextResponse(METRICS)} | ({"root": root} if root else {})
        url = serve(**answers)
        assert {f"{url}/metrics"} == set(read_pages([url]).read)
        assert {f"{url}/metrics"} == set(read_pages([f"{url}/"]).read)

    def test_of_its_own(self, serve: Callable[..., str]) -> None:
        """An address that has metrics is taken as it is."""
        url = serve(root=PlainTextResponse(METRICS), metrics=PlainTextResponse("other 1\n"))
        assert {url} == set(read_pages([url]).read)
        assert {"shop_queue"} == read_pages([url]).read[url].names

    def test_is_not_there(self, serve: Callable[..., str]) -> None:
        """An HTML page without `/metrics` is an HTML page, and a 404 twice is a 404."""
        assert only(read_pages([serve(root=HTMLResponse("<p>"))])).startswith("is an HTML page, not metrics; expected")
        assert "404 Not Found" in only(read_pages([serve()]))

    def test_address(self) -> None:
        """A path is kept, and a query is not."""
        assert "http://a:1/b/metrics" == metrics_address("http://a:1/b/?x=1")
        assert metrics_address("http://a:1/b/metrics/") is None


class TestNoMetrics:
    """Each reason is one line."""

    @pytest.mark.parametrize(
        ("answer", "text"),
        [
            (HTMLResponse("<p>"), "is an HTML page, not metrics"),
            (JSONResponse({"a": 1}), "has no metrics but application/json: '{\"a\":1}'"),
            (PlainTextResponse("hello there"), "has no metrics but text/plain: 'hello there'"),
            (PlainTextResponse(""), "is an empty page"),
            (PlainTextResponse(b"\xff\xfe"), "the answer is not text in UTF-8"),
            (PlainTextResponse("busy", status_code=503), "503 Service Unavailable"),
            (JSONResponse({"error": "not now"}, status_code=400), "400 Bad Request: not now"),
        ],
    )
    def test_answers(self, serve: Callable[..., str], answer: Response, text: str) -> None:
        """A server that answers something else."""
        assert text in only(read_pages([f"{serve(metrics=answer)}/metrics"]))

    def test_refused(self) -> None:
        """No server."""
        text = only(read_pages([f"http://127.0.0.1:{free_port()}"]))
        assert "cannot be read (the connection was refused: no server listens there)" in text

    def test_unknown_host(self) -> None:
        """No such host."""
        assert "the host is not known" in only(read_pages(["http://no-such-host.invalid/metrics"]))

    def test_no_answer(self) -> None:
        """A server that takes the connection and says nothing."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/metrics"
            assert "no answer within 0.3 s" in only(read_pages([url], timeout_seconds=0.3))

    @pytest.mark.parametrize("url", ["file:///etc/passwd", "localhost:80", "metrics"])
    def test_no_address(self, url: str) -> None:
        """What is no address is refused before anything is read."""
        with pytest.raises(ConfigurationError, match="expected an address such as http"):
            read_pages([url])


def test_several(serve: Callable[..., str]) -> None:
    """Pages that can be read are read, whatever the others are; one that is given twice is read once."""
    good, other = serve(metrics=PlainTextResponse(METRICS)), serve(metrics=HTMLResponse("<p>"))
    gone = f"http://127.0.0.1:{free_port()}/metrics"
    pages = read_pages([gone, f"{other}/metrics", good, good])
    assert {f"{good}/metrics"} == set(pages.read)
    assert [gone] == [finding.url for finding in pages.unreachable]
    assert [f"{other}/metrics"] == [finding.url for finding in pages.other]
