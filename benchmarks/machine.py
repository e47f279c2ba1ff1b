"""Describes where a run was measured: the machine, Python, and the versions that were compared."""

import os
import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import mlmetrics

COMPARED = (
    "fastapi",
    "opentelemetry-instrumentation-fastapi",
    "opentelemetry-sdk",
    "prometheus-client",
    "prometheus-fastapi-instrumentator",
    "starlette",
    "starlette-exporter",
    "structlog",
    "uvicorn",
    "wrapt",
)


def describe() -> dict[str, object]:
    """Return the machine and the versions that the figures were measured with."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": processor(),
        "cores": os.cpu_count(),
        "load_average_before": [round(load, 2) for load in os.getloadavg()],
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "mlmetrics": mlmetrics.__version__,
        "versions": {name: version for name in COMPARED if (version := installed(name))},
    }


def processor() -> str:
    """Return the model name of the processor."""
    try:
        listed = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in listed if line.startswith("model name")), "unknown")


def installed(name: str) -> str | None:
    """Return the version of a distribution; None if it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
