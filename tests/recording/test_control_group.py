"""What the control group says that the process may use."""

from pathlib import Path

import pytest

from mlmetrics.recording.limits import UNLIMITED_BYTES, memory_limit_bytes


@pytest.mark.parametrize(
    ("name", "text", "limit"),
    [
        ("memory.max", "1073741824", 2**30),
        ("memory.max", "max", 0),
        ("memory/memory.limit_in_bytes", "1073741824", 2**30),
        ("memory/memory.limit_in_bytes", "9223372036854771712", 0),  # as cgroup v1 says "no limit"
        ("memory/memory.limit_in_bytes", str(2**50), 2**50),  # a petabyte is one
        ("memory/memory.limit_in_bytes", str(2**60), 0),
        ("memory/memory.limit_in_bytes", str(2**60 - 2**10), 2**60 - 2**10),
    ],
)
def test_memory(tmp_path: Path, name: str, text: str, limit: float) -> None:
    """The limit in bytes of either version of cgroups; 0 where there is none."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(f"{text}\n")
    assert limit == memory_limit_bytes(tmp_path)


def test_no_control_group(tmp_path: Path) -> None:
    """Without a control group there is no limit."""
    assert 2**60 == UNLIMITED_BYTES
    assert 0 == memory_limit_bytes(tmp_path)
