"""How these tests ask an application, in process, and what they read from a registry."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from prometheus_client import CollectorRegistry

from mlmetrics.recording.collector import store_for

BASE = "http://service"


async def ask(
    app: Any,
    path: str,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    *,
    root_path: str = "",
    content: bytes | None = None,
) -> httpx.Response:
    """Ask as a client that gets a 500 where the application raises, and follows no redirect."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, root_path=root_path)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        return await client.request(method, path, headers=headers, content=content)


@dataclass
class Conversation:
    """One request in ASGI's own words: what the application is sent, and what it sends."""

    scope: dict[str, Any]
    incoming: list[dict[str, Any]] = field(default_factory=lambda: [{"type": "http.request", "body": b""}])
    sent: list[dict[str, Any]] = field(default_factory=list)

    async def receive(self) -> dict[str, Any]:
        """Give the next message; the client has left after the last."""
        return self.incoming.pop(0) if self.incoming else {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        """Keep a message."""
        self.sent.append(message)

    async def with_(self, app: Any) -> None:
        """Have the application serve it."""
        await app(self.scope, self.receive, self.send)


def request(path: str = "/", method: str = "GET", **more: Any) -> Conversation:
    """Return a request without a body."""
    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": [], **more}
    return Conversation(scope)


def counted(registry: CollectorRegistry) -> dict[tuple[str, str, str], float]:
    """Return the finished requests by method, route and status, without those that are 0."""
    return {
        (labels["method"], labels["route"], labels["status"]): value
        for name, labels, value in samples(registry)
        if name == "fastapi_requests_total" and value
    }


def samples(registry: CollectorRegistry) -> list[tuple[str, dict[str, str], float]]:
    """Every sample: its name, its labels, its value."""
    return [(sample.name, sample.labels, sample.value) for family in registry.collect() for sample in family.samples]


def value(registry: CollectorRegistry, name: str, **labels: str) -> float:
    """Return the sum of all samples of a name that have these labels; fail if there is none."""
    found = [number for sample, own, number in samples(registry) if sample == name and labels.items() <= own.items()]
    assert found, f"no {name} with {labels}"
    return sum(found)


def in_progress(registry: CollectorRegistry) -> float:
    """Return the requests in progress, of all methods."""
    return value(registry, "fastapi_requests_in_progress")


def unrecorded(registry: CollectorRegistry) -> dict[str, float]:
    """Return the recording errors by place, without the places that have none."""
    store_for(registry)
    return {
        labels["where"]: number
        for name, labels, number in samples(registry)
        if name == "mlmetrics_recording_errors_total" and number
    }
