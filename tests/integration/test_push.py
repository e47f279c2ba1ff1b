"""Pushes to a real Pushgateway: what stands there afterwards, who may push, and what becomes of a push that fails."""

import asyncio
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

import httpx
import pytest
import structlog
import trio
from prometheus_client import CollectorRegistry, Counter, ProcessCollector
from prometheus_client.parser import text_string_to_metric_families

from mlmetrics import MLMetrics
from tests.conftest import ROOT as TESTS
from tests.integration.certificates import Authority
from tests.integration.front import Front
from tests.programs import HOST, free_port, wait_until
from tests.recorded import errors, outcomes
from tests.servers import Pushgateway

CALLS = "ml_inference_total"
REFUSED = "error: tls: "  # local or remote
RUNS = "ml_batch_job_total"
LAST_SUCCESS = "ml_batch_job_last_success_timestamp_seconds"
TOKEN = "t0ken"  # noqa: S105 (of a server that this module starts)
# The password is "secret".
PASSWORDS = "basic_auth_users: {nightly: $2b$04$4v1bpmxYJ8ek0g23I6yTou8CsO4ceAfyyMcKuO3BZOHXPpZn/8B9S}\n"
AT_EXIT = """
import os, sys
import mlmetrics

mlmetrics.track_ml_inference("gpt-4", "nightly", 1.5)
assert mlmetrics.push_metrics(sys.argv[1], job="leaves", grouping={"instance": "one"}, delete_at_exit=True)
assert mlmetrics.push_metrics(sys.argv[1], job="leaves", grouping={"instance": "one"}, delete_at_exit=True)
assert mlmetrics.push_metrics(sys.argv[1], job="leaves", grouping={"instance": "two"})
if os.fork() == 0:
    sys.exit()  # runs what the parent has registered, and must not delete what is the parent's
os.wait()
print("pushed", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def gateway() -> Iterator[Pushgateway]:
    """Return a gateway; each test has a job of its own."""
    with Pushgateway() as started:
        yield started


@pytest.fixture
def metrics(registry: CollectorRegistry) -> MLMetrics:
    """Return a toolkit that has recorded a call."""
    toolkit = MLMetrics(service="nightly", registry=registry)
    toolkit.track_ml_inference("gpt-4", "nightly", 1.5)
    return toolkit


def pushed(text: str, **labels: str) -> dict[str, float]:
    """Return the samples of a gateway's page that have these labels, by name and outcome."""
    return {
        " ".join(filter(None, (sample.name, sample.labels.get("outcome", "")))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if labels.items() <= sample.labels.items()
    }


def at(gateway: Pushgateway, **labels: str) -> dict[str, float]:
    """Return the samples at a gateway that have these labels, by name and outcome."""
    return pushed(gateway.get("/metrics").text, **labels)


class TestPush:
    """What stands at the gateway."""

    def test_the_registry(self, gateway: Pushgateway, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """All of it, ours and the user's own, under the job and the grouping, whatever characters they hold."""
        Counter("documents", "Documents.", registry=registry).inc(3)
        for job in ("plain", "with space", "a/b", "é+%", "..", ".", "=", "a@base64"):
            assert metrics.push_metrics(f"{HOST}:{gateway.port}", job=job, grouping={"instance": "a/b", "empty": ""})
            found = at(gateway, job=job, instance="a/b")
            assert 1 == found[f"{CALLS} success"]
            assert 0 == found[f"{CALLS} failure"]
            assert 1.5 == found["ml_inference_duration_seconds_sum"]
            assert 3 == found["documents_total"]

    def test_what_is_of_the_process_only(
        self, gateway: Pushgateway, metrics: MLMetrics, registry: CollectorRegistry
    ) -> None:
        """Its memory and its version stay away: alerts would take what stands at the gateway for a live process."""
        ProcessCollector(registry=registry)
        Counter("process_documents", "Documents.", registry=registry).inc(3)
        metrics.push_metrics(gateway.url, job="process")
        names = {name for name in at(gateway, job="process") if name.startswith(("process_", "mlmetrics_"))}
        assert {
            "process_documents_total",
            "process_documents_created",
            "mlmetrics_recording_errors_total",
            "mlmetrics_label_overflow_total",
        } == names

    def test_push_replaces_the_group(self, gateway: Pushgateway, metrics: MLMetrics) -> None:
        """What is no longer recorded is gone."""
        metrics.push_metrics(gateway.url, job="replace")
        MLMetrics(service="other", registry=CollectorRegistry()).push_metrics(gateway.url, job="replace")
        assert f"{CALLS} success" not in at(gateway, job="replace")

    def test_push_add_replaces_names(self, gateway: Pushgateway, metrics: MLMetrics) -> None:
        """Metrics of other names stay; those of the same name are the new ones."""
        metrics.push_metrics(gateway.url, job="add")
        other = MLMetrics(service="other", registry=CollectorRegistry())
        other.track_parsing_accuracy("cv", "pdf", 0.9)
        assert other.push_metrics(gateway.url, job="add", push_add=True)
        found = at(gateway, job="add")
        assert 1 == found[f"{CALLS} success"]
        assert 1 == found["parsing_accuracy_score_count"]

    def test_behind_a_prefix(self, metrics: MLMetrics, gateway: Pushgateway) -> None:
        """An address may have a path, such as behind a proxy."""
        with Front(gateway, statuses=(202,)) as front:
            assert metrics.push_metrics(f"{front.url}/pushgateway/", job="prefix")
        assert [("PUT", "/pushgateway/metrics/job/prefix")] == [(asked.method, asked.path) for asked in front.asked]
        assert "text/plain; version=0.0.4; charset=utf-8" == front.asked[0].headers["content-type"]


class TestDeleteAtExit:
    """`delete_at_exit`."""

    def test_of_a_program(self, gateway: Pushgateway) -> None:
        """The group is there until the program ends, and not longer; other groups stay."""
        command = [sys.executable, "-c", AT_EXIT, gateway.url]
        with subprocess.Popen(
            command, cwd=TESTS.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as program:
            assert program.stdout is not None
            assert "pushed\n" == program.stdout.readline()
            assert 1 == at(gateway, job="leaves", instance="one")[f"{CALLS} success"]
            program.communicate("")
        assert 0 == program.returncode
        assert {} == at(gateway, job="leaves", instance="one")
        assert 1 == at(gateway, job="leaves", instance="two")[f"{CALLS} success"]

    def test_a_gateway_that_has_gone(self) -> None:
        """The program ends as if nothing were wrong."""
        with Pushgateway() as gateway:
            command = [sys.executable, "-c", AT_EXIT, gateway.url]
            program = subprocess.Popen(
                command,
                cwd=TESTS.parent,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            assert program.stdout is not None
            assert "pushed\n" == program.stdout.readline()
        with program:
            assert ("", "") == program.communicate("")
        assert 0 == program.returncode


class TestRetries:
    """A gateway that is late, or overloaded, gets the push all the same."""

    def test_a_gateway_that_starts_late(self, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """The push waits for it."""
        port, taken = free_port(), []

        def push() -> None:
            taken.append(metrics.push_metrics(f"{HOST}:{port}", job="late", timeout=60, retries=20))

        with socket.create_server((HOST, port)) as nobody:  # ends the first attempt, and shows that it was made
            thread = threading.Thread(target=push)
            thread.start()
            nobody.accept()[0].close()
        with Pushgateway(port=port) as gateway:
            thread.join()
            assert [True] == taken
            assert 1 == at(gateway, job="late")[f"{CALLS} success"]
        assert {} == errors(registry)

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_a_gateway_that_is_overloaded(self, status: int, gateway: Pushgateway, metrics: MLMetrics) -> None:
        """It is asked again, as often as is allowed and no oftener."""
        with Front(gateway, statuses=(status, status)) as front:
            assert metrics.push_metrics(front.url, job=f"overloaded by {status}", retries=2)
        assert 3 == len(front.asked)
        assert 1 == at(gateway, job=f"overloaded by {status}")[f"{CALLS} success"]
        with Front(gateway, statuses=(status, status)) as front:
            assert not metrics.push_metrics(front.url, job="overloaded", retries=1)
        assert 2 == len(front.asked)

    @pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404])
    def test_a_gateway_that_refuses(
        self, status: int, gateway: Pushgateway, metrics: MLMetrics, registry: CollectorRegistry
    ) -> None:
        """It is asked once, and a redirect is not followed: urllib would ask by GET, and call that a success."""
        with Front(gateway, statuses=(status,)) as front:
            assert not metrics.push_metrics(front.url, job="refused", push_add=True)
        assert ["POST"] == [asked.method for asked in front.asked]
        assert {"push": 1} == errors(registry)

    @pytest.mark.timeout(20)  # less than what a push waits that is not told how long
    def test_a_gateway_that_does_not_answer(self, gateway: Pushgateway, metrics: MLMetrics) -> None:
        """After the time-out the push is given up."""
        with Front(gateway, statuses=(0,)) as front:
            with pytest.raises(OSError, match=r"PUT .+/metrics/job/silent: .*timed out"):
                metrics.push_metrics(front.url, job="silent", timeout=0.2, raise_on_error=True)
            assert 1 == len(front.asked)

    def test_the_waits_end_by_the_time_out(self, gateway: Pushgateway, metrics: MLMetrics) -> None:
        """However many attempts are allowed, they end with the time: no wait begins that would outlast it."""
        with Front(gateway, statuses=(503,) * 1000) as front:
            assert not metrics.push_metrics(front.url, job="forever", timeout=0.2, retries=10_000)
        assert 1 == len(front.asked)


class TestFailures:
    """What becomes of a push that fails."""

    def test_it_is_counted_and_logged_once(self, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """The program goes on, and the return value says that nothing was pushed."""
        with structlog.testing.capture_logs() as events:
            assert [False, False] == [metrics.push_metrics(f"{HOST}:1", job="down", retries=0) for _ in range(2)]
        assert {"push": 2} == errors(registry)
        assert ["push"] == [event["where"] for event in events]
        assert events[0]["problem"].startswith(f"PUT http://{HOST}:1/metrics/job/down: ")

    def test_raised_on_request(self, metrics: MLMetrics, gateway: Pushgateway, registry: CollectorRegistry) -> None:
        """Then the error says what the gateway said."""
        with pytest.raises(OSError, match=f"PUT http://{HOST}:1/metrics/job/down: .+refused"):
            metrics.push_metrics(f"{HOST}:1", job="down", retries=0, raise_on_error=True)
        with (
            Front(gateway, statuses=(400,)) as front,
            pytest.raises(OSError, match=r"400 Bad Request as the test says$"),
        ):
            metrics.push_metrics(front.url, job="refused", raise_on_error=True)
        assert {"push": 2} == errors(registry)

    def test_a_collector_that_raises(self, gateway: Pushgateway, registry: CollectorRegistry) -> None:
        """It fails the push, and not the program."""

        class Broken:
            def describe(self) -> list[Any]:
                return []

            def collect(self) -> Any:
                raise RuntimeError("no figures")

        metrics = MLMetrics(service="nightly", registry=registry)
        metrics.store  # noqa: B018 (registers it)
        broken: Any = Broken()
        registry.register(broken)
        assert not metrics.push_metrics(gateway.url, job="broken")
        registry.unregister(broken)
        assert {"push": 1} == errors(registry)


class TestInterruptions:
    """A signal handler that raises while a push waits."""

    def test_while_the_gateway_is_silent(
        self, gateway: Pushgateway, metrics: MLMetrics, registry: CollectorRegistry
    ) -> None:
        """What it raises reaches the program, and is no failed push."""
        with Front(gateway, statuses=(0,)) as front:
            self._interrupt(metrics, front.url)
        assert {} == errors(registry)

    def test_while_it_connects(self, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """The same; urllib wraps it, and it is unwrapped."""
        with socket.create_server((HOST, 0), backlog=0) as nobody, ExitStack() as waiting:
            for _ in range(3):  # fills the queue of those that nobody accepts
                client = waiting.enter_context(socket.socket())
                client.settimeout(0)
                client.connect_ex(nobody.getsockname())
            self._interrupt(metrics, f"{HOST}:{nobody.getsockname()[1]}")
        assert {} == errors(registry)

    def _interrupt(self, metrics: MLMetrics, gateway: str) -> None:
        """Push, and end the push by an alarm that raises what the network raises, too."""
        alarm = TimeoutError("of the program")

        def ring(_number: int, _frame: FrameType | None) -> None:
            raise alarm

        before = signal.signal(signal.SIGALRM, ring)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            with pytest.raises(TimeoutError) as caught:
                metrics.push_metrics(gateway, job="interrupted", timeout=60)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert alarm is caught.value


class TestAuthorization:
    """Who may push."""

    def test_basic_auth(self, metrics: MLMetrics) -> None:
        """The right password is taken; with a wrong one, or none, nothing stands there."""
        with Pushgateway(PASSWORDS) as gateway:
            assert not metrics.push_metrics(gateway.url, job="none")
            assert not metrics.push_metrics(gateway.url, job="wrong", basic_auth=("nightly", "secrets"))
            assert metrics.push_metrics(gateway.url, job="right", basic_auth=("nightly", "secret"))
            page = httpx.get(f"{gateway.url}/metrics", auth=("nightly", "secret"), trust_env=False).text
        assert 1 == pushed(page, job="right")[f"{CALLS} success"]
        assert {} == pushed(page, job="none") | pushed(page, job="wrong")

    def test_bearer_token(self, gateway: Pushgateway, metrics: MLMetrics) -> None:
        """The right token is taken; a wrong one fails, and is not told to anybody."""
        with Front(gateway, token=TOKEN) as front, structlog.testing.capture_logs() as events:
            assert not metrics.push_metrics(front.url, job="wrong token", bearer_token=f"{TOKEN}s")
            assert metrics.push_metrics(front.url, job="right token", bearer_token=TOKEN)
        assert 1 == at(gateway, job="right token")[f"{CALLS} success"]
        assert {} == at(gateway, job="wrong token")
        assert "401 Unauthorized" in events[0]["problem"]
        assert TOKEN not in str(events)


class TestTLS:
    """Whom a push trusts, and what it shows."""

    @pytest.fixture
    def authority(self, tmp_path: Path) -> Authority:
        """Return an authority that no system knows."""
        return Authority(tmp_path)

    @pytest.fixture
    def encrypted(self, authority: Authority) -> Iterator[Pushgateway]:
        """Return a gateway whose certificate that authority has signed."""
        certificate, key = authority.certificate("server")
        with Pushgateway(f"tls_server_config: {{cert_file: {certificate}, key_file: {key}}}\n") as gateway:
            yield gateway

    def test_of_an_own_authority(self, metrics: MLMetrics, authority: Authority, encrypted: Pushgateway) -> None:
        """It is trusted where its file is given; where it is not, the push fails at once and says why."""
        address = f"https://{HOST}:{encrypted.port}"
        assert metrics.push_metrics(address, job="trusted", ca_file=authority.path)
        page = httpx.get(
            f"{address}/metrics", verify=ssl.create_default_context(cafile=str(authority.path)), trust_env=False
        )
        assert 1 == pushed(page.text, job="trusted")[f"{CALLS} success"]
        with pytest.raises(OSError, match="certificate verify failed"):
            metrics.push_metrics(address, job="untrusted", raise_on_error=True, timeout=5, retries=1000)
        wait_until(lambda: REFUSED in encrypted.log, timeout=30, what=lambda: f"no refusal in {encrypted.log}")
        assert 1 == encrypted.log.count(REFUSED)
        assert metrics.push_metrics(address, job="whoever", insecure_skip_verify=True)

    def test_of_another_name(self, metrics: MLMetrics, authority: Authority, encrypted: Pushgateway) -> None:
        """A certificate that is trusted, but of another host, is refused."""
        address = f"https://127.0.0.2:{encrypted.port}"
        assert not metrics.push_metrics(address, job="elsewhere", ca_file=authority.path, retries=0)

    @pytest.mark.parametrize("as_texts", [True, False])
    def test_client_certificate(self, as_texts: bool, metrics: MLMetrics, authority: Authority) -> None:  # noqa: FBT001 (a parameter)
        """A gateway that asks for a certificate gets the one that is given."""
        certificate, key = authority.certificate("server")
        web = (
            f"tls_server_config: {{cert_file: {certificate}, key_file: {key}, "
            f"client_auth_type: RequireAndVerifyClientCert, client_ca_file: {authority.path}}}\n"
        )
        own, own_key = authority.certificate("nightly")
        files: Any = {"ca_file": authority.path, "cert_file": own, "key_file": own_key}
        if as_texts:
            files = {name: str(path) for name, path in files.items()}
        with Pushgateway(web) as gateway:
            address = f"https://{HOST}:{gateway.port}"
            assert metrics.push_metrics(address, job="shown", **files)
            assert not metrics.push_metrics(address, job="not shown", ca_file=authority.path, retries=0)


def test_the_page_about_batch_jobs(gateway: Pushgateway) -> None:
    """What docs/batch-jobs.md tells to write is taken by a gateway."""
    page = (TESTS.parent / "docs" / "batch-jobs.md").read_text(encoding="utf-8")
    program = "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL)).replace("localhost:9091", gateway.url)
    program = f"documents, parse = [1, 2], abs\n{program}\nassert taken"
    subprocess.run([sys.executable, "-c", program], cwd=TESTS.parent, check=True)
    assert 2 == at(gateway, job="nightly-parse")["ml_batch_job_items_total"]
    assert 1 == at(gateway, job="import")[f"{RUNS} success"]


class TestBatchJob:
    """`batch_job(..., push_to=...)`."""

    def test_a_success_and_a_failure(self, gateway: Pushgateway) -> None:
        """Each run is a process of its own: the failure is pushed, and the time of the last success stays."""
        with MLMetrics(service="s", registry=CollectorRegistry()).batch_job("runs", push_to=gateway.url) as run:
            run.items(42)
        succeeded = at(gateway, job="runs", batch_job="runs")
        assert 1 == succeeded[f"{RUNS} success"]
        assert 42 == succeeded["ml_batch_job_items_total"]
        error = ValueError("no input")
        with (
            pytest.raises(ValueError, match="no input") as caught,
            MLMetrics(service="s", registry=CollectorRegistry()).batch_job("runs", push_to=gateway.url),
        ):
            raise error
        failed = at(gateway, job="runs", batch_job="runs")
        assert error is caught.value
        assert (0, 1) == (failed[f"{RUNS} success"], failed[f"{RUNS} failure"])
        assert succeeded[LAST_SUCCESS] == failed[LAST_SUCCESS]

    def test_a_gateway_that_is_down(self, registry: CollectorRegistry) -> None:
        """The job succeeds all the same; and where it fails, its own exception is what is raised, as it was."""
        metrics = MLMetrics(service="s", registry=registry)
        with metrics.batch_job("down", push_to=f"{HOST}:1", retries=0):
            pass
        error = ValueError("no input")
        job = metrics.batch_job("down", push_to=f"{HOST}:1", retries=0, raise_on_error=True)
        with pytest.raises(ValueError, match="no input") as caught, job:
            raise error
        assert error is caught.value
        assert None is error.__context__
        assert ["test_a_gateway_that_is_down"] == [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        with pytest.raises(OSError, match="refused"), job:
            pass
        assert {"success": 2, "failure": 1} == outcomes(registry, "batch_job")
        assert {"push": 3} == errors(registry)

    async def test_on_asyncio(self, gateway: Pushgateway, registry: CollectorRegistry) -> None:
        """The event loop serves others while the push waits."""
        metrics = MLMetrics(service="s", registry=registry)
        with Front(gateway, statuses=(0,)) as front:

            async def work() -> None:
                async with metrics.batch_job("aside", push_to=front.url, retries=0):
                    pass

            task = asyncio.create_task(work())
            await asyncio.to_thread(front.reached.wait)
            assert not task.done()
            front.release()
            await task
        assert {"push": 1} == errors(registry)
        assert {"success": 1} == outcomes(registry, "batch_job")

    def test_on_trio(self, gateway: Pushgateway, registry: CollectorRegistry) -> None:
        """A cancelled run is pushed too."""
        metrics = MLMetrics(service="s", registry=registry)

        async def work() -> None:
            with trio.move_on_after(0):
                async with metrics.batch_job("trio", push_to=gateway.url):
                    await trio.sleep_forever()

        trio.run(work)
        assert 1 == at(gateway, job="trio")[f"{RUNS} cancelled"]
