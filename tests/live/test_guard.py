"""What somebody tries who wants to read the page, or to have it show or do something, without being allowed to."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from mlmetrics.errors import ConfigurationError
from mlmetrics.live.feed import TooManyViews, View
from mlmetrics.live.guard import check_reach
from tests.live.generated import GeneratedFeed
from tests.live.test_server import TOKEN, Served, serve
from tests.programs import HOST

LINK = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
MARKUP = "\"'><img src=x onerror=alert(1)>&lt;\r\nset-cookie: a=b"
SHOWN = "%22%27%3E%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E%26lt%3B%0D%0Aset-cookie%3A%20a%3Db"


@pytest.fixture(scope="module")
def guarded() -> Iterator[Served]:
    """Start a server that asks for a token."""
    with serve(host="0.0.0.0", token=TOKEN) as served:  # noqa: S104 - it listens on loopback
        yield served


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """Start a server of loopback."""
    with serve() as served:
        yield served


def raw(port: int, *lines: str) -> bytes:
    """Send the head of a request as it is, and return the answer."""
    with socket.create_connection((HOST, port), timeout=30) as connection:
        connection.sendall("\r\n".join((*lines, "Connection: close", "", "")).encode("latin-1"))
        return b"".join(iter(lambda: connection.recv(65536), b""))


class TestOtherPages:
    """What pages of other origins in the same browser try."""

    def test_a_link_opens_the_page(self, served: Served) -> None:
        """Somebody may click a link to the page, or type its address."""
        assert 200 == served.get("/?service=a", **LINK).status_code
        assert 200 == served.get("/?service=a", **{**LINK, "sec-fetch-site": "none"}).status_code

    @pytest.mark.parametrize("destination", ["image", "script", "iframe", "empty", "object"])
    def test_nothing_is_embedded(self, served: Served, destination: str) -> None:
        """An image or a frame on another page has no view made, of which there are only eight."""
        for site in ("cross-site", "same-site"):
            headers = {**LINK, "sec-fetch-site": site, "sec-fetch-dest": destination}
            assert 403 == served.get("/?service=b", **headers).status_code

    def test_answers_are_of_one_origin(self, served: Served) -> None:
        """No answer allows another origin to read it, whoever asks."""
        for path in ("/", "/layout", "/nothing"):
            headers = served.get(path, origin="https://evil.example").headers
            assert "access-control-allow-origin" not in headers
            assert "same-origin" == headers["cross-origin-resource-policy"]

    @pytest.mark.parametrize("method", ["OPTIONS", "POST", "PUT", "DELETE"])
    def test_nothing_but_reading(self, served: Served, method: str) -> None:
        """No other method than GET and HEAD does anything."""
        assert b"405" in raw(served.port, f"{method} / HTTP/1.1", "Host: localhost", "Content-Length: 0").split()


class TestHost:
    """The header `Host`, which says by which name the page was reached."""

    @pytest.mark.parametrize(
        "host",
        ["", "evil.example", "localhost:a", "127.0.0.1@evil.example", "evil.example:127.0.0.1", "2130706433"],
    )
    def test_other_names_on_loopback(self, served: Served, host: str) -> None:
        """What is no name of this machine is refused, valid or not."""
        assert raw(served.port, "GET /layout HTTP/1.1", f"Host: {host}").startswith(b"HTTP/1.1 421")

    def test_without_a_name(self, served: Served) -> None:
        """A request without a name, as of HTTP 1.0, or with two, gets nothing."""
        assert raw(served.port, "GET /layout HTTP/1.0").startswith(b"HTTP/1.1 421")
        assert b"200" not in raw(served.port, "GET / HTTP/1.1", "Host: localhost", "Host: evil.example").split()[:2]

    @pytest.mark.parametrize("host", ["evil.example:99999", "[::1", "a:b", "\xe9", "localhost:0"])
    def test_any_name_where_a_token_protects(self, guarded: Served, host: str) -> None:
        """Elsewhere a page is known by many names; what is no name is not an error of the server, and needs a token."""
        lines = ("GET /?token={} HTTP/1.1", f"Host: {host}")
        assert raw(guarded.port, lines[0].format("wrong"), lines[1]).startswith(b"HTTP/1.1 401")
        opened = raw(guarded.port, lines[0].format(TOKEN), lines[1])
        assert opened.startswith(b"HTTP/1.1 200")
        assert f"mlmetrics_live_{guarded.port}=".encode() in opened


class TestCookie:
    """The cookie that a browser has after it has opened the address with the token."""

    def test_of_another_port(self, guarded: Served) -> None:
        """What a server on another port of the same host has set opens nothing, nor does one that stands in the way."""
        for name in ("mlmetrics_live_1", "mlmetrics_live_", "token"):
            assert 401 == guarded.get("/", cookie=f"{name}={TOKEN}").status_code
        assert 401 == guarded.get("/", cookie=f"mlmetrics_live_{guarded.port}=").status_code

    def test_is_set_by_the_token_only(self, guarded: Served) -> None:
        """No answer without the right token sets a cookie, whatever is in the address."""
        for query in ("", f"?token={SHOWN}", f"?Token={TOKEN}", "?token=", f"?token=&token={TOKEN[:-1]}"):
            answer = guarded.get(f"/{query}")
            assert (401, False) == (answer.status_code, "set-cookie" in answer.headers)

    def test_tokens_of_all_characters(self) -> None:
        """Every token that can be given can be kept in a cookie and sent in a header."""
        token = "".join(map(chr, range(0x21, 0x7F)))
        with serve(host="0.0.0.0", token=token) as served:  # noqa: S104 - it listens on loopback
            opened = served._client.get("/", params={"token": token})
            cookie = opened.headers["set-cookie"].rpartition("; HttpOnly")[0]
            assert 200 == served.get("/layout", cookie=cookie.partition("; Max-Age")[0]).status_code
            assert 200 == served.get("/layout", authorization=f"Bearer {token}").status_code

    @pytest.mark.parametrize("token", ["two words", "a\nb", "tok\xe9n", "\udcff", " "])
    def test_tokens_that_cannot_be_sent(self, token: str) -> None:
        """One that no header can hold is refused at once, and not told."""
        with pytest.raises(ConfigurationError, match="expected letters, digits and punctuation of ASCII") as refused:
            check_reach("127.0.0.1", token)
        assert token.strip() not in str(refused.value).split() or not token.strip()


class TestMarkup:
    """Texts from the address, and from targets."""

    def test_in_the_address(self, served: Served, guarded: Served) -> None:
        """A service or model in the address becomes neither markup nor a header, on the page and before it."""
        opening = guarded.get(f"/?token={TOKEN}&service={SHOWN}&x={SHOWN}")
        page = served.get(f"/?service={SHOWN}&model={SHOWN}")
        for answer in (opening, page):
            assert (200, False) == (answer.status_code, "<img" in answer.text)
            assert "a=b" not in answer.headers.get("set-cookie", "")
        assert TOKEN not in opening.text
        assert "&quot;&#x27;&gt;&lt;img" in page.text

    def test_from_a_target(self) -> None:
        """What a target is called and says is data in the events, and no part of the page or of a header."""

        class Marked(GeneratedFeed):
            def _targets(self) -> list[dict[str, Any]]:
                return [{"url": f"http://a/{MARKUP}", "up": False, "why": MARKUP, "samples": 0, "seconds": 0}]

        with serve(Marked(past=1)) as served:
            with served.events() as events:
                (target,) = next(events)[1]["targets"]
            answer = served.get("/")
        assert MARKUP == target["why"]
        assert "onerror" not in answer.text + str(answer.headers)


def test_too_many_views() -> None:
    """Who opens a view too many reads the reason; it is no error of the server."""

    class Full(GeneratedFeed):
        async def layout(self, view: View) -> bytes:
            raise TooManyViews("8 are watched; close one")

    with serve(Full(past=1)) as served:
        for path in ("/?service=x", "/layout?service=x"):
            answer = served.get(path)
            assert (503, "8 are watched; close one\n") == (answer.status_code, answer.text)
