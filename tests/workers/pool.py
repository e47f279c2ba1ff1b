"""Processes of `multiprocessing` that record, and a parent that serves what they recorded.

`python -m tests.workers.pool METHOD PORT CALLS`: two processes make that many calls each, and end; a third one stays
and has made one call.
"""

import multiprocessing
import signal
import sys
from typing import Any

from prometheus_client import Counter

from mlmetrics import configure, start_metrics_server, track_inference

WAIT_SECONDS = 60
configure(service="workers")  # here, because a process that is not forked imports this module anew
jobs = Counter("jobs", "Jobs that were done.")


@track_inference(model="pool")
def infer() -> None:
    """Do nothing."""


def call(times: int, done: Any, end: Any) -> None:
    """Call that often, say so, and stay until the end if there is one."""
    for _ in range(times):
        jobs.inc()
        infer()
    done.set()
    if end is not None:
        end.wait(WAIT_SECONDS)


def main(method: str, port: str, calls: str) -> None:
    """Have the processes record, then serve until SIGTERM."""
    context: Any = multiprocessing.get_context(method)
    end = context.Event()
    ends, numbers = (None, None, end), (int(calls), int(calls), 1)
    events = [context.Event() for _ in ends]
    processes = [
        context.Process(target=call, args=(number, done, stays), daemon=True)
        for number, done, stays in zip(numbers, events, ends, strict=True)
    ]
    for process in processes:
        process.start()
    for done in events:
        done.wait(WAIT_SECONDS)
    for process in processes[:2]:
        process.join()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    with start_metrics_server(int(port)):
        signal.sigwait({signal.SIGTERM})
        end.set()
        processes[2].join()


if __name__ == "__main__":
    main(*sys.argv[1:])
