"""The server of the live page: what it answers, to whom, and with which headers."""

import asyncio
import gzip
import json
import re
import socket
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from typing import Any

import httpx
import pytest
import uvicorn

from mlmetrics.errors import ConfigurationError
from mlmetrics.live.feed import TooManyViews, View
from mlmetrics.live.server import LiveServer, create_app
from tests.live.generated import GeneratedFeed
from tests.programs import HOST, wait_until
from tests.servers import ThreadServer

TOKEN = "a-token-that-nobody-guesses"  # noqa: S105 - of tests
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "connect-src": "'self'",
    "img-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}


class Served:
    """A feed, and the server that shows it."""

    def __init__(self, feed: GeneratedFeed, server: ThreadServer) -> None:
        self.feed = feed
        self.port = server.port
        self._client = httpx.Client(base_url=server.url, trust_env=False, timeout=30.0)

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Answer a request, without following redirects."""
        return self._client.get(path, headers=headers)

    @contextmanager
    def events(self, path: str = "/events", *, encoding: str = "identity") -> Iterator[Iterator[tuple[str, Any]]]:
        """Give the events of a stream, as kind and data."""
        with self._client.stream("GET", path, headers={"accept-encoding": encoding}) as answer:
            assert 200 == answer.status_code
            yield read(answer)

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()


def read(answer: httpx.Response) -> Iterator[tuple[str, Any]]:
    """Yield the events of a stream."""
    unpack = zlib.decompressobj(wbits=31) if answer.headers.get("content-encoding") == "gzip" else None
    text = b""
    for part in answer.iter_raw():
        text += unpack.decompress(part) if unpack else part
        while b"\n\n" in text:
            block, _, text = text.partition(b"\n\n")
            fields = dict(line.split(": ", 1) for line in block.decode().split("\n"))
            if "event" in fields:
                yield fields["event"], json.loads(fields["data"])


@contextmanager
def serve(feed: GeneratedFeed | None = None, **options: Any) -> Iterator[Served]:
    """Serve a feed on a free port of loopback."""
    feed = feed or GeneratedFeed(past=3)
    app = create_app(feed, **options)
    with ThreadServer(app, timeout_graceful_shutdown=1) as server, closing(Served(feed, server)) as served:
        yield served


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """Start a server for this module."""
    with serve() as served:
        yield served


@pytest.fixture(scope="module")
def guarded() -> Iterator[Served]:
    """Start a server that asks for a token."""
    with serve(host="0.0.0.0", token=TOKEN) as served:  # noqa: S104 - it listens on loopback
        yield served


class TestPage:
    """`/` and `/layout`."""

    def test_every_tile_stands_in_the_page(self, served: Served) -> None:
        """The page has a place for every declared tile, and no style or script inside."""
        page = served.get("/").text
        layout = served.get("/layout").json()
        ids = [tile["id"] for row in layout["rows"] for tile in row["tiles"]]
        assert ids == re.findall(r'data-tile="([^"]+)"', page)
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script>|javascript:", page)

    def test_the_layout_is_part_of_the_page(self, served: Served) -> None:
        """The script block has what `/layout` answers."""
        (block,) = re.findall(r'<script type="application/json" id="layout">(.*?)</script>', served.get("/").text)
        assert served.get("/layout").json() == json.loads(block)

    def test_texts_are_texts(self) -> None:
        """Titles and the names in the address never become markup."""
        feed = GeneratedFeed(past=1)
        evil = "</script><img src=x onerror=alert(1)>\"'"
        first = next(iter(feed.stats.values()))
        feed.stats = {"x": ({**first[0], "title": evil, "description": evil}, first[1])}
        with serve(feed) as served:
            page = served.get("/?service=%3Cimg%20src%3Dx%3E&model=%22%3E%3Cscript%3E").text
        assert "<img" not in page
        assert 3 == page.count("<script")
        assert 3 == page.count("</script>")

    def test_the_chosen_view_is_selected(self, served: Served) -> None:
        """The service in the address is chosen in the page, before any script runs."""
        assert '<option value="a b" selected>a b</option>' in served.get("/?service=a%20b").text

    def test_compressed_where_the_browser_takes_it(self, served: Served) -> None:
        """A client that refuses gzip gets plain text."""
        assert "gzip" == served.get("/", **{"accept-encoding": "gzip"}).headers["content-encoding"]
        assert "content-encoding" not in served.get("/", **{"accept-encoding": "gzip;q=0"}).headers


class TestHeaders:
    """What every answer says to the browser."""

    @pytest.mark.parametrize("path", ["/", "/layout", "/static/x/live.js", "/nothing"])
    def test_policy(self, served: Served, path: str) -> None:
        """Nothing but what comes from the server itself is loaded, and nobody may frame the page."""
        headers = served.get(path).headers
        told = dict(each.strip().split(" ", 1) for each in headers["content-security-policy"].split(";"))
        assert POLICY == told
        assert "nosniff" == headers["x-content-type-options"]
        assert "no-referrer" == headers["referrer-policy"]

    @pytest.mark.parametrize(
        ("host", "status"),
        [
            *((name, 200) for name in ("localhost", "localhost:1", "127.0.0.1", "127.9.9.9:80", "[::1]:8000")),
            *((name, 421) for name in ("evil.example", "localhost.evil.example:80", "192.168.1.2", "127.0.0.1.nip.io")),
        ],
    )
    def test_only_names_of_this_machine(self, served: Served, host: str, status: int) -> None:
        """On loopback a name that somebody else points here is refused, with what to do."""
        answer = served.get("/", host=host)
        assert status == answer.status_code
        assert (status == 200) or "http://localhost" in answer.text

    @pytest.mark.parametrize("path", ["/layout", "/events", "/static/x/live.js"])
    def test_other_pages_ask_in_vain(self, served: Served, path: str) -> None:
        """What another origin asks for is refused before any work is done."""
        assert 403 == served.get(path, **{"sec-fetch-site": "cross-site"}).status_code


class TestFiles:
    """`/static/…`."""

    def addresses(self, served: Served) -> set[str]:
        """Return the addresses of all files that the page names."""
        return set(re.findall(r'(?:src|href)="(static/[^"]+)"', served.get("/").text))

    def test_files_are_kept_for_ever(self, served: Served) -> None:
        """Every file has an address of its content, is compressed, and need not be asked for again."""
        found = self.addresses(served)
        assert len(found) > 10
        for address in found:
            answer = served.get(f"/{address}", **{"accept-encoding": "gzip"})
            assert 200 == answer.status_code
            assert "public, max-age=31536000, immutable" == answer.headers["cache-control"]
            assert "gzip" == answer.headers["content-encoding"]
            assert answer.headers["content-type"].split(";")[0] in {"text/css", "text/javascript", "image/svg+xml"}
            same = served.get(f"/{address}", **{"if-none-match": answer.headers["etag"]})
            assert 304 == same.status_code

    def test_modules_import_what_exists(self, served: Served) -> None:
        """Every import of a module names a file that is preloaded with the page."""
        found = self.addresses(served)
        folder = next(iter(found)).rpartition("/")[0]
        imported = set()
        for address in found:
            imported |= set(re.findall(r'from "\./([^"]+)"', served.get(f"/{address}").text))
        assert imported
        assert {f"{folder}/{name}" for name in imported} <= found

    @pytest.mark.parametrize("path", ["/static/0/live.js", "/static/0/..%2fserver.py", "/static/../server.py"])
    def test_nothing_else(self, served: Served, path: str) -> None:
        """The files of another release, and those outside, are not there."""
        assert 404 == served.get(path).status_code

    def test_little_is_sent(self, served: Served) -> None:
        """All files together are smaller than a tenth of a library of charts."""
        sizes = [
            len(gzip.compress(served.get(f"/{address}").content))
            for address in self.addresses(served)
            if address.endswith((".js", ".css"))
        ]
        assert 50_000 > sum(sizes)


class TestEvents:
    """`/events`."""

    def test_history_and_then_ticks(self, served: Served) -> None:
        """A viewer gets what there is, and then each tick."""
        with served.events() as events:
            kind, history = next(events)
            assert "history" == kind
            served.feed.tick()
            told = next(events)
        assert ("tick", served.feed.at(View(), served.feed.step)) == told
        assert 3 == len(history["times"])

    def test_same_numbers_compressed(self, served: Served) -> None:
        """A compressed stream has the same events, for a viewer who comes late too."""
        with served.events(encoding="gzip") as first:
            next(first)
            served.feed.tick()
            kind, tick = next(first)
            with served.events(encoding="gzip") as second:
                assert tick["times"][0] == next(second)[1]["times"][-1]
                served.feed.tick()
                assert "tick" == kind
                assert next(first) == next(second)

    def test_of_one_service_and_model(self, served: Served) -> None:
        """The view in the address decides what is sent."""
        with served.events("/events?service=matching-service&model=gemini-2-flash") as events:
            (row,) = next(events)[1]["models"]
        assert ("matching-service", "gemini-2-flash") == (row["service"], row["model"])

    def test_viewers_who_leave_are_noticed(self, served: Served) -> None:
        """The feed forgets a viewer when its connection ends, without a further tick."""
        with served.events() as first, served.events() as second:
            next(first), next(second)
            assert 2 == served.feed.viewers
        wait_until(lambda: served.feed.viewers == 0, timeout=30, what=lambda: f"{served.feed.viewers} viewers")

    def test_too_many_views(self) -> None:
        """The ninth view is refused with the reason."""

        class Full(GeneratedFeed):
            async def events(self, view: View) -> AsyncIterator[bytes]:
                for _ in range(1):
                    raise TooManyViews("8 views are open already; close one of them")
                yield b""

        with serve(Full(past=1)) as served:
            answer = served.get("/events")
        assert (503, "8 views are open already; close one of them\n") == (answer.status_code, answer.text)

    def test_the_end_of_the_feed_ends_the_stream(self) -> None:
        """When the server stops, the stream ends as a whole answer, so that the browser asks again."""
        feed = GeneratedFeed(past=1)
        with serve(feed) as served, served.events() as events:
            next(events)
            feed.end()
            assert [] == list(events)


@asynccontextmanager
async def stopping(feed: GeneratedFeed) -> AsyncIterator[tuple[LiveServer, int]]:
    """Yield a server that is told to stop by its user, and its port; wait for its end."""
    with socket.socket() as listening:
        listening.bind((HOST, 0))
        server = LiveServer(uvicorn.Config(create_app(feed), log_config=None), feed)
        running = asyncio.create_task(server.serve(sockets=[listening]))
        await wait_for(lambda: server.started)
        yield server, listening.getsockname()[1]
        await running


async def wait_for(condition: Callable[[], bool]) -> None:
    """Wait in a thread, so that the server runs meanwhile."""
    await asyncio.to_thread(wait_until, condition, timeout=30, what=lambda: "the server is not there yet")


async def test_the_server_stops_at_once() -> None:
    """A server that is told to stop ends its streams itself, and does not wait for the viewers to leave."""
    async with (
        stopping(GeneratedFeed(past=1)) as (server, port),
        httpx.AsyncClient(trust_env=False) as client,
        client.stream("GET", f"http://{HOST}:{port}/events") as answer,
    ):
        lines = answer.aiter_lines()
        assert "retry: 2000" == await anext(lines)
        server.should_exit = True
        assert any([line.startswith("event: history") async for line in lines])


async def test_the_server_does_not_wait_for_who_does_not_read(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A viewer who takes nothing is dropped when the server ends, and nothing is logged about it."""
    monkeypatch.setattr("mlmetrics.live.server.LEFT_SECONDS", 0.0)
    async with stopping(GeneratedFeed(past=1)) as (server, port):
        with socket.create_connection((HOST, port)) as viewer:
            viewer.settimeout(0)
            page = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

            def is_held_up() -> bool:
                with suppress(BlockingIOError):
                    viewer.send(page * 100)
                return any(each.flow.write_paused for each in server.server_state.connections)  # type: ignore[union-attr]  # of HTTP

            await wait_for(is_held_up)
            server.should_exit = True
    assert [] == caplog.messages


