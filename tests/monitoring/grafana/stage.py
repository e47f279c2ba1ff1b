"""The stage for tests of panels: the recruiting services and the scripted one, with traffic and a Prometheus."""

import asyncio
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import httpx
import yaml

from examples.recruiting.addresses import API, SERVICES
from examples.recruiting.corpus import BROKEN, DOCUMENTS
from examples.recruiting.demo.processes import Processes
from examples.recruiting.demo.settings import move_to_free_ports
from examples.recruiting.demo.traffic import BROKEN_ANSWERS, drive
from mlmetrics.catalog import OPERATIONS
from mlmetrics.monitoring.config import Config, Service
from mlmetrics.monitoring.loading import load
from mlmetrics.monitoring.operations import ALL_OF_REQUESTS, metrics_in_use
from mlmetrics.monitoring.prometheus.files import server_files
from mlmetrics.monitoring.prometheus.scrape import prometheus_document
from mlmetrics.monitoring.text import yaml_text
from tests.monitoring.grafana import scripted
from tests.monitoring.grafana.history import import_history, write_history
from tests.programs import wait_until
from tests.servers import NodeExporter, Prometheus, UvicornServer, VictoriaMetrics

ROOT = Path(__file__).parents[3]
TRAFFIC_SECONDS = 24.0
RATE_SECONDS = 15
HOWEVER_LONG = 60_000
"""No query counts as slow in tests, because a test machine is busy with other work too."""
MAY_BE_EMPTY = {
    "@ Firing alerts",
    "@ Restarts",
    "Burning budgets",
    "Firing alerts",
    "Instances that do not answer",
}
"""Nothing is wrong in tests."""
REQUESTS_PER_SECOND = 20.0
# The most complete documents of each kind and format. A series begins with its first document, which Prometheus leaves
# out of an increase and VictoriaMetrics counts: these score high, so that of documents that score low no storage counts
# another number.
FIRST_DOCUMENTS = {
    "/cvs": ("37-cv-fr-ux-designer.pdf", "53-cv-fr-nurse.docx", "45-cv-fr-accountant.txt"),
    "/jobs": ("67-job-en-site-engineer.pdf", "44-job-en-accountant.docx", "63-job-fr-sales-manager.txt"),
}
# Samples are looked for as soon as they have come, not half a minute later; a cache would hold answers of before.
STORAGE = ("-search.latencyOffset=1s", "-search.disableCache", "-retentionPeriod=100y")


class SeasonedPrometheus(Prometheus):
    """A Prometheus with samples of the scripted service from a week ago."""

    instance = ""

    def command(self, directory: Path) -> list[str]:
        """Return the command line, after the samples of the past were written."""
        write_history(directory, time.time(), self.instance)
        return super().command(directory)


@dataclass(frozen=True)
class Stage:
    """A running Prometheus after the traffic, and what was sent to the scripted service and when.

    `storage` has all that Prometheus has, what its rules record included; `scraped` has what was scraped alone.
    """

    prometheus: Prometheus
    storage: VictoriaMetrics
    scraped: VictoriaMetrics
    rules: Mapping[str, str]
    config: Config
    end: float
    sent: Sequence[tuple[float, int]]

    def window(self) -> Counter[int]:
        """Return how often each number was sent in the window that a rate at `end` looks at."""
        return Counter(number for at, number in self.sent if self.end - RATE_SECONDS < at <= self.end)


@contextmanager
def staged(folder: Path, seconds: float = TRAFFIC_SECONDS) -> Iterator[Stage]:
    """Start everything, send traffic, yield the stage, and end everything."""
    with ExitStack() as started, patch.dict(os.environ):
        move_to_free_ports()
        processes = started.enter_context(Processes(folder, lambda: None))
        processes.start_services()
        server = started.enter_context(UvicornServer("tests.monitoring.grafana.scripted:app", ready_path="/metrics"))
        node = started.enter_context(NodeExporter())
        storage, scraped = (started.enter_context(VictoriaMetrics(STORAGE)) for _ in range(2))
        config = configured(server.port, node.port, storage)
        processes.wait_ready()
        text, rules = _files(config, scraped)
        seasoned = SeasonedPrometheus(text, rules)
        seasoned.instance = f"127.0.0.1:{server.port}"
        prometheus = started.enter_context(seasoned)
        for each in (storage, scraped):
            import_history(seasoned.directory, each.url)
        prometheus.wait_for(f"count(up == 1) == {len(config.services) + 1}")
        _send_first(prometheus)
        sent, end = _send(server.url, seconds)
        prometheus.wait_for(f"min(timestamp(fastapi_requests_in_progress)) > {end}")
        yield Stage(prometheus, storage, scraped, rules, config, end, sent)


