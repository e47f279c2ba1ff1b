"""A Celery application whose tasks record; its parent serves what they recorded at `METRICS_PORT`."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_ready

from mlmetrics import configure, start_metrics_server, track_inference

URL = os.environ["REDIS_URL"]
app = Celery("tasks", broker=URL, backend=URL)
configure(service="workers")


@app.task(name="infer")  # type: ignore[untyped-decorator]  # Celery has no types
@track_inference(model="celery")
def infer() -> int:
    """Return the process that did it."""
    return os.getpid()


@worker_ready.connect  # type: ignore[untyped-decorator]  # as above
def serve(**_: Any) -> None:
    """Serve the metrics."""
    start_metrics_server(int(os.environ["METRICS_PORT"]))
