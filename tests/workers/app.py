"""The service that servers of several workers run in tests.

`/work` records a request, a call and a job, in our metrics and in one of prometheus_client; after that it appends
a byte to the file `TALLY`, and with `FSYNC` has it written to the disk.
"""

import os

from fastapi import FastAPI
from prometheus_client import Counter

import mlmetrics
from mlmetrics import instrument, track_inference

app = FastAPI(lifespan=mlmetrics.lifespan)
instrument(app, service_name="workers", skip_paths=("/ready",))
# The client raises where its files cannot be made; a service on which ours alone is tried has no such metric.
jobs = Counter("jobs", "Jobs that were done.") if "OURS_ALONE" not in os.environ else None
_tally = os.open(os.environ.get("TALLY", os.devnull), os.O_WRONLY | os.O_APPEND | os.O_CREAT)


@track_inference(model="m")
def infer() -> int:
    """Return the process that did it."""
    return os.getpid()


@app.get("/work")
async def work() -> int:
    """Do it; nothing else runs in this process between the last number and the tally."""
    if jobs is not None:
        jobs.inc()
    pid = infer()
    os.write(_tally, b".")
    if "FSYNC" in os.environ:
        os.fsync(_tally)
    return pid


@app.get("/retrieve")
async def retrieve() -> int:
    """Declare and record an operation in the process that answers, and in no other."""
    mlmetrics.operation("retrieval", labelnames=("index",)).record(0.5, index="docs")
    return os.getpid()


@app.get("/ready")
async def ready() -> None:
    """Answer."""
