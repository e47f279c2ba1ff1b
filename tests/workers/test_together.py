"""Real servers, pools and queues of several processes: any of them tells what all have recorded, exactly."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from celery import Celery
from prometheus_client.samples import Sample

from tests.programs import Program, free_port
from tests.servers import Redis
from tests.workers.kills import kill_workers
from tests.workers.load import CONNECTIONS, load
from tests.workers.serving import ROOT, RUN, SERVERS, WorkersServer, samples_of, total

CALLS = 500
SCRAPES = 8
END_SECONDS = 30.0
PROCESS_METRICS = (
    *("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"),
    *("process_start_time_seconds",),
)


def counted(samples: Sequence[Sample], model: str = "m") -> tuple[float, ...]:
    """Return what all have recorded: calls by outcome, by duration and in a bucket, errors, and in progress."""
    labels = {"service": "workers", "model": model}
    return (
        total(samples, "ml_inference_total", outcome="success", **labels),
        total(samples, "ml_inference_duration_seconds_count", **labels),
        total(samples, "ml_inference_duration_seconds_bucket", le="+Inf", **labels),
        total(samples, "ml_inference_total", outcome="failure", **labels),
        total(samples, "mlmetrics_recording_errors_total"),
        total(samples, "ml_inference_in_progress", **labels),
    )


def workers_of(samples: Sequence[Sample], name: str) -> set[str]:
    """Return the values of `worker` in a metric of the process."""
    return {sample.labels["worker"] for sample in samples if sample.name == name}


@pytest.mark.parametrize("how", ["run", "variable"])
@pytest.mark.parametrize("server", SERVERS)
class TestServers:
    """Each server, by `mlmetrics run` and with the variable set by hand."""

    def test_any_worker_tells_all(self, server: str, how: str) -> None:
        """Several scrapes in a row give exactly the requests sent, whichever worker answers; also of the user's own."""
        with WorkersServer(server, how) as program:
            sent, _ = program.work()
            pages = [program.scrape() for _ in range(SCRAPES)]
            assert [(sent, sent, sent, 0, 0, 0)] * SCRAPES == [counted(page) for page in pages]
            assert {sent} == {total(page, "fastapi_requests_total", route="/work") for page in pages}
            assert {0} == {total(page, "fastapi_requests_in_progress") for page in pages}
            assert {sent} == {total(page, "jobs_total") for page in pages}
            for name in PROCESS_METRICS:
                assert [{"0", "1"}] * SCRAPES == [workers_of(page, name) for page in pages]
            assert all(set(sample.labels) <= {"worker"} for sample in pages[0] if sample.name in PROCESS_METRICS)


@pytest.mark.parametrize("server", ["uvicorn", "gunicorn"])
def test_a_new_worker_goes_on(server: str) -> None:
    """What a killed worker has recorded stays, and the worker in its place gets its number."""
    with WorkersServer(server, "run") as program:
        sent, workers = program.work()
        os.kill(min(workers), signal.SIGKILL)
        more, after = program.work()
        while not after - workers:  # the server starts another worker in its own time
            again, answered = program.work()
            more, after = more + again, after | answered
        assert (2, 1) == (len(after), len(after - workers))
        page = program.scrape()
        assert sent + more == total(page, "ml_inference_total", outcome="success")
        assert {"0", "1"} == workers_of(page, "process_resident_memory_bytes")


