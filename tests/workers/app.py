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
jobs = Counter("jobs", "Jobs that were done.")
_tally = os.open(os.environ.get("TALLY", os.devnull), os.O_WRONLY | os.O_APPEND | os.O_CREAT)


@track_inference(model="m")
def infer() -> int:
    """Return the process that did it."""
    return os.getpid()


@app.get("/work")
async def work() -> int:
    """Do it; nothing else runs in this process between the last number and the tally."""
    jobs.inc()
    pid = infer()
    os.write(_tally, b".")
    if "FSYNC" in os.environ:
        os.fsync(_tally)
    return pid


@app.get("/ready")
async def ready() -> None:
    """Answer."""
