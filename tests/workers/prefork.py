"""A small server: `python -m tests.workers.prefork METHOD NUMBER SOCKETS` prints what each of its workers says.

SOCKETS is `shared`, as with servers; `own`, as with several servers of one shell; `connected`, as with a connection
to a database that all have inherited; or `none`.
"""

import json
import logging
import multiprocessing
import os
import socket
import sys
import tempfile
from multiprocessing.synchronize import Barrier
from typing import Any

from prometheus_client import CollectorRegistry

from mlmetrics.recording.collector import store_for
from mlmetrics.workers.detection import several_workers, warn_about_workers
from tests.recorded import samples

WAIT_SECONDS = 60


class Listed(logging.Handler):
    """Keeps the messages."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.messages.append(record.getMessage())


def work(listening: socket.socket | None, together: Barrier, said: Any) -> None:
    """Say what a worker sees, and what it counts and logs, while all of them are there."""
    if os.environ.get("LISTENS") == "own":
        listening = socket.create_server(("127.0.0.1", 0))
    tempfile.tempdir = os.environ.get("MARKS", tempfile.tempdir)
    log = Listed()
    if "LOGS" in os.environ:
        logging.getLogger().addHandler(log)
    registry = CollectorRegistry()
    store = store_for(registry)
    together.wait(WAIT_SECONDS)
    seen = several_workers()
    for _ in range(2):  # when the server starts, and at the first request
        warn_about_workers(store, merged="MERGED" in os.environ)
    together.wait(WAIT_SECONDS)
    counted = {sample.labels["where"]: sample.value for sample in samples(registry, "mlmetrics_recording_errors_total")}
    said.put((os.getpid(), seen, counted.pop("workers"), sum(counted.values()), log.messages))
    if listening is not None:
        listening.close()


def main(method: str, number: str, sockets: str) -> None:
    """Start the workers, and print their pids and what they say."""
    os.environ["LISTENS"] = sockets
    context: Any = multiprocessing.get_context(method)
    together, said = context.Barrier(int(number)), context.Queue()
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        given = {"shared": server, "connected": client}.get(sockets)
        if given is not server:
            server.close()
        workers = [context.Process(target=work, args=(given, together, said)) for _ in range(int(number))]
        for worker in workers:
            worker.start()
        answers = [said.get(timeout=WAIT_SECONDS) for _ in workers]
        for worker in workers:
            worker.join()
    sys.stdout.write(json.dumps(sorted(answers)))


if __name__ == "__main__":
    main(*sys.argv[1:])
