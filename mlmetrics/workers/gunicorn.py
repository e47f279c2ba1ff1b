"""Hooks for `gunicorn.conf.py`: `from mlmetrics.workers.gunicorn import child_exit, on_starting`."""

from typing import Any

from mlmetrics.workers.ends import begin_server, end_worker

__all__ = ["child_exit", "on_starting"]


def on_starting(server: Any) -> None:  # noqa: ARG001 (gunicorn gives it)
    """Remove what an earlier start has left in `PROMETHEUS_MULTIPROC_DIR`, unless another server uses it too."""
    begin_server()


def child_exit(server: Any, worker: Any) -> None:  # noqa: ARG001 (as above)
    """Add up the numbers of a worker that has ended; gauges with a `live` mode no longer count it."""
    end_worker(worker.pid)
