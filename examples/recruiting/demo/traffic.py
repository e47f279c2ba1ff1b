"""Real traffic on the gateway: good documents, broken ones, wrong pages, and a file that is far too large.

Now and then, the language model behind the CV parser is slow, refuses, or breaks off.
"""

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from random import Random
from typing import Any

import httpx

from examples.recruiting.addresses import API, LANGUAGE_MODEL
from examples.recruiting.corpus import BROKEN, Document, documents
from examples.recruiting.knowledge import Kind

WORKERS = 4
PAUSE_SECONDS = 0.15
GENTLE_FACTOR = 4
TIMEOUT_SECONDS = 30.0
FITTING_SHARE = 0.8
LARGE_BYTES = 20 * 1024 * 1024
BROKEN_ANSWERS = {
    "truncated.pdf": 422,
    "truncated.docx": 422,
    "encrypted.pdf": 422,
    "image-only.pdf": 422,
    "empty.pdf": 422,
    "word-inside.pdf": 415,
    "cv.odt": 415,
}
# How the language model treats its next requests, in turn, and how many of them.
TROUBLES: tuple[tuple[int, dict[str, float | bool]], ...] = (
    (1, {"cut_after_words": 10}),
    (1, {"error_after_words": 10}),
    (1, {"between_words_seconds": 0.25}),  # longer than the parser waits, so that it leaves
    (3, {"rate_limited": True}),  # some calls get an answer when they ask again
    (1, {"usage": False}),
    (1, {"first_word_seconds": 1.0}),
)
BETWEEN_TROUBLES_SECONDS = 1.5
Upload = tuple[str, bytes]


@dataclass
class Tally:
    """What was sent, what came back, and every answer that was not the expected one."""

    statuses: Counter[int] = field(default_factory=Counter)
    surprises: Counter[str] = field(default_factory=Counter)

    @property
    def sent(self) -> int:
        """How many requests were answered, or failed."""
        return self.statuses.total()


class Visitor:
    """One user of the product, who sends one request after the other."""

    def __init__(self, client: httpx.AsyncClient, tally: Tally, random: Random) -> None:
        self._client = client
        self.tally = tally
        self._random = random
        self._habits: list[tuple[Callable[[], Awaitable[None]], int]] = [
            (self.parse_cv, 30),
            (self.parse_job, 25),
            (self.match, 25),
            (self.explain, 10),
            (self.send_broken, 4),
            (self.mix_up, 3),
            (self.lose_the_way, 3),
        ]

    async def look_at_everything(self) -> None:
        """Send each kind of request once, so that even short traffic has all of them."""
        for name in BROKEN_ANSWERS:
            await self.send_broken(name)
        for visit, _ in self._habits:
            await visit()
        await self.send_large()

    async def stay(self, until: float, slowness: float) -> None:
        """Send requests of all kinds in fixed proportions until a time of the monotonic clock."""
        visits, weights = zip(*self._habits, strict=True)
        while time.monotonic() < until:
            await self._random.choices(visits, weights)[0]()
            await asyncio.sleep(self._random.uniform(0, 2 * PAUSE_SECONDS) * slowness)

    async def parse_cv(self) -> None:
        """Send a CV."""
        await self._post("/cvs", 200, file=upload(self._any("cv")))

    async def parse_job(self) -> None:
        """Send a job ad."""
        await self._post("/jobs", 200, file=upload(self._any("job")))

    async def match(self) -> None:
        """Ask how well a CV fits a job ad."""
        await self._post("/matches", 200, **self._pair())

    async def explain(self) -> None:
        """Ask why, and read the stream to its end."""
        await self._post("/matches/explanation", 200, **self._pair())

    async def send_broken(self, name: str | None = None) -> None:
        """Send a file that cannot be parsed."""
        name = name or self._random.choice(sorted(BROKEN_ANSWERS))
        await self._post("/cvs", BROKEN_ANSWERS[name], file=(name, (BROKEN / name).read_bytes()))

    async def mix_up(self) -> None:
        """Send a job ad where a CV is expected."""
        await self._post("/cvs", 422, file=upload(self._any("job")))

    async def lose_the_way(self) -> None:
        """Ask for a page that does not exist."""
        await self._note(self._client.get(f"/vacancies/{self._random.randrange(10_000)}"), "/vacancies", 404)

    async def send_large(self) -> None:
        """Send a file of 20 MB."""
        await self._post("/cvs", 413, file=("large.pdf", b"%PDF-1.7\n" + bytes(LARGE_BYTES)))

    def _any(self, kind: Kind, **wanted: str) -> Document:
        found = [each for each in documents() if each.kind == kind]
        return self._random.choice([each for each in found if all(getattr(each, k) == v for k, v in wanted.items())])

    def _pair(self) -> dict[str, Upload]:
        """Choose a CV and an ad: mostly of one occupation and language, as people apply."""
        cv = self._any("cv")
        fitting = self._random.random() < FITTING_SHARE
        job = self._any("job", role=cv.role, language=cv.language) if fitting else self._any("job")
        return {"cv": upload(cv), "job": upload(job)}

    async def _post(self, path: str, expected: int, **files: Upload) -> None:
        await self._note(self._client.post(path, files=files), path, expected)

    async def _note(self, request: Awaitable[httpx.Response], path: str, expected: int) -> None:
        try:
            status = (await request).status_code
        except httpx.TransportError as error:
            self.tally.statuses[0] += 1
            self.tally.surprises[f"{path}: {type(error).__name__}"] += 1
            return
        self.tally.statuses[status] += 1
        if status != expected:
            self.tally.surprises[f"{path}: {status} instead of {expected}"] += 1


