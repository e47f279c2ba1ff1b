"""Workers and reapers that are killed at every step: nothing is lost, and nothing counts twice."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def run(program: str, *arguments: str) -> Any:
    """Run one of the programs beside this module, and return what it printed."""
    command = [sys.executable, "-m", f"tests.workers.{program}", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(("scenario", "steps"), [("growing", 150), ("reaping", 300)])
def test_kills_at_every_step(memory_path: Path, scenario: str, steps: int) -> None:
    """A SIGKILL before any line of making, growing or reaping files loses and doubles nothing, also for the client."""
    result = run("killed", scenario, str(memory_path))
    assert [] == result["wrong"]
    assert steps < result["kills"]


def test_readers_beside_reapers_that_are_killed(memory_path: Path) -> None:
    """While workers die and reapers are killed at random, a reader finds the exact sum at each read."""
    result = run("churn", str(memory_path))
    assert [] == result["wrong"]
    assert result["reaped"]


@pytest.mark.parametrize("scenario", ["in_a_call", "under_threads", "in_a_place", "in_a_reap", "beside_a_lock"])
def test_forks(memory_path: Path, scenario: str) -> None:
    """A fork at any moment leaves the parent's numbers to the parent, and the child begins files of its own."""
    result = run("forked", scenario, str(memory_path))
    assert result["expected"] == result["found"]
    assert [] == result["failures"]
