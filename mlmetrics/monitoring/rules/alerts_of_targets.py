"""Alerts about the targets themselves: whether they answer, what they use, and that alerting works."""

from collections.abc import Iterator

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.rules import indicators
from mlmetrics.monitoring.rules.alert import PERCENT, PLAIN, Alert
from mlmetrics.monitoring.rules.conditions import Always, Down, HostMemory, Level, Share
from mlmetrics.monitoring.rules.indicators import Sample


def alerts_of_targets(config: Config) -> Iterator[Alert]:
    """Return the alerts about targets."""
    for build in (_targets, _pressure, _hosts, _watchdog):
        yield from build(config)


def _targets(config: Config) -> Iterator[Alert]:
    jobs = tuple(service.name for service in config.services)
    settings = config.alerts["ServiceDown"]
    yield Alert(
        "ServiceDown",
        settings,
        Down(jobs, (*config.grouping, "job")),
        "{{ $labels.job }} is down",
        "No instance of {{ $labels.job }} answers its scrapes, or none is configured any more.",
        "fleet",
    )
    yield Alert(
        "InstanceDown",
        config.alerts["InstanceDown"],
        Down(jobs, (), each=True),
        "{{ $labels.instance }} of {{ $labels.job }} is down",
        "{{ $labels.instance }} does not answer its scrapes.",
        "fleet",
    )
    slow = config.alerts["SlowScrape"]
    yield Alert(
        "SlowScrape",
        slow,
        Level(Sample("scrape_duration_seconds", "used"), _target(config), slow.threshold or 0.0, jobs),
        "{{ $labels.instance }} of {{ $labels.job }} is slow to scrape",
        f"Its last scrape took {PLAIN} s.",
        "fleet",
    )


def _target(config: Config) -> tuple[str, ...]:
    return (*config.grouping, "job", "instance")


def _pressure(config: Config) -> Iterator[Alert]:
    jobs = tuple(service.name for service in config.services)
    memory, cpu = config.alerts["HighMemoryUsage"], config.alerts["HighCPUUsage"]
    process = {"scope": "process"}
    yield Alert(
        "HighMemoryUsage",
        memory,
        Level(
            Sample("process_resident_memory_bytes", "used"),
            _target(config),
            memory.share or 0.0,
            jobs,
            Sample("mlmetrics_memory_limit_bytes", "limit"),
        ),
        "{{ $labels.instance }} of {{ $labels.job }} is running out of memory",
        f"The process uses {PERCENT} of its memory limit.",
        "fleet",
        process,
    )
    yield Alert(
        "HighCPUUsage",
        cpu,
        Level(
            Sample("process_cpu_seconds_total", "used"),
            _target(config),
            cpu.share or 0.0,
            jobs,
            Sample("mlmetrics_cpu_limit_cores", "limit"),
            cpu.window_seconds,
        ),
        "{{ $labels.instance }} of {{ $labels.job }} is short of processor time",
        f"The process uses {PERCENT} of its processor limit.",
        "fleet",
        process,
    )


def _hosts(config: Config) -> Iterator[Alert]:
    if not config.host_targets:
        return
    memory, cpu = config.alerts["HighMemoryUsage"], config.alerts["HighCPUUsage"]
    host = {"scope": "host"}
    yield Alert(
        "HighMemoryUsage",
        memory,
        HostMemory(memory.share or 0.0),
        "The host {{ $labels.instance }} is running out of memory",
        f"{PERCENT} of its memory is in use.",
        "fleet",
        host,
    )
    window = cpu.window_seconds or 0.0
    yield Alert(
        "HighCPUUsage",
        cpu,
        Share(indicators.busy_host(), (*config.grouping, "instance"), window, cpu.share or 0.0, None),
        "The host {{ $labels.instance }} is short of processor time",
        f"{PERCENT} of its processor time is in use.",
        "fleet",
        host,
    )


def _watchdog(config: Config) -> Iterator[Alert]:
    yield Alert(
        "Watchdog",
        config.alerts["Watchdog"],
        Always(),
        "Alerting works",
        "This alert always fires; when it no longer arrives, alerts do not reach you.",
        "fleet",
    )
