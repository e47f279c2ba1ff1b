"""Who may read the metrics: bearer tokens of applications, of instrumented applications and of the small server."""

import asyncio
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from mlmetrics import ConfigurationError, MLMetrics
from mlmetrics.http.endpoint import metrics_app
from mlmetrics.http.instrumentation import instrument
from mlmetrics.http.serving import start_metrics_server
from mlmetrics.http.token import LONGEST_BYTES, Token, token_of
from tests.http.asking import ask, counted, unrecorded

SECRET = "s3cret~token=="  # noqa: S105 (of tests only)
SHOWN = {"Authorization": f"Bearer {SECRET}"}
Get = Callable[..., httpx.Response]
OTHERS: tuple[dict[str, Any], ...] = (
    {},
    {"Authorization": "Bearer"},
    {"Authorization": "Bearer other"},
    {"Authorization": SECRET},
    {"Authorization": f"Basic {SECRET}"},
    {"Authorization": f"Bearer {SECRET} {SECRET}"},
    {"Authorization": f"Bearer {SECRET[:-1]}"},
    {"Authorization": "Bearer \xe9".encode("latin-1")},
)


def asked(app: Any, path: str, method: str = "GET", **given: Any) -> httpx.Response:
    """Return the answer of an ASGI application."""
    return asyncio.run(ask(app, path, method, **given))


@contextmanager
def served(registry: CollectorRegistry, **given: Any) -> Iterator[tuple[Get, ...]]:
    """Yield the three ways to publish a registry, each as a function that asks for its metrics."""
    app = FastAPI()
    instrument(app, registry=registry, **given)

    def of(app: Any, path: str) -> Get:
        return lambda headers, method="GET": asked(app, path, method, headers=headers)

    with start_metrics_server(0, registry=registry, **given) as server:
        url = f"http://127.0.0.1:{server.port}/"
        yield (
            of(app, "/metrics"),
            of(metrics_app(registry, **given), "/"),
            lambda headers, method="GET": httpx.request(method, url, headers=headers),
        )


