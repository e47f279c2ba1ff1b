"""One target: what it is asked with, and each reason why it cannot be read."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlmetrics.errors import ConfigurationError
from mlmetrics.live.target import Access, Answer, Target, make_targets
from tests.integration.certificates import Authority
from tests.live.pages import PageServer
from tests.programs import free_port, wait_until

OPENS = "open"


@pytest.fixture(scope="module")
def server() -> Iterator[PageServer]:
    """Return a server with all ways of misbehaviour."""
    with PageServer() as found:
        yield found
        found.over.set()


@contextmanager
def target(url: str, **access: object) -> Iterator[Target]:
    """Yield one target, and end its connection."""
    (made,) = make_targets([url], Access(**{"timeout_seconds": 5.0, **access}))  # type: ignore[arg-type]  # as named
    yield made
    made.close()


def ask(url: str, **access: object) -> Answer:
    """Ask a target once."""
    with target(url, **access) as asked:
        return asked.ask()


def test_reads_a_page(server: PageServer) -> None:
    """The page comes as text; it is asked for in the text format, packed, and on one connection for all times."""
    before = server.connections
    with target(f"{server.url}/metrics") as asked:
        assert ["up_to_now 1\n"] * 3 == [asked.ask().page for _ in range(3)]
    assert before + 1 == server.connections
    path, headers = server.requests[-1]
    expected = ("/metrics", "text/plain;version=0.0.4", "gzip")
    assert expected == (path, headers["accept"], headers["accept-encoding"])


def test_unpacks(server: PageServer) -> None:
    """A packed page is unpacked."""
    assert "a 1\n" == ask(f"{server.url}/packed/metrics").page


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/html/metrics", "is an HTML page, not metrics; expected the address of a metrics page"),
        ("/large/metrics", "is larger than 10 MB; expected a metrics page"),
        ("/bomb/metrics", "is larger than 10 MB; expected a metrics page"),
        ("/latin/metrics", "is not text in UTF-8; expected the text format of Prometheus"),
        ("/error/metrics", "answers 503 Service Unavailable; expected 200 and a metrics page"),
        ("/secret/metrics", "answers 401 Unauthorized; a bearer token is needed (--bearer-token-file)"),
        ("/cut", "the answer ends before its end; the target may have been stopped"),
        ("/no-http", "does not speak HTTP; expected the address of a metrics page"),
        ("/unpacked/metrics", "its answer cannot be unpacked; expected gzip or plain text"),
        ("/file/metrics", "redirects to 'file:///etc/passwd'; expected an address of a metrics page"),
        ("/headers", "cannot be read: got more than 100 headers"),
        ("/chunks", "the answer ends before its end; the target may have been stopped"),
        ("/loop/metrics", "redirects more than 3 times; expected the address of a metrics page"),
    ],
)
def test_says_why_not(server: PageServer, path: str, why: str) -> None:
    """Each way in which a page cannot be read has its reason, with what was expected."""
    assert why == ask(f"{server.url}{path}").why


@pytest.mark.parametrize("path", ["/hang", "/drip"])
def test_a_target_that_hangs(server: PageServer, path: str) -> None:
    """A target that does not answer, or never ends, is given up after the limit."""
    found = ask(f"{server.url}{path}", timeout_seconds=0.3)
    assert "no whole answer within 0.3 s; the service may hang" == found.why


def given_up(server: PageServer, path: str) -> Answer:
    """Return the answer that one thread waits for and another one gives up."""
    answers: list[Answer] = []
    before = len(server.requests)
    with target(f"{server.url}{path}", timeout_seconds=60) as asked:
        thread = threading.Thread(target=lambda: answers.append(asked.ask()))
        thread.start()
        wait_until(lambda: len(server.requests) > before, timeout=10, what=lambda: "no request came")
        asked.give_up()
        thread.join(10)
    (answer,) = answers
    return answer


def test_an_answer_that_is_given_up(server: PageServer) -> None:
    """Another thread can end an answer that is waited for."""
    assert "no whole answer within 60 s; the service may hang" == given_up(server, "/hang").why


@pytest.mark.parametrize("path", ["/slow-headers", "/continue", "/slow-body"])
def test_an_answer_without_an_end(server: PageServer, path: str) -> None:
    """An answer of which a little comes now and then is ended from outside; what was read until then is no page."""
    assert "no whole answer within 60 s; the service may hang" == given_up(server, path).why


def test_nobody_listens() -> None:
    """A port without a server, and a host without a name, are told apart."""
    refused = ask(f"http://127.0.0.1:{free_port()}/metrics").why
    assert "the connection was refused: no server listens there; is the service running?" == refused
    assert "the host is not known; is its name right?" == ask("http://no-such-host.invalid/metrics").why


def test_finds_the_page_beneath(server: PageServer) -> None:
    """At an address that answers with HTML or not at all, the page is looked for at `/metrics` beneath it."""
    with target(f"{server.url}/docs") as asked:
        assert "up_to_now 1\n" == asked.ask().page
        assert f"{server.url}/docs/metrics" == asked.url


def test_a_bearer_token(server: PageServer) -> None:
    """The token is sent to the target, also after a redirect within it, and never to another place."""
    assert "a 1\n" == ask(f"{server.url}/secret/metrics", token=OPENS).page
    assert "another bearer token is needed" in ask(f"{server.url}/secret/metrics", token=OPENS[:-1]).why
    assert "up_to_now 1\n" == ask(f"{server.url}/moved/metrics", token=OPENS).page
    assert "Bearer open" == server.requests[-1][1]["authorization"]
    with PageServer() as other:
        server.elsewhere = f"{other.url}/metrics"
        assert "up_to_now 1\n" == ask(f"{server.url}/elsewhere/metrics", token=OPENS).page
        assert "authorization" not in other.requests[-1][1]


def test_a_private_authority(tmp_path: Path) -> None:
    """A certificate of a private authority is trusted if the authority's file is given, and else the reason is told."""
    authority = Authority(tmp_path)
    certificate, key = authority.certificate("target")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with PageServer() as server:
        server._server.socket = context.wrap_socket(server._server.socket, server_side=True)
        url = f"https://127.0.0.1:{server.port}/metrics"
        assert "up_to_now 1\n" == ask(url, ca_file=str(authority.path)).page
        assert "its certificate is not trusted" in ask(url).why


