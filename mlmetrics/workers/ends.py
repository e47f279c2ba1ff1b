"""What is done when workers begin and end, with our files and with those of prometheus_client."""

import os
import re

from mlmetrics.interruption import Tolerating
from mlmetrics.workers.directory import VARIABLE, start_of
from mlmetrics.workers.reaper import reap_all

_OF_CLIENT = re.compile(r"(?:counter|histogram|summary|gauge_[a-z]+)_(\d+)\.db")


def begin_worker() -> None:
    """Add up the numbers of workers that have died."""
    if directory := os.environ.get(VARIABLE):
        reap_all(directory)


def end_worker(pid: int | None = None) -> None:
    """Have the client's live gauges no longer count a worker: this process, or one that has ended."""
    if directory := os.environ.get(VARIABLE):
        from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415 (not needed without a directory)

        with Tolerating(OSError):
            mark_process_dead(os.getpid() if pid is None else pid, directory)
        if pid is not None:
            reap_all(directory)


def begin_server() -> None:
    """Remove the client's files of an earlier start, which it would add up for ever, and reap ours.

    The files of this process stay: an application may be loaded before. If another process that runs has
    files there, the directory is not ours alone, and all of them stay.
    """
    if directory := os.environ.get(VARIABLE):
        with Tolerating(OSError):
            reap_all(directory)
            files = [match for match in map(_OF_CLIENT.fullmatch, os.listdir(directory)) if match]
            others = [match for match in files if int(match[1]) != os.getpid()]
            if not any(start_of(int(match[1])) for match in others):
                for match in others:
                    os.unlink(os.path.join(directory, match[0]))
