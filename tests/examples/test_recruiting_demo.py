"""The demo program as a user runs it: its tables, its exit codes, and that it leaves nothing behind."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from examples.recruiting.addresses import STARTED
from examples.recruiting.demo.settings import free_ports
from tests.programs import find_program, wait_until

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
    assert 0 < output.index("Look at it now, in the browser: http://127.0.0.1:") < output.index("Sending traffic")
    assert "The live page has ended with the demo; `make demo KEEP=1` keeps it up." == output.splitlines()[-1]
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
    assert "Look at it now" in output


def test_stays_up(tmp_path: Path) -> None:
    """With KEEP=1, the last line has the address of the page, which answers, and traffic goes on until Ctrl-C.

    Where the wanted port of the page is taken, it has another one.
    """
    with socket.socket() as occupant:
        occupant.bind(("127.0.0.1", 0))
        occupant.listen()
        taken = str(occupant.getsockname()[1])
        demo = start_demo(tmp_path, DURATION="2", KEEP="1", **own_ports(), LIVE_PORT=taken)
        begin = read_to(demo, "Sending traffic")
        end = read_to(demo, "Look at it now")
    gateway = re.findall(r"^  api +(http://127\.0\.0\.1:\d+)/docs", end, re.MULTILINE)[0]
    page = end.split()[-1]
    before = requests_of(gateway)
    wait_until(lambda: requests_of(gateway) > before + 2, timeout=60, what=lambda: f"no traffic after {before}")
    answer = httpx.get(page, trust_env=False)
    demo.send_signal(signal.SIGINT)
    rest, _ = demo.communicate(timeout=60)

    assert f"Port {taken} is taken, so this demo's live page listens on {httpx.URL(page).port} (LIVE_PORT)." in begin
    assert f"Look at it now, in the browser: {page}\n" in begin
    assert "<h1>mlmetrics <em>live</em></h1>" in answer.text
    assert (130, "\nEnded by SIGINT; every server has been stopped.\n") == (demo.returncode, rest)
    assert [] == processes_using(tmp_path)


def own_ports() -> dict[str, str]:
    """Return the settings that put every server on a free port of its own, as PORTS=free does."""
    variables = ["PROMETHEUS_PORT", *(service.port_variable for service in STARTED)]
    ports = zip(variables, free_ports(len(variables)), strict=True)
    return {"PORTS": "", **{variable: str(port) for variable, port in ports}}


def read_to(demo: subprocess.Popen[str], sign: str) -> str:
    """Return what the demo prints up to a line with a sign."""
    assert demo.stdout is not None
    seen = ""
    while sign not in seen:
        line = demo.stdout.readline()
        assert line, seen
        seen += line
    return seen


def requests_of(service: str) -> float:
    """Return how many requests a service has counted."""
    page = httpx.get(f"{service}/metrics", trust_env=False).text
    return sum(
        float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.startswith("fastapi_requests_total{")
    )


@pytest.mark.parametrize("sign", ["Starting the four services", "Sending traffic", "Staying up"])
def test_interrupted(tmp_path: Path, sign: str) -> None:
    """Ctrl-C while starting, during traffic or while staying up ends everything: code 130, no traceback."""
    demo = start_demo(tmp_path, DURATION="3", KEEP="1")
    read_to(demo, sign)
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
