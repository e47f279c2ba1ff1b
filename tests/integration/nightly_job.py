"""A batch job that runs again and again, each run as a process of its own would be, and pushes what it recorded."""

import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics

PAUSE_SECONDS = 1.0


class NightlyJob:
    """Runs until it is left; while it is `failing`, no run succeeds."""

    def __init__(self, gateway: str) -> None:
        self.failing = False
        self._gateway = gateway
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run_until_stopped, daemon=True)

    def _run_until_stopped(self) -> None:
        while not self._stop.wait(PAUSE_SECONDS):
            with suppress(ValueError):
                self._run()

    def _run(self) -> None:
        metrics = MLMetrics(service="nightly", registry=CollectorRegistry())
        with metrics.batch_job("nightly-parse", push_to=self._gateway) as run:
            if self.failing:
                raise ValueError("no input")
            run.item()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
