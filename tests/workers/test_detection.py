"""Whether a process sees that it is one of several workers, and that this is told once for each start."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics.http.middleware import PrometheusMiddleware
from mlmetrics.workers.detection import several_workers
from mlmetrics.workers.directory import VARIABLE, start_of
from tests.recorded import value


class Said(NamedTuple):
    """What a worker said."""

    pid: int
    seen: str | None
    counted: float
    other_errors: float
    logged: list[str]


def serve(tmp_path: Path, method: str, number: int, sockets: str, **env: str) -> tuple[list[Said], str]:
    """Return what each worker of a server says, and what they print as errors."""
    command = [sys.executable, "-m", "tests.workers.prefork", method, str(number), sockets]
    environment = {**os.environ, "TMPDIR": str(tmp_path), **env}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return [Said(*answer) for answer in json.loads(done.stdout)], done.stderr


class TestSeveralWorkers:
    """What `several_workers` sees."""

    @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
    def test_are_seen(self, method: str, tmp_path: Path) -> None:
        """Each worker sees all of them, however they are started, and says what to do."""
        said, _ = serve(tmp_path, method, 3, "shared")
        pids = ", ".join(str(each.pid) for each in said)
        assert 3 == len(said)
        for each in said:
            assert each.seen is not None
            assert each.seen.startswith(f"this server has 3 workers (processes {pids})")
            assert "mlmetrics run -- COMMAND" in each.seen

    @pytest.mark.parametrize(("number", "sockets"), [(1, "shared"), (2, "own"), (2, "connected"), (2, "none")])
    def test_are_not_seen(self, number: int, sockets: str, tmp_path: Path) -> None:
        """One worker alone, servers of their own, and processes that serve nothing are nothing to warn about."""
        said, errors = serve(tmp_path, "fork", number, sockets)
        assert [(None, 0.0, 0.0)] * number == [(each.seen, each.counted, each.other_errors) for each in said]
        assert "" == errors

    def test_tests_are_none(self) -> None:
        """Tests that run side by side are no workers of one server."""
        assert several_workers() is None


class TestWarning:
    """What `warn_about_workers` does."""

    def test_comes_once(self, tmp_path: Path) -> None:
        """One of the workers counts it, once, and prints it, as long as the program configures no logging."""
        said, errors = serve(tmp_path, "fork", 3, "shared")
        assert 1.0 == sum(each.counted for each in said)
        assert 0.0 == sum(each.other_errors for each in said)
        assert [f"mlmetrics: {said[0].seen}"] == errors.splitlines()

    def test_goes_to_the_log(self, tmp_path: Path) -> None:
        """A program that configures logging gets it there, and not on standard error as well."""
        said, errors = serve(tmp_path, "fork", 3, "shared", LOGS="1")
        (message,) = (message for each in said for message in each.logged)
        assert "where='workers'" in message
        assert said[0].seen is not None
        assert said[0].seen in message
        assert "" == errors

    def test_comes_again_for_another_start(self, tmp_path: Path) -> None:
        """The next start is told again; what marked the last one is removed, and that of others is not."""
        for name in ("mlmetrics-workers-of-me-1", f"mlmetrics-workers-of-{os.getpid()}-{start_of(os.getpid())}"):
            (tmp_path / name).touch()
        for _ in range(2):
            said, _ = serve(tmp_path, "fork", 2, "shared")
            assert 1.0 == sum(each.counted for each in said)
        assert 3 == len(list(tmp_path.iterdir()))

    def test_comes_from_each_without_a_place_for_marks(self, tmp_path: Path) -> None:
        """Where no file can be made, each worker warns: better than none."""
        said, _ = serve(tmp_path, "fork", 2, "shared", MARKS=str(tmp_path / "missing"))
        assert [1.0, 1.0] == [each.counted for each in said]

    def test_does_not_come_where_numbers_are_merged(self, tmp_path: Path) -> None:
        """With a directory all is well."""
        said, errors = serve(tmp_path, "fork", 2, "shared", MERGED="1")
        assert ([0.0, 0.0], "") == ([each.counted for each in said], errors)

    @pytest.mark.parametrize("first", ["lifespan", "http"])
    async def test_comes_where_the_variable_is_set_too_late(
        self,
        first: str,
        tmp_path: Path,
        registry: CollectorRegistry,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """The middleware tells it when the server starts, or at the first request of one that sends no start-up."""
        middleware = PrometheusMiddleware(answer, registry=registry)
        monkeypatch.setenv(VARIABLE, str(tmp_path))
        scope = {"type": first, "method": "GET", "path": "/", "headers": []}
        for _ in range(2):
            await middleware(scope, None, sent)
        assert 1.0 == value(registry, "mlmetrics_recording_errors_total", where="workers")
        (message,) = caplog.messages
        assert f"where='workers' problem='{VARIABLE} was set after the first metric had been made" in message


async def sent(message: dict[str, Any]) -> None:
    """Take a message of an application."""


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Answer a request; nothing is done when the server starts."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})
