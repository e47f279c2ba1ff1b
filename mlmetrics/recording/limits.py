"""The memory and CPU limits of the process, read from its control group (cgroup v2, else v1)."""

from pathlib import Path

from mlmetrics.interruption import interrupted

CGROUP = Path("/sys/fs/cgroup")
UNLIMITED_BYTES = 1 << 60
"""cgroup v1 says "no limit" with a number near 2**63."""


def memory_limit_bytes(root: Path = CGROUP) -> float:
    """Return the memory limit in bytes; 0 if there is none."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        text = _read(root / name)
        if text.isdigit() and int(text) < UNLIMITED_BYTES:
            return float(text)
    return 0.0


def cpu_limit_cores(root: Path = CGROUP) -> float:
    """Return the CPU limit in cores; 0 if there is none."""
    quota, _, period = _read(root / "cpu.max").partition(" ")
    if not period:
        quota, period = _read(root / "cpu/cpu.cfs_quota_us"), _read(root / "cpu/cpu.cfs_period_us")
    if not (quota.isdigit() and period.isdigit() and int(period)):
        return 0.0
    return int(quota) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError as error:
        if interrupted(error):
            raise
        return ""
