"""Traffic to the services of the examples at a constant rate, independent of their answers."""

import asyncio
import itertools
import threading
from collections.abc import Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

import examples.recruiting

DOCUMENTS = Path(examples.recruiting.__file__).parent / "documents"
GOOD_CONFIDENCE = 0.8
_WHILE = 300
TICKETS = {
    "billing": "I was charged twice and want a refund of the payment",
    "delivery": "The parcel is late, and the tracking shows no courier",
    "login": "My account is locked, please reset the password",
}
STRANGE_TICKET = "Guten Tag, wo bleibt denn nun meine Antwort?"


def confident_documents(url: str, kind: str) -> list[bytes]:
    """Return the committed text documents of a kind that a parser reads with high confidence."""
    found = []
    for path in sorted(DOCUMENTS.glob(f"*-{kind}-*.txt")):
        content = path.read_bytes()
        answer = httpx.post(f"{url}/parse", files={"file": (path.name, content)}, trust_env=False)
        if answer.is_success and answer.json()["confidence"] > GOOD_CONFIDENCE:
            found.append(content)
    assert found, f"no {kind} of which {url} is sure"
    return found


class Traffic:
    """Calls to the services of the examples, some a second each.

    With `torn`, the parsers get the first quarter of each document only; with `strange`, `ticket-service` gets tickets
    in a language that it has not learned, and is told that it was wrong. A service that is down, slow or failing gets
    its calls all the same.
    """

    def __init__(self, urls: Mapping[str, str], *, calls_a_second: float) -> None:
        self.torn = self.strange = False
        self._urls = urls
        self._pause_seconds = 1 / calls_a_second
        self._cvs = confident_documents(urls["cv-parser-service"], "cv")
        self._jobs = confident_documents(urls["job-parser-service"], "job")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    async def _run(self) -> None:
        pending: set[asyncio.Task[None]] = set()
        async with httpx.AsyncClient(timeout=5, trust_env=False, limits=httpx.Limits(max_connections=200)) as client:
            for turn in itertools.count():
                if self._stop.is_set():
                    break
                for call in self._calls(client, turn):
                    task = asyncio.create_task(_ignore_errors(call))
                    pending.add(task)
                    task.add_done_callback(pending.discard)
                await asyncio.sleep(self._pause_seconds)
            await asyncio.gather(*pending)

    def _calls(self, client: httpx.AsyncClient, turn: int) -> list[Coroutine[Any, Any, httpx.Response]]:
        cv, job = self._cvs[turn % len(self._cvs)], self._jobs[turn // len(self._cvs) % len(self._jobs)]
        sent = cv[: len(cv) // 4] if self.torn else cv
        pair = {"cv": cv.decode("latin-1"), "job": job.decode("latin-1")}
        return [
            client.post(f"{self._urls['cv-parser-service']}/parse", files={"file": ("cv.txt", sent)}),
            client.post(f"{self._urls['job-parser-service']}/parse", files={"file": ("job.txt", job)}),
            client.post(f"{self._urls['matching-service']}/match", json=pair),
            client.post(f"{self._urls['matching-service']}/explain", json=pair),
            client.post(f"{self._urls['second matching-service']}/match", json=pair),
            client.get(f"{self._urls['api']}/health"),
            self._ticket(client, list(TICKETS)[turn % len(TICKETS)]),
        ]

    async def _ticket(self, client: httpx.AsyncClient, topic: str) -> httpx.Response:
        """Send a ticket, and tell at once how it ended."""
        url, text = self._urls["ticket-service"], STRANGE_TICKET if self.strange else TICKETS[topic]
        answer = (await client.post(f"{url}/tickets", json={"text": text})).raise_for_status().json()
        truth = {"topic": "unknown" if self.strange else topic, "hours": 4}
        return await client.put(f"{url}/tickets/{answer['id']}", json=truth)

    def healthy_scores(self) -> tuple[list[float], list[float]]:
        """Return the confidences and similarities of a while of this traffic, asked of the services."""
        url = self._urls["cv-parser-service"]
        confidences = [self._ask(f"{url}/parse", files={"file": ("cv.txt", cv)})["confidence"] for cv in self._cvs]
        url = self._urls["matching-service"]
        pairs = [(cv.decode("latin-1"), job.decode("latin-1")) for cv in self._cvs for job in self._jobs]
        similarities = [self._ask(f"{url}/match", json={"cv": cv, "job": job})["similarity"] for cv, job in pairs]
        return confidences * _WHILE, similarities * _WHILE

    def healthy_tickets(self) -> list[tuple[str, float]]:
        """Return the topics and the confidences of a while of tickets, as many of each topic."""
        url = f"{self._urls['ticket-service']}/tickets"
        answers = [self._ask(url, json={"text": text}) for text in TICKETS.values()]
        return [(answer["topic"], answer["confidence"]) for answer in answers] * _WHILE

    def _ask(self, url: str, **content: Any) -> Any:
        return httpx.post(url, trust_env=False, **content).raise_for_status().json()


async def _ignore_errors(call: Coroutine[Any, Any, httpx.Response]) -> None:
    """Send a call, and ignore errors, because the rehearsal causes them."""
    try:
        await call
    except httpx.HTTPError:
        return