class TestToken:
    """`token=` of `instrument`, `metrics_app` and `start_metrics_server`."""

    @pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
    def test_who_shows_it_gets_the_metrics(self, scheme: str, registry: CollectorRegistry) -> None:
        """The name of the scheme is read whatever its case (RFC 9110, 11.1)."""
        with served(registry, token=SECRET) as ways:
            for get in ways:
                answer = get({"Authorization": f"{scheme} {SECRET}"})
                assert 200 == answer.status_code
                assert "mlmetrics_build_info" in answer.text

    @pytest.mark.parametrize("headers", OTHERS)
    def test_others_are_refused(self, headers: Any, registry: CollectorRegistry) -> None:
        """The answer is 401, says what is expected, and holds no metrics; it is not counted as a request."""
        with served(registry, token=SECRET) as ways:
            for get in ways:
                answer = get(headers)
                assert (401, "Bearer") == (answer.status_code, answer.headers["www-authenticate"])
                assert "Unauthorized" == answer.text
        assert {} == counted(registry)

    def test_twice_is_refused(self, registry: CollectorRegistry) -> None:
        """Of two headers nobody can say which counts."""
        with served(registry, token=SECRET) as ways:
            for get in ways:
                assert 401 == get([*SHOWN.items(), *SHOWN.items()]).status_code

    def test_other_methods_without_it(self, registry: CollectorRegistry) -> None:
        """HEAD needs the token as GET does; a method that is not allowed tells nothing."""
        with served(registry, token=SECRET) as ways:
            for get in ways:
                assert 401 == get({}, "HEAD").status_code
                assert 200 == get(SHOWN, "HEAD").status_code
                assert 405 == get(SHOWN, "POST").status_code
                assert get({}, "POST").status_code in {401, 405}

    def test_without_one_everybody_gets_the_metrics(self, registry: CollectorRegistry) -> None:
        """A header that nobody asked for is not read."""
        with served(registry) as ways:
            for get in ways:
                assert 200 == get(OTHERS[-1]).status_code

    def test_of_a_toolkit(self) -> None:
        """The methods of `MLMetrics` have it too."""
        metrics, app = MLMetrics(registry=CollectorRegistry()), FastAPI()
        metrics.instrument(app, token=SECRET)
        assert 401 == asked(app, "/metrics").status_code
        assert 401 == asked(metrics.metrics_app(token=SECRET), "/").status_code
        with metrics.start_metrics_server(0, token=SECRET) as server:
            assert 401 == httpx.get(f"http://127.0.0.1:{server.port}").status_code

    @pytest.mark.parametrize(
        ("token", "problem"),
        [
            ("", "token: it is empty"),
            ("with space", "cannot carry its byte 4"),
            ("line\n", "cannot carry its byte 4"),
            ("caf\xe9", "cannot carry its byte 3"),
            ("\ud800", "cannot carry its byte 0"),
            ("x" * (LONGEST_BYTES + 1), "longer than 4096 bytes"),
            (7, "object of type int"),
        ],
    )
    def test_what_is_none_is_a_clear_error(self, token: Any, problem: str, registry: CollectorRegistry) -> None:
        """It is refused when it is declared, and is not shown."""
        app = FastAPI()
        for publish in (
            metrics_app,
            lambda **given: instrument(app, **given),
            lambda **g: start_metrics_server(0, **g),
        ):
            with pytest.raises(ConfigurationError, match=problem) as raised:
                publish(registry=registry, token=token)
            assert len(str(token)) < 4 or str(token) not in str(raised.value)
        assert "/metrics" not in {getattr(route, "path", "") for route in app.routes}

    def test_both_are_a_clear_error(self, tmp_path: Path) -> None:
        """Text and file at once leave open which counts."""
        with pytest.raises(ConfigurationError, match="both given"):
            token_of(SECRET, tmp_path / "token")

    def test_errors_do_not_show_it(self, registry: CollectorRegistry) -> None:
        """An application that is instrumented again with another token says so without them."""
        app = FastAPI()
        instrument(app, registry=registry, token=SECRET)
        instrument(app, registry=registry, token=SECRET)
        with pytest.raises(ConfigurationError, match="tokens are left out") as raised:
            instrument(app, registry=registry, token="another")  # noqa: S106 (of tests only)
        assert SECRET not in str(raised.value)
        assert "another'" not in str(raised.value)
        assert SECRET not in repr(Token(SECRET, None))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with the token, as an editor leaves it."""
    path = tmp_path / "token"
    path.write_text(f"{SECRET}\n", encoding="utf-8")
    return path


class TestTokenFile:
    """`token_file=`."""

    def test_it_is_read_again(self, file: Path, registry: CollectorRegistry) -> None:
        """A token that was replaced, in place or by renaming, counts from the next scrape on."""
        with served(registry, token_file=file) as ways:
            for get in ways:
                file.write_text(SECRET, encoding="utf-8")
                assert 200 == get(SHOWN).status_code
                file.write_text("another-token=", encoding="utf-8")
                assert 401 == get(SHOWN).status_code
                renamed = file.with_name("new")
                renamed.write_text(SECRET, encoding="utf-8")
                renamed.replace(file)
                assert 200 == get(SHOWN).status_code

    def test_one_that_vanishes_leaves_the_last(self, file: Path, registry: CollectorRegistry) -> None:
        """The last token stays, each scrape is counted, and the first is logged, without a token."""
        app = metrics_app(registry, token_file=str(file))
        file.unlink()
        with capture_logs() as events:
            assert 200 == asked(app, "/", headers=SHOWN).status_code
            file.write_text("", encoding="utf-8")
            assert 200 == asked(app, "/", headers=SHOWN).status_code
            assert 401 == asked(app, "/", headers={"Authorization": "Bearer "}).status_code
        assert {"token": 3} == unrecorded(registry)
        assert ["token"] == [event["where"] for event in events]
        assert SECRET not in str(events)
        file.write_text("new", encoding="utf-8")
        assert 200 == asked(app, "/", headers={"Authorization": "Bearer new"}).status_code
        assert 401 == asked(app, "/", headers=SHOWN).status_code

    def test_a_relative_path_stays_where_it_was(
        self, file: Path, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A program that goes to another folder still finds the file."""
        monkeypatch.chdir(file.parent)
        app = metrics_app(registry, token_file=file.name)
        monkeypatch.chdir("/")
        assert 200 == asked(app, "/", headers=SHOWN).status_code
        assert {} == unrecorded(registry)

    @pytest.mark.parametrize(
        ("content", "problem"),
        [
            (None, "No such file"),
            (b"", "it is empty"),
            (b" \n", "it is empty"),
            (b"\xff\xfe", "cannot carry its byte 0"),
            (b"one\ntwo", "cannot carry its byte 3"),
            (b"x" * (LONGEST_BYTES + 1), "longer than 4096 bytes"),
        ],
    )
    def test_a_wrong_one_is_a_clear_error(self, content: bytes | None, problem: str, tmp_path: Path) -> None:
        """The error names the file, and shows nothing that stands in it."""
        path = tmp_path / "token"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ConfigurationError, match=problem) as raised:
            token_of(None, path)
        assert f"token_file={path!r}" in str(raised.value)
        assert "two" not in str(raised.value)

    def test_what_is_no_file_is_a_clear_error(self, tmp_path: Path) -> None:
        """A folder, a pipe that nobody writes to, and an object that is no path."""
        os.mkfifo(tmp_path / "pipe")
        wrong: list[Any] = [tmp_path, tmp_path / "pipe", 7, "a\0b"]
        for path in wrong:
            with pytest.raises(ConfigurationError, match="cannot be read"):
                token_of(None, path)

    def test_one_that_may_not_be_read_is_a_clear_error(self, file: Path) -> None:
        """Root may read everything, so it is asked for a file of the kernel that nobody may read."""
        file.chmod(stat.S_IWUSR)
        path = Path("/proc/self/clear_refs") if os.access(file, os.R_OK) else file
        with pytest.raises(ConfigurationError, match=r"cannot be read \(.*(Permission denied|Invalid argument)"):
            token_of(None, path)


class TestGzip:
    """`gzip=False`."""

    @pytest.mark.parametrize("allowed", [True, False])
    def test_answers_are_never_compressed(self, *, allowed: bool, registry: CollectorRegistry) -> None:
        """Whoever asks for compression gets the plain text."""
        expected = "gzip" if allowed else None
        with served(registry, gzip=allowed) as ways:
            for get in ways:
                answer = get({"Accept-Encoding": "gzip"})
                assert expected == answer.headers.get("content-encoding")
                assert "mlmetrics_build_info" in answer.text