class TestToken:
    """Where other machines can reach the server."""

    def test_needed_beyond_loopback(self) -> None:
        """Without a token the server does not start, and says what to do."""
        with pytest.raises(ConfigurationError, match=r"'0\.0\.0\.0' can be reached .* give one"):
            create_app(GeneratedFeed(), host="0.0.0.0")  # noqa: S104 - what is refused

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
    def test_not_needed_on_loopback(self, host: str) -> None:
        """An address of this machine needs none."""
        assert create_app(GeneratedFeed(), host=host) is not None

    @pytest.mark.parametrize("path", ["/", "/layout", "/events", "/static/x/live.js", "/?token=wrong", "/?token="])
    def test_refused_without_it(self, guarded: Served, path: str) -> None:
        """Nothing is told to who does not know the token."""
        answer = guarded.get(path, host="live.example")
        assert 401 == answer.status_code
        assert TOKEN not in answer.text

    def test_in_a_header(self, guarded: Served) -> None:
        """A program gives it as a bearer token."""
        assert 200 == guarded.get("/layout", authorization=f"Bearer {TOKEN}").status_code
        assert 401 == guarded.get("/layout", authorization="Bearer wrong").status_code
        assert 401 == guarded.get("/layout", authorization=f"Basic {TOKEN}").status_code

    def test_in_the_address_once(self, guarded: Served) -> None:
        """A browser opens the address with the token, keeps a cookie, and goes on without the token in the address."""
        answer = guarded.get(f"/?service=a%20b&token={TOKEN}")
        assert 'content="0; url=?service=a+b"' in answer.text
        assert TOKEN not in answer.text
        cookie = answer.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
        assert "Secure" not in cookie
        kept = cookie.partition(";")[0]
        assert kept.startswith(f"mlmetrics_live_{guarded.port}=")
        assert 200 == guarded.get("/", cookie=kept).status_code
        assert 401 == guarded.get("/", cookie=kept[:-1]).status_code

    def test_texts_of_any_kind(self, guarded: Served) -> None:
        """A token that is no ASCII is wrong, and no error."""
        assert 401 == guarded.get("/?token=%E2%82%AC").status_code