def upload(document: Document) -> Upload:
    """Return a document as httpx sends it."""
    return document.file, document.content


async def trouble(until: float, slowness: float) -> None:
    """Disturb the language model, again and again until a time of the monotonic clock."""
    async with httpx.AsyncClient(base_url=LANGUAGE_MODEL.url, trust_env=False) as client:
        for requests, behaviour in cycle(TROUBLES):
            if time.monotonic() > until:
                return
            await client.post("/behaviour", params={"requests": requests}, json=behaviour)
            await asyncio.sleep(BETWEEN_TROUBLES_SECONDS * slowness)


async def drive(seconds: float, watch: Callable[[float, int], None]) -> Tally:
    """Send traffic for some seconds; `watch` is called with the seconds that have passed, and may raise to stop."""
    async with _visitors() as (guide, *others):
        end = time.monotonic() + seconds
        visits = (guide.look_at_everything(), *(visitor.stay(end, 1) for visitor in others), trouble(end, 1))
        await _watched(visits, watch, guide.tally)
        return guide.tally


async def linger(watch: Callable[[float, int], None]) -> None:
    """Send the same mixture at a quarter of the pace, until `watch` raises."""
    async with _visitors() as (_guide, *others):
        visits = (visitor.stay(math.inf, GENTLE_FACTOR) for visitor in others)
        await _watched((*visits, trouble(math.inf, GENTLE_FACTOR)), watch, others[0].tally)


@asynccontextmanager
async def _visitors() -> AsyncIterator[list[Visitor]]:
    tally = Tally()
    async with httpx.AsyncClient(base_url=API.url, timeout=TIMEOUT_SECONDS, trust_env=False) as client:
        yield [Visitor(client, tally, Random(seed)) for seed in range(WORKERS)]


async def _watched(
    visits: Iterable[Coroutine[Any, Any, None]], watch: Callable[[float, int], None], tally: Tally
) -> None:
    """Run visits until all have ended, or until `watch` or one of them raises."""
    start = time.monotonic()
    tasks = [asyncio.create_task(visit) for visit in visits]
    try:
        while not all(task.done() for task in tasks):
            watch(time.monotonic() - start, tally.sent)
            await asyncio.sleep(0.1)
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    for ended in ends:
        if isinstance(ended, Exception):
            raise ended