def configured(scripted_port: int, node_port: int, storage: VictoriaMetrics) -> Config:
    """Return the committed configuration with the targets that are there, the scripted service, and all metrics."""
    config = load(ROOT / "mlmetrics.toml")
    ports = {service.name: service.port for service in SERVICES} | {scripted.NAME: scripted_port}
    services = tuple(Service(name=name, targets=(f"127.0.0.1:{port}",)) for name, port in ports.items())
    node, address = f"127.0.0.1:{node_port}", _write_address(storage)
    return replace(
        config,
        services=services,
        operations=OPERATIONS,
        requests=ALL_OF_REQUESTS,
        metrics=metrics_in_use(OPERATIONS, ALL_OF_REQUESTS),
        host_targets=(node,),
        alertmanagers=(),
        remote_write=address,
    )


def _write_address(storage: VictoriaMetrics) -> str:
    return f"{storage.url}/api/v1/write"


def _files(config: Config, scraped: VictoriaMetrics) -> tuple[str, dict[str, str]]:
    """Return the shipped configuration at one second's interval, and the shipped rules."""
    rules = {name: text for name, text in server_files(config).items() if name.startswith("rules/")}
    document = prometheus_document(config, sorted(rules))
    document["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    for job in document["scrape_configs"]:
        job.pop("scrape_interval", None)
    drop = {"source_labels": ["__name__"], "regex": "mlmetrics:.+|ALERTS.*", "action": "drop"}
    document["remote_write"].append({"url": _write_address(scraped), "write_relabel_configs": [drop]})
    for each in document["remote_write"]:
        each["queue_config"] = {"batch_send_deadline": "500ms"}
    return yaml_text(document), {name: each_second(text) for name, text in rules.items()}


def each_second(rules: str) -> str:
    """Return rules whose groups are all evaluated as often as Prometheus itself does, none less often."""
    document = yaml.safe_load(rules)
    for group in document["groups"]:
        group.pop("interval", None)
    return yaml_text(document)


def _send_first(prometheus: Prometheus) -> None:
    """Send one document of each kind and format, wait until it was scraped, and send broken ones.

    With the broken ones of the traffic, the share of failures is well between two burn rates at which alerts fire.
    Without these it is near one of the two, and the storages may be on different sides of it.
    """
    for path, names in FIRST_DOCUMENTS.items():
        for name in names:
            assert httpx.codes.OK == _upload(path, DOCUMENTS / name)
    prometheus.wait_for(f"count(parsing_accuracy_score_count == 1) == {sum(map(len, FIRST_DOCUMENTS.values()))}")
    for name, status in BROKEN_ANSWERS.items():
        assert status == _upload("/cvs", BROKEN / name)


def _upload(path: str, file: Path) -> int:
    files = {"file": (file.name, file.read_bytes())}
    return httpx.post(f"{API.url}{path}", files=files, timeout=10, trust_env=False).status_code


def _send(url: str, seconds: float) -> tuple[list[tuple[float, int]], float]:
    sent: list[tuple[float, int]] = []
    pacing = threading.Thread(target=lambda: asyncio.run(_pace(url, sent, seconds)))
    pacing.start()
    asyncio.run(drive(seconds, lambda _seconds, _sent: None))
    pacing.join()
    wait_until(lambda: sent, timeout=1, what=lambda: "no request was answered")
    # Before the last request, so that the whole window has the same rate of requests.
    return sent, sent[-1][0] - 1.5


async def _pace(url: str, sent: list[tuple[float, int]], seconds: float) -> None:
    """Send numbers at a constant rate, and note when each was answered."""
    start = time.monotonic()
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=10) as client:

        async def send(number: int) -> None:
            await client.get(f"/tasks/{number}")
            sent.append((time.time(), number))

        async with asyncio.TaskGroup() as group:
            for turn in range(int(seconds * REQUESTS_PER_SECOND)):
                await asyncio.sleep(max(0.0, start + turn / REQUESTS_PER_SECOND - time.monotonic()))
                group.create_task(send(turn % scripted.CYCLE))
