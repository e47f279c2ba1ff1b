"""Programs that a test runs in a process of their own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run_script(script: str, **environment: str) -> None:
    """Run a program, which prints what is wrong."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script]  # Python warns of threads and forks
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=60
    )
    output = (done.returncode, done.stdout, done.stderr)
    assert (0, "", "") == output, output
