"""Fixtures for all tests (a registry, a clock that tests move), and marks for slow tests."""

import gc
import os
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

# Settings of the machine that the library and its examples read; they are removed before anything imports them.
for _name in (
    "MLMETRICS_DISABLED",
    "MLMETRICS_SERVICE",
    "OPENAI_BASE_URL",
    "OTEL_SERVICE_NAME",
    "PROMETHEUS_MULTIPROC_DIR",
):
    os.environ.pop(_name, None)

import pytest
import structlog
from hypothesis import settings
from prometheus_client import CollectorRegistry

from mlmetrics.recording import host

# Machines differ in speed, and the same commit must find the same examples on each of them.
settings.register_profile("mlmetrics", deadline=None, derandomize=True)
settings.load_profile("mlmetrics")


ROOT = Path(__file__).parent
SDKS = ROOT / "sdks"
# These start servers or run promtool, install packages or take long: `make quick` leaves them out.
SLOW = (
    "browser",
    *(
        "cli/init/test_differences.py",
        "cli/init/test_foreign_projects.py",
        "cli/init/test_layouts.py",
        "cli/init/test_receivers.py",
        "cli/init/test_recorded.py",
        "cli/run/test_live.py",
        "cli/test_check.py",
        "cli/test_live.py",
    ),
    *("examples", "integration", "packaging", "typing"),
    *("live/test_differential.py", "live/test_feed.py", "live/test_misbehaving.py", "live/test_prometheus.py"),
    "live/test_target.py",
    *("monitoring/deploy/test_kubernetes.py", "monitoring/grafana/test_panels.py", "monitoring/prometheus"),
    *("monitoring/rules/test_drift.py", "monitoring/rules/test_false_alarms.py", "monitoring/test_mutation.py"),
    "monitoring/test_shipped.py",
    *("monitoring/test_targets.py", "recording/test_interrupted_folds.py", "scale"),
    *("monitoring/verify/files/test_own_files.py", "monitoring/verify/files/test_real_prometheus.py"),
    *("monitoring/verify/test_checks.py", "monitoring/verify/test_delivery.py", "monitoring/verify/test_few_panels.py"),
    *("monitoring/verify/test_pages.py", "monitoring/verify/test_panel_queries.py"),
    *("monitoring/verify/test_prometheus_api.py", "monitoring/verify/test_victoria.py"),
    "monitoring/verify/test_victoria_conditions.py",
    *("otlp/test_processes.py", "plain/test_exactness.py", "plain/test_processes.py"),
    *("test_recipes.py", "test_servers.py", "test_switch.py", "workers/test_interrupted_reads.py"),
    *("workers/test_kills.py", "workers/test_servers.py"),
    "workers/test_together.py",
)
# These compare numbers with what servers do in real time, and are late on a busy machine: `make test` runs them after
# the others, one at a time.
ALONE = (
    *("cli/init/test_layouts.py", "integration/test_prometheus_pair.py", "monitoring/grafana/test_panels.py", "scale"),
    *("live/test_differential.py", "live/test_feed.py", "live/test_prometheus.py"),
    *("monitoring/verify/files/test_own_files.py", "monitoring/verify/test_few_panels.py"),
    "monitoring/verify/test_panel_queries.py",
    "monitoring/verify/test_victoria.py",
)
# These wait for servers too, but however long it takes, and leave the processor idle: they run beside those.
WAITING = ("integration", "live/test_misbehaving.py")
# These take longest, and fail seldom where the others pass: `make long` runs them, not `make test`.
LONG = (
    *("cli/init/test_layouts.py", "integration/test_alerts_rehearsal.py", "integration/test_prometheus_pair.py"),
    *("monitoring/rules/test_false_alarms.py", "monitoring/test_mutation.py"),
    *("monitoring/verify/files/test_own_files.py", "test_recipes.py"),
)
# What `scripts/test.sh` chooses by marks, and where it is.
CHOSEN = {
    "alone and not long": ALONE,
    "waiting and not long": WAITING,
    "long and not waiting": LONG,
    "long and waiting": LONG,
}
# These start what they need once for a module: in parallel, a module stays in one process.
TOGETHER = ("browser", "examples", "packaging")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that are slow or run alone; slow ones run first, so that none is left for the end."""
    for item in items:
        if is_of(item.path, SLOW):
            item.add_marker("slow")
        if is_of(item.path, LONG):
            item.add_marker("long")
        if is_of(item.path, ALONE):
            item.add_marker("alone")
            item.add_marker(pytest.mark.xdist_group("alone"))
        elif is_of(item.path, WAITING):
            item.add_marker("waiting")
            item.add_marker(pytest.mark.xdist_group(str(item.path.relative_to(ROOT))))
        elif is_of(item.path, TOGETHER):
            item.add_marker(pytest.mark.xdist_group(str(item.path.relative_to(ROOT))))
    if items and items[0].config.getoption("--files"):
        items[:] = [item for item in items if item.get_closest_marker("in_memory") is None]
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave modules unread where all of their tests are left out: the imports alone take seconds.

    The tests of SDKs are read where they are asked for, as `make sdks` does: it has environments of its own for them.
    """
    if collection_path == SDKS:
        return not any(Path(config.invocation_params.dir, arg).is_relative_to(SDKS) for arg in config.args) or None
    if collection_path.suffix == ".py" and (places := CHOSEN.get(config.option.markexpr)):
        return not is_of(collection_path, places) or None
    return (config.option.markexpr == "not slow" and is_of(collection_path, SLOW)) or None


def pytest_collection_finish(session: pytest.Session) -> None:
    """In a parallel run, leave what is loaded by now out of garbage collections: many tests ask for one.

    Not in a run by versions: the lowest Hypothesis then finds that its examples are not repeatable.
    """
    if hasattr(session.config, "workerinput"):  # a process of pytest-xdist
        gc.collect()
        gc.freeze()


@cache  # asked for every test of a module
def is_of(path: Path, places: tuple[str, ...]) -> bool:
    """Whether a path is one of these modules or folders, or stands in one of these folders."""
    return any(path.is_relative_to(ROOT / place) for place in places)


class Clock:
    """A clock in whole seconds that only `advance` moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time now."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move the clock forward by `seconds`."""
        self.now += seconds


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--files`."""
    parser.addoption("--files", action="store_true", help="record into files, as one of several processes does")


@pytest.fixture(autouse=True)
def files(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """With `--files`, have every store of the test record into files, in a directory of its own."""
    if not request.config.getoption("--files"):
        yield
        return
    with tempfile.TemporaryDirectory(prefix="mlmetrics-files-") as folder:
        monkeypatch.setattr("mlmetrics.recording.store.directory", lambda _: tempfile.mkdtemp(dir=folder))
        yield
        # A process keeps its files open: thousands of tests would come to the limit of open files.
        for key in [key for key in host._files if key[0].startswith(folder)]:
            del host._files[key]


@pytest.fixture(autouse=True)
def structlog_as_it_came() -> Iterator[None]:
    """Leave structlog unconfigured: `capture_logs` leaves it configured, with its old processors."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def clock() -> Clock:
    """Return a clock at 0."""
    return Clock()


@pytest.fixture
def registry() -> CollectorRegistry:
    """Return an empty registry, as in a process of its own."""
    return CollectorRegistry()
