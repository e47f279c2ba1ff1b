"""`mlmetrics live`: what it refuses, and the page of real processes with real targets."""

import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from fastapi import FastAPI

from mlmetrics import MLMetrics
from mlmetrics.cli.root import main
from tests.integration.certificates import Authority
from tests.live.pages import PageServer
from tests.live.viewing import ADDRESS, all_are_read, events, see, states, viewer
from tests.programs import HOST, NO_AUTHORITIES, free_port, wait_until
from tests.servers import ThreadServer

LIVE = (sys.executable, "-m", "mlmetrics.cli", "live", "--no-open")
TOKEN = "what/viewers+know&more"  # noqa: S105 - of tests
BEARER = "what-the-target-wants"
CONFIGURATION = '[[service]]\nname = "of-the-file"\ntargets = ["TARGET"]\n'
MANY = [f"localhost:{port}" for port in range(1, 258)]


class Page:
    """A process of `mlmetrics live`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        self.process = process
        self.line = process.stdout.readline()
        found = ADDRESS.search(self.line)
        assert found, self.line + process.communicate()[1]
        self.address = found[0]

    def end(self, number: signal.Signals) -> tuple[int, str, str]:
        """Send a signal; return the exit code, and what was printed beside the address."""
        self.process.send_signal(number)
        out, err = self.process.communicate()
        return self.process.returncode, out, err


@contextmanager
def page(*arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> Iterator[Page]:
    """Start the command, and wait until it has told its address."""
    process = subprocess.Popen(
        [*LIVE, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Page(process)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, without a configuration."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLMETRICS_LIVE_TOKEN", raising=False)
    return tmp_path


class TestRefused:
    """What ends with exit code 2 before anything listens."""

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ("", "there is no mlmetrics.toml with services: give the address of a metrics page, as in `mlmetrics live"),
            ("ftp://a/b", "URL = 'ftp://a/b': expected an address such as http://localhost:5051/metrics"),
            ("javascript:alert(1)", "URL = 'javascript:alert(1)': expected an address such as"),
            ("http://u:p@a/", "expected an address such as http://localhost:5051/metrics"),
            pytest.param(" ".join(MANY), "257 addresses were given, expected at most 256: ask a Prometheus", id="many"),
            ("a --prometheus http://b", "--prometheus is asked instead of URLs: give one or the other"),
            ("--prometheus javascript:alert(1)", "expected an address of a Prometheus, such as http://localhost:9090"),
            ("--prometheus http://a:b", "expected an address of a Prometheus, such as http://localhost:9090"),
            ("--prometheus http://a --ca-file no.pem", "no.pem: expected a file of certificates in PEM"),
            ("a --ca-file no.pem", "no.pem: expected a file of certificates in PEM"),
            ("a --ca-file words", "words: expected a file of certificates in PEM"),
            ("a --bearer-token-file no", "--bearer-token-file no: cannot be read"),
            ("a --bearer-token-file empty", "--bearer-token-file empty: expected the token alone, in one line"),
            ("a --bearer-token-file words", "--bearer-token-file words: expected the token alone, in one line"),
            ("a --bearer-token-file lines", "--bearer-token-file lines: expected the token alone, in one line"),
            ("a --config no.toml", "no.toml: cannot be read"),
            ("a --config lines", "lines: not TOML"),
            ("a --host 0.0.0.0", "host '0.0.0.0' can be reached from other machines, and no token was given"),
            ("a --host no-such-host.invalid --token x", "host 'no-such-host.invalid' is no address of this machine"),
            ("a --host 192.0.2.1 --token x", "host '192.0.2.1' is no address of this machine; expected one, such as"),
            ("a --host a..b --token x", "host 'a..b' is no address of this machine"),
            ("a --token 'two words'", "the token for viewers: expected letters, digits and punctuation of ASCII"),
            ("a --token x --open", "--open would show the token in the list of processes"),
        ],
    )
    def test_with_one_line(self, folder: Path, arguments: str, said: str) -> None:
        """The last line says what was given and what was expected."""
        for name, text in {"empty": "\n", "words": "two words", "lines": "one\ntwo\n"}.items():
            (folder / name).write_text(text)
        done = CliRunner().invoke(main, ["live", *shlex.split(arguments)])
        assert 2 == done.exit_code, done.output
        line = done.output.splitlines()[-1]
        assert ("Error: ", True) == (line[:7], said in line)

    def test_a_broken_configuration(self, folder: Path) -> None:
        """A configuration that cannot be read is told, also where addresses are given."""
        (folder / "mlmetrics.toml").write_text("[[service]]\nnom = 1\n")
        for arguments in ([], ["localhost:5051"]):
            done = CliRunner().invoke(main, ["live", *arguments])
            assert (2, 1) == (done.exit_code, len(done.output.splitlines()))
            assert "mlmetrics.toml: " in done.output

    def test_a_port_that_is_taken(self) -> None:
        """An explicit port is taken as it is, or not at all."""
        with socket.create_server((HOST, 0)) as taken:
            port = taken.getsockname()[1]
            done = CliRunner().invoke(main, ["live", "a", "--port", str(port)])
        assert (2, 1) == (done.exit_code, len(done.output.splitlines()))
        assert f"cannot listen on port {port} of {HOST} (Address already in use)" in done.output
        assert "choose another by --port, or --port 0 for any that is free" in done.output


def test_in_use_until_interrupted(folder: Path) -> None:
    """Targets of a file are shown, and one that hangs; Ctrl-C ends all at once, with viewers, and prints nothing."""
    with PageServer() as server, socket.create_server((HOST, 0), backlog=0) as silent:
        (folder / "mlmetrics.toml").write_text(CONFIGURATION.replace("TARGET", f"{HOST}:{server.port}"))
        hanging = f"{HOST}:{silent.getsockname()[1]}"
        with (folder / "mlmetrics.toml").open("a") as file:
            file.write(CONFIGURATION.replace("TARGET", hanging).replace("of-the-file", "silent"))
        with page("--port", "0", cwd=folder) as live, ExitStack() as viewers:
            for _ in range(3):
                client = viewers.enter_context(viewer(live.address))
                next(viewers.enter_context(closing(events(client))))
            data = see(live.address, states)
            assert {f"http://{HOST}:{server.port}/metrics", f"http://{hanging}/metrics"} == set(states(data))
            stalled = viewers.enter_context(socket.create_connection((HOST, httpx.URL(live.address).port or 0)))
            stalled.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (0, "", "") == live.end(signal.SIGINT)
            assert live.line == f"mlmetrics live: {live.address}  (Ctrl-C ends it)\n"
        server.over.set()


def test_with_a_token_for_all_machines(folder: Path) -> None:
    """The printed address sets a cookie with which all is read; without it nothing is; SIGTERM ends it."""
    options = ("--host", "0.0.0.0", "--port", "0")  # noqa: S104 - with a token
    with (
        PageServer() as server,
        page(f"{HOST}:{server.port}", *options, cwd=folder, env={"MLMETRICS_LIVE_TOKEN": TOKEN}) as live,
    ):
        port = httpx.URL(live.address).port
        address = f"http://{HOST}:{port}/{live.address.rpartition('/')[2]}"  # the name of this machine may be unknown
        assert {(True, "")} == set(states(see(address, all_are_read)).values())
        for path in ("/", "/events", "/layout"):
            refused = httpx.get(f"http://{HOST}:{port}{path}", trust_env=False, verify=NO_AUTHORITIES)
            assert (401, False) == (refused.status_code, TOKEN in refused.text)
        with viewer(address) as client:
            assert TOKEN not in client.get("/").text
        code, out, err = live.end(signal.SIGTERM)
        assert (-signal.SIGTERM, "", "") == (code, out, err)


@contextmanager
def guarded_target(folder: Path) -> Iterator[tuple[int, Path, Path]]:
    """Serve a target through TLS of a private authority, which demands a token; yield port, authority and token."""
    authority = Authority(folder)
    certificate, key = authority.certificate("target")
    token = folder / "token"
    token.write_text(f"{BEARER}\n")
    app = FastAPI()
    MLMetrics(service="guarded").instrument(app, token_file=token)
    with ThreadServer(app, ssl_certfile=certificate, ssl_keyfile=key) as server:
        yield server.port, authority.path, token


def test_targets_with_tls_and_a_token(folder: Path) -> None:
    """With both files it is read, on a page of IPv6, and the browser is sent no secret; else the page says why not."""
    with guarded_target(folder) as (port, authority, token):
        options = ("--ca-file", authority, "--bearer-token-file", token)
        guarded = f"https://{HOST}:{port}/metrics"
        with page(guarded, *options, "--host", "::1", "--port", "0", cwd=folder) as live:
            assert live.address.startswith("http://[::1]:")
            data = see(live.address, all_are_read)
            assert {guarded: (True, "")} == states(data)
            assert BEARER not in str(data)
        with page(guarded, "--bearer-token-file", token, "--port", "0", cwd=folder) as live:
            (state,) = states(see(live.address, all_are_read)).values()
            assert "its certificate is not trusted" in state[1]
            assert "(--ca-file)" in state[1]
        with page(guarded, "--ca-file", authority, "--port", "0", cwd=folder) as live:
            (state,) = states(see(live.address, all_are_read)).values()
            assert "a bearer token is needed (--bearer-token-file)" in state[1]


def test_opens_the_browser(folder: Path) -> None:
    """With --open the address is given to the browser, once it can be opened."""
    browser = folder / "browser"
    browser.write_text('#!/bin/sh\necho "$1" > opened\n')
    browser.chmod(0o755)
    opened = folder / "opened"
    env = {"BROWSER": str(browser)}
    with page(f"{HOST}:{free_port()}", "--port", "0", "--open", cwd=folder, env=env) as live:
        wait_until(lambda: opened.exists() and opened.read_text(), timeout=30, what=lambda: "nothing was opened")
        assert live.address == opened.read_text().strip()
        (state,) = states(see(live.address, all_are_read)).values()
    assert "the connection was refused" in state[1]
