"""A benchmark module as a program of its own, with a directory for the numbers of several processes."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from mlmetrics.workers.directory import VARIABLE

ROOT = Path(__file__).parents[1]


def run_in_files(module: str, rounds: int) -> "subprocess.CompletedProcess[str]":
    """Run a module with its rounds; prometheus_client decides at its import where its values stand."""
    with tempfile.TemporaryDirectory(prefix="mlmetrics-benchmark-") as directory:
        return subprocess.run(  # noqa: S603 (our own module)
            [sys.executable, "-m", module, str(rounds)],
            cwd=ROOT,
            env={**os.environ, VARIABLE: directory},
            capture_output=True,
            text=True,
            check=False,
        )
