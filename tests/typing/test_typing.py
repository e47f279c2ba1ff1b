"""The public API is typed as `api.py` says."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_mypy_agrees() -> None:
    """Strict mypy finds the types that `api.py` asserts, and every error that it expects."""
    command = [sys.executable, "-m", "mypy", "tests/typing/api.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