@pytest.mark.parametrize("server", ["uvicorn", "gunicorn"])
def test_an_operation_that_one_worker_has_declared(server: str) -> None:
    """Any worker tells what the only one that declared it has recorded, also when that one has been killed."""
    with WorkersServer(server, "run") as program:
        program.work()
        declaring = program.get("/retrieve").json()
        pages = [program.scrape() for _ in range(SCRAPES)]
        os.kill(declaring, signal.SIGKILL)
        _, others = program.work()
        assert declaring not in others
        pages += [program.scrape() for _ in range(SCRAPES)]
        for name in ("ml_retrieval_total", "ml_retrieval_duration_seconds_count"):
            assert {1} == {total(page, name, index="docs", service="workers") for page in pages}
        assert {0} == {total(page, "mlmetrics_recording_errors_total") for page in pages}


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(method: str, tmp_path: Path) -> None:
    """The parent tells what its children have recorded, those that have ended included."""
    with Pool(method) as program:
        page = program.scrape()
        expected = 2 * CALLS + 1
        assert (expected, expected, expected, 0, 0, 0) == counted(page, "pool")
        assert expected == total(page, "jobs_total")


def test_celery() -> None:
    """The parent of Celery's processes tells what they have recorded."""
    with Redis() as redis, CeleryWorker(f"redis://{redis.url.removeprefix('http://')}/0") as program:
        client = Celery(broker=program.broker, backend=program.broker)
        answers = [client.send_task("infer") for _ in range(CALLS)]
        pids = {answer.get(timeout=END_SECONDS) for answer in answers}
        assert 2 == len(pids)
        client.close()
        assert (CALLS, CALLS, CALLS, 0, 0, 0) == counted(program.scrape(), "celery")


class Scraped(Program):
    """A program that serves its metrics itself, started by `mlmetrics run`."""

    ready_path = "/metrics"

    def scrape(self) -> list[Sample]:
        """Return the samples that it answers with."""
        return list(samples_of(self.get("/metrics").text))


class Pool(Scraped):
    """`tests.workers.pool`."""

    def __init__(self, method: str) -> None:
        super().__init__(env={"PYTHONPATH": str(ROOT)})
        self._method = method

    def command(self, directory: Path) -> list[str]:
        """Return the command line."""
        return [*RUN, "--", sys.executable, "-m", "tests.workers.pool", self._method, str(self.port), str(CALLS)]


class CeleryWorker(Scraped):
    """`tests.workers.tasks` in two processes."""

    def __init__(self, broker: str) -> None:
        port = free_port()
        super().__init__(port=port, env={"PYTHONPATH": str(ROOT), "REDIS_URL": broker, "METRICS_PORT": str(port)})
        self.broker = broker

    def command(self, directory: Path) -> list[str]:
        """Return the command line."""
        celery = [sys.executable, "-m", "celery", "--app", "tests.workers.tasks", "worker"]
        return [*RUN, "--", *celery, "--concurrency", "2", "--loglevel", "warning", "--pool", "prefork"]


class TestUnderLoad:
    """The short forms of `make workers`."""

    def test_kills(self) -> None:
        """Workers that are killed under load lose no call that was answered, and no counter goes down."""
        seen = kill_workers("gunicorn", 5.0)
        assert [] == seen.down
        assert seen.kills > 0
        assert seen.scrapes > 0
        assert seen.tally <= seen.counted <= seen.tally + seen.kills
        assert 0 == seen.in_progress

    def test_wrk(self) -> None:
        """Under wrk our number of requests is that of the application's own log, whichever worker answers."""
        seen = load("uvicorn", 3)
        assert {seen.log} == set(seen.metrics)
        assert 0 <= seen.log - seen.wrk <= CONNECTIONS


class TestUnusableDirectory:
    """A directory that cannot be used, where nobody checks it before."""

    @pytest.mark.parametrize("what", ["missing", "file", "unwritable"])
    def test_is_told_and_served(self, what: str, tmp_path: Path) -> None:
        """The service warns, loudly, and serves."""
        (tmp_path / "file").touch()
        path = "/proc/self" if what == "unwritable" else str(tmp_path / what)
        with WorkersServer(
            "uvicorn", "alone", workers=1, env={"PROMETHEUS_MULTIPROC_DIR": path, "OURS_ALONE": ""}
        ) as program:
            program.work()
            page = program.scrape()
            assert 0 < total(page, "mlmetrics_recording_errors_total", where="workers")
            assert path in program.log
