"""A directory in memory: these tests make and remove thousands of files."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")  # noqa: S108 (the directories in it are the test's own)


@pytest.fixture
def memory_path(tmp_path: Path) -> Iterator[Path]:
    """Yield an empty directory, in memory where that can be had."""
    if not MEMORY.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="mlmetrics-", dir=MEMORY) as path:
        yield Path(path)