def test_names_the_instance() -> None:
    """An instance is host and port, as in Prometheus; an address without a scheme is one of HTTP."""
    expected = {
        "localhost:5051": "localhost:5051",
        "http://a.b/metrics": "a.b:80",
        "https://a.b/x": "a.b:443",
        "http://[::1]:5/metrics": "[::1]:5",
    }
    assert expected == {url: make_targets([url], Access())[0].instance for url in expected}


def test_the_same_page_twice() -> None:
    """A page that is named in several ways is one target, named as it was first."""
    given = ["localhost:5051", "http://127.0.0.1:5051/metrics", "http://LOCALHOST:5051/", "http://localhost:5051/own"]
    assert ["http://localhost:5051", given[-1]] == [each.url for each in make_targets(given, Access())]


@pytest.mark.parametrize(
    "url", ["", "ftp://a/b", "http://", "http://a b", "http://a:x/", "http://user:pass@host/", "http://a\nb"]
)
def test_refuses_what_is_no_address(url: str) -> None:
    """What is no address of HTTP is refused at once."""
    with pytest.raises(ConfigurationError, match="expected an address such as http://localhost:5051/metrics"):
        make_targets([url], Access())


def test_refuses_a_file_without_certificates(tmp_path: Path) -> None:
    """A file of authorities that has no certificates is refused at once."""
    path = tmp_path / "ca.pem"
    path.write_text("nothing")
    with pytest.raises(ConfigurationError, match="expected a file of certificates in PEM"):
        make_targets(["localhost:1"], Access(ca_file=str(path)))
