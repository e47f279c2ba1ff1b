"""Servers of several workers that run `tests.workers.app`, each as a program that a test starts and ends."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.programs import HOST, Program

APP = "tests.workers.app:app"
ROOT = Path(__file__).parents[2]
RUN = (sys.executable, "-m", "mlmetrics.cli", "run")
REQUESTS, CLIENTS = 48, 8
REQUESTS_WITHOUT_MEETING_ALL = 2_000


def command_of(server: str, port: int, workers: int) -> list[str]:
    """Return how a server is started."""
    number = str(workers)
    gunicorn = ["gunicorn", APP, "-b", f"{HOST}:{port}", "-w", number, "-k", "uvicorn.workers.UvicornWorker"]
    hosted = ["--host", HOST, "--port", str(port), "--workers", number]
    commands = {
        "uvicorn": ["uvicorn", APP, *hosted, "--log-level", "warning"],
        "gunicorn": gunicorn,
        "gunicorn-preload": [*gunicorn, "--preload"],
        "granian": ["granian", "--interface", "asgi", APP, *hosted],
        "hypercorn": ["hypercorn", APP, "-b", f"{HOST}:{port}", "-w", number],
    }
    return [sys.executable, "-m", *commands[server]]


SERVERS = ("uvicorn", "gunicorn", "gunicorn-preload", "granian", "hypercorn")


class WorkersServer(Program):
    """One of the servers, started by `mlmetrics run`, with the variable set by hand, or with nothing."""

    ready_path = "/ready"

    def __init__(self, server: str, how: str, *, workers: int = 2, env: Mapping[str, str] | None = None) -> None:
        super().__init__(env={"PYTHONPATH": str(ROOT), **(env or {})})
        self._server = server
        self._how = how
        self.workers = workers

    def command(self, directory: Path) -> Sequence[str]:
        """Return the command line."""
        command = command_of(self._server, self.port, self.workers)
        self.place = directory / "place"
        self.place.mkdir()
        if self._how == "variable":
            self._env["PROMETHEUS_MULTIPROC_DIR"] = str(self.place)
        return [*RUN, "--directory", str(self.place), "--", *command] if self._how == "run" else command

    def work(self) -> tuple[int, set[int]]:
        """Send requests until each worker has answered; return how many, and the processes that answered."""
        sent, seen = 0, set[int]()
        with ThreadPoolExecutor(CLIENTS) as clients:
            while sent < REQUESTS or (len(seen) < self.workers and sent < REQUESTS_WITHOUT_MEETING_ALL):
                # Each by a connection of its own, so that any worker may take it.
                answers = list(clients.map(lambda _: self.get("/work"), range(CLIENTS)))
                assert {200} == {answer.status_code for answer in answers}
                seen |= {answer.json() for answer in answers}
                sent += len(answers)
        return sent, seen

    def scrape(self) -> list[Sample]:
        """Return the samples that a worker answers with, whichever it is."""
        answer = self.get("/metrics")
        assert httpx.codes.OK == answer.status_code, answer.text
        return list(samples_of(answer.text))


def samples_of(text: str) -> Iterator[Sample]:
    """Yield the samples of a page."""
    for family in text_string_to_metric_families(text):
        yield from family.samples


def total(samples: Sequence[Sample], name: str, **labels: str) -> float:
    """Return the sum of the samples of this name with these labels; there must be one."""
    found = [sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items()]
    assert found, f"no sample {name} has the labels {labels}"
    return sum(found)
