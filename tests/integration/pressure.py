"""An exporter with set values for the memory and processor time of a service and a host."""

import threading
from types import TracebackType
from typing import Self

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from tests.programs import HOST, free_port

TICK_SECONDS = 0.1
SERVICE = "pressure-service"


class PressureExporter:
    """Two pages, `service` and `host`; with `pressure` all of their values are bad."""

    def __init__(self) -> None:
        self.pressure = False
        self._service, self._host = CollectorRegistry(), CollectorRegistry()
        self.ports = {"service": free_port(), "host": free_port()}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tick_until_stopped, daemon=True)
        self._gauges()
        self._counters()

    def _gauges(self) -> None:
        self._memory = Gauge("process_resident_memory_bytes", "Used.", registry=self._service)
        Gauge("mlmetrics_memory_limit_bytes", "Limit.", registry=self._service).set(1000)
        Gauge("mlmetrics_cpu_limit_cores", "Limit.", registry=self._service).set(2)
        Gauge("node_memory_MemTotal_bytes", "All.", registry=self._host).set(1000)
        self._available = Gauge("node_memory_MemAvailable_bytes", "Free.", registry=self._host)

    def _counters(self) -> None:
        self._cpu = Counter("process_cpu_seconds", "Used.", registry=self._service)
        self._host_cpu = Counter("node_cpu_seconds", "Used.", ["cpu", "mode"], registry=self._host)

    def _tick_until_stopped(self) -> None:
        while not self._stop.wait(TICK_SECONDS):
            self.tick()

    def tick(self) -> None:
        """Set the gauges, and add to the counters, for one more moment."""
        busy = 0.95 if self.pressure else 0.2
        self._memory.set(1000 * busy)
        self._available.set(1000 * (1 - busy))
        self._cpu.inc(2 * busy * TICK_SECONDS)
        self._host_cpu.labels("0", "user").inc(busy * TICK_SECONDS)
        self._host_cpu.labels("0", "idle").inc((1 - busy) * TICK_SECONDS)

    def __enter__(self) -> Self:
        pages = {"service": self._service, "host": self._host}
        self._servers = [
            start_http_server(self.ports[name], addr=HOST, registry=registry) for name, registry in pages.items()
        ]
        self.tick()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        for server, thread in self._servers:
            server.shutdown()
            server.server_close()
            thread.join()
