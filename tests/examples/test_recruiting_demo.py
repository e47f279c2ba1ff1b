"""The demo program as a user runs it: its tables, its exit codes, and that it leaves nothing behind."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import find_program

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "examples.recruiting.demo"]


def start_demo(temporary: Path, **environment: str) -> subprocess.Popen[str]:
    """Start the demo on free ports, with its temporary files where the test can see them."""
    return subprocess.Popen(
        COMMAND,
        cwd=ROOT,
        env=os.environ | {"PORTS": "free", "TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def processes_using(folder: Path) -> list[str]:
    """Return the processes whose environment or command line contains the folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            told = (place / "environ").read_bytes() + (place / "cmdline").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in told:
            found.append((place / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def test_whole_run(tmp_path: Path) -> None:
    """Eight seconds of traffic end in tables read back from Prometheus, exit code 0 and nothing left running."""
    find_program("prometheus", package="prometheus")
    demo = start_demo(tmp_path, DURATION="8")
    output, _ = demo.communicate(timeout=180)

    assert 0 == demo.returncode, output
    assert "Read back from Prometheus, by PromQL" in output
    sent = re.search(r"(\d+) requests answered", output)
    counted = re.search(r"\| api +\| yes +\| +(\d+) \|", output)
    assert sent
    assert counted
    assert sent[1] == counted[1]
    for service in ("cv-parser-service", "job-parser-service", "matching-service", "api"):
        assert re.search(rf"\| {service} +\| yes \|", output)
    for error in ("EncryptedDocument", "NoTextFound", "DocumentTooLarge", "DamagedDocument", "WrongExtension"):
        assert error in output
    tokens = re.search(r"\| cv-parser-service \| gpt-4 \| +([\d,]+) \| +([\d,]+) \| +([\d.]+) \|", output)
    assert tokens
    assert all(float(number.replace(",", "")) > 0 for number in tokens.groups())
    for error in ("APIConnectionError", "APIError"):
        assert re.search(rf"\| cv-parser-service \| gpt-4 \| {error} +\|", output)
    assert "\x1b" not in output
    assert [] == processes_using(tmp_path)
    assert [] == list(tmp_path.iterdir())


def test_without_prometheus(tmp_path: Path) -> None:
    """Without Prometheus, the demo says so and reads the services' own metrics."""
    empty = tmp_path / "bin"
    empty.mkdir()
    demo = start_demo(tmp_path, DURATION="2", PATH=str(empty))
    output, _ = demo.communicate(timeout=180)

    assert 0 == demo.returncode, output
    assert "No Prometheus here" in output
    assert "Read back from the services' own /metrics" in output


@pytest.mark.parametrize("sign", ["Starting the four services", "Sending traffic", "Staying up"])
def test_interrupted(tmp_path: Path, sign: str) -> None:
    """Ctrl-C while starting, during traffic or while staying up ends everything: code 130, no traceback."""
    demo = start_demo(tmp_path, DURATION="3", KEEP="1")
    assert demo.stdout is not None
    seen = ""
    while sign not in seen:
        line = demo.stdout.readline()
        assert line, seen
        seen += line
    demo.send_signal(signal.SIGINT)
    output, _ = demo.communicate(timeout=60)

    assert 130 == demo.returncode, output
    assert "Traceback" not in output
    assert "every server has been stopped" in output
    assert [] == processes_using(tmp_path)
    assert [] == list(tmp_path.iterdir())


def test_port_taken(tmp_path: Path) -> None:
    """A taken port is named, with what to do about it, before anything starts."""
    with socket.socket() as occupant:
        occupant.bind(("127.0.0.1", 0))
        occupant.listen()
        port = str(occupant.getsockname()[1])
        demo = start_demo(tmp_path, PORTS="", CV_PARSER_PORT=port)
        output, _ = demo.communicate(timeout=60)

    assert 1 == demo.returncode
    assert f"Port {port} of cv-parser-service is taken" in output
    assert "CV_PARSER_PORT=" in output


def test_unusable_duration(tmp_path: Path) -> None:
    """A duration that is not a number is an error that names it."""
    demo = start_demo(tmp_path, DURATION="soon")
    output, _ = demo.communicate(timeout=60)

    assert (1, "DURATION=soon: expected a number.\n") == (demo.returncode, output)


def test_quickstart(tmp_path: Path) -> None:
    """The quickstart is at most 25 lines and its service counts a call."""
    text = (ROOT / "examples" / "quickstart.py").read_text("utf-8")
    probe = tmp_path / "probe.py"
    probe.write_text(
        "from fastapi.testclient import TestClient\n"
        "from examples.quickstart import app\n"
        "client = TestClient(app)\n"
        "print(client.get('/keywords', params={'text': 'a model for production'}).json())\n"
        "print(client.get('/metrics').text)\n",
        "utf-8",
    )
    run = subprocess.run(
        [sys.executable, str(probe)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert len(text.splitlines()) <= 25
    assert "['for', 'model', 'production']" in run.stdout
    assert re.search(r'ml_inference_total\{[^}]*model="longest-words"[^}]*outcome="success"[^}]*\} 1\.0', run.stdout)
