"""Measures autometrics in an environment of its own, because it pins an old prometheus_client.

The environment is made once and kept in the user's cache; `autometrics_calls` runs
in it, and measures the floor of that environment too.
"""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.timing import Times

REQUIREMENT = "autometrics==1.0.0"
ROOT = Path(__file__).parents[1]


class Elsewhere(Exception):  # noqa: N818 (the name says where the error is)
    """The other environment cannot be made, or the program in it failed."""


def measure_elsewhere(rounds: int) -> Times:
    """Measure bare, floor and autometrics in that environment, and return their times."""
    command = [str(environment()), "-m", "benchmarks.autometrics_calls", str(rounds)]
    return dict(json.loads(_run(command)))


def environment() -> Path:
    """Return the Python of the environment, which is made if it does not exist."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = caches / "mlmetrics-benchmarks" / f"{REQUIREMENT.replace('==', '-')}-python{version}"
    python, ready = folder / "bin" / "python", folder / "ready"
    if not ready.exists():
        venv.create(folder, clear=True, with_pip=True)
        _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", REQUIREMENT])
        ready.touch()
    return python


def _run(command: list[str]) -> str:
    # Settings of this interpreter must not reach the other one.
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "AUTOMETRICS"))}
    done = subprocess.run(  # noqa: S603 (our own module, and pip)
        command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Elsewhere(f"{REQUIREMENT}: {(done.stderr.strip().splitlines() or ['no output'])[-1]}")
    return done.stdout
