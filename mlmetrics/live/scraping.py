"""Reads all targets, each in a thread of its own, and brings what they say into the history.

A target that is slow or hangs keeps nobody waiting: what has not come within a second is taken when it comes.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from mlmetrics.errors import ConfigurationError
from mlmetrics.live.clock import Clock
from mlmetrics.live.history import LONGEST_LABEL, History
from mlmetrics.live.target import Access, Answer, Target, make_targets
from mlmetrics.live.text import Interned, Labels, PageReader, Reading, TextError

PATIENCE_SECONDS = 1.0
NOTED_MS = 5 * 60 * 1000
_COUNTERS = ("_total", "_count", "_bucket")
MOST_TARGETS = 256


class Scraped:
    """A target with what is known about it: its pages in the history, and its state."""

    def __init__(self, target: Target, history: History, interned: Interned, job: str) -> None:
        self.target = target
        self.up = False
        self.why = "not read yet"
        self.seconds = 0.0
        self.samples = self._present = 0
        self._history = history
        self._reader = PageReader(interned)
        self._is_job_known = bool(job)
        self._note = ""
        self._noted = 0
        self._bounds: dict[tuple[str, Labels], frozenset[str]] = {}
        self._begin(job or target.instance)

    def _begin(self, job: str) -> None:
        self.job = job
        self.labels: Labels = (("instance", self.target.instance), ("job", job))
        self._pages = self._history.source(self.target.url, has_pages=True)
        self._about = self._history.source(f"about {self.target.url}")

    def take(self, answer: Answer, clock: Clock) -> None:
        """Take an answer over."""
        at = clock.milliseconds(answer.begun)
        self.up, self.why, self.seconds, self.samples = not answer.why, answer.why, answer.seconds, 0
        if self.up:
            try:
                self._read(answer.page, at)
            except TextError as error:
                self.up, self.why = False, str(error)
        if not self.up:
            self._history.fail(self._pages, at)
        about = {
            "up": float(self.up),
            "scrape_duration_seconds": answer.seconds,
            "scrape_samples_scraped": float(self.samples),
        }
        self._history.record(self._about, at, {(name, self.labels): value for name, value in about.items()})
        if self.up:
            self.why = self._notes(at)

    def _read(self, page: str, at: int) -> None:
        if self._pages.refused and self._history.has_room(self._pages):
            self._reader.forget()
        reading = self._reader.read(page)
        if reading.heads is not None:
            if not reading.heads:
                raise TextError("is a page without metrics; expected the address of a metrics page")
            self._learn_job(reading)
            self._see_bounds(reading, at)
        self._history.read(self._pages, at, reading, self.labels)
        if reading.heads is not None:
            self._present = len(reading.heads)
        self.samples = self._present
        scrape = self._pages.next - 1
        fallen = [head for head, _ in reading.changed if getattr(head.series, "steady", -1) == scrape]
        if any(head.name.endswith(_COUNTERS) and head.series.born < scrape for head in fallen):  # type: ignore[attr-defined]  # a series
            self._note, self._noted = "counters began again at 0: the process has restarted", at

    def _learn_job(self, reading: Reading) -> None:
        """Take the service that most samples name for the job, as the configuration of mlmetrics has it."""
        if self._is_job_known:
            return
        named = Counter(text for head in reading.heads or () for label, text in head.labels if label == "service")
        if named:
            self._is_job_known = True
            for source in (self._pages, self._about):
                self._history.drop(source)
            self._begin(named.most_common(1)[0][0])
            for head in reading.heads or ():
                head.series = None

    def _see_bounds(self, reading: Reading, at: int) -> None:
        """Note that the buckets of a histogram are others than before."""
        found: dict[tuple[str, Labels], set[str]] = {}
        for head in reading.heads or ():
            if head.name.endswith("_bucket"):
                rest = tuple([pair for pair in head.labels if pair[0] != "le"])
                found.setdefault((head.name, rest), set()).update(text for label, text in head.labels if label == "le")
        bounds = {key: frozenset(texts) for key, texts in found.items()}
        if any(self._bounds.get(key, texts) != texts for key, texts in bounds.items()):
            self._note, self._noted = "the buckets of a histogram have changed: quantiles mix old and new ones", at
        self._bounds = bounds

    def _notes(self, at: int) -> str:
        """Return what a viewer should know about a target that is up."""
        notes = []
        if self._pages.refused:
            most = self._history.limits.series
            notes.append(f"{self._pages.refused} series left out: too many in all (at most {most})")
        if self._pages.unreadable:
            notes.append(f"{self._pages.unreadable} series left out: a label of over {LONGEST_LABEL} characters")
        if self._pages.shortened:
            seconds = (self._pages.times[-1] - self._pages.times[0]) / 1000
            notes.append(f"only the last {seconds / 60:.1f} minutes are kept: too many values change")
        if self._note and at - self._noted < NOTED_MS:
            notes.append(self._note)
        return "; ".join(notes)

    def state(self) -> dict[str, object]:
        """Return the state as the feed has it."""
        return {
            "url": self.target.url,
            "job": self.job,
            "up": self.up,
            "why": self.why,
            "samples": self.samples,
            "seconds": float(f"{self.seconds:.3g}"),
        }


class Scraper:
    """All targets, read at the same time."""

    def __init__(self, targets: Sequence[Target], history: History, jobs: Mapping[str, str], clock: Clock) -> None:
        interned = Interned()
        self.clock = clock
        self.targets = [Scraped(each, history, interned, jobs.get(each.instance, "")) for each in targets]
        self._history = history
        self._threads = ThreadPoolExecutor(max(1, len(targets)), "mlmetrics-live-target")
        self._asked: dict[Scraped, tuple[asyncio.Future[Answer], float]] = {}

    async def answers(self) -> list[tuple[Scraped, Answer]]:
        """Ask every target that has answered before; return the answers that came, late ones too."""
        loop = asyncio.get_running_loop()
        for each in self.targets:
            if each not in self._asked:
                self._asked[each] = loop.run_in_executor(self._threads, each.target.ask), time.monotonic()
            elif time.monotonic() - self._asked[each][1] > each.target.timeout_seconds:
                each.target.give_up()
        await asyncio.wait([future for future, _ in self._asked.values()], timeout=PATIENCE_SECONDS)
        done = [(each, future.result()) for each, (future, _) in self._asked.items() if future.done()]
        for each, _ in done:
            del self._asked[each]
        return done

    def take(self, answers: Sequence[tuple[Scraped, Answer]]) -> int:
        """Bring answers into the history; return by how much the clock has jumped before, in milliseconds."""
        jumped = self.clock.jump()
        if jumped:
            self._history.shift(jumped)
        for each, answer in answers:
            each.take(answer, self.clock)
        return jumped

    def close(self) -> None:
        """End all connections and threads."""
        for each in self.targets:
            each.target.end()
        self._threads.shutdown(wait=False, cancel_futures=True)


def make_scraper(
    urls: Sequence[str],
    access: Access,
    history: History,
    jobs: Mapping[str, str],
    clock: Clock | None = None,
) -> Scraper:
    """Return what reads the targets at addresses.

    Raises:
        ConfigurationError: An address is invalid, or there are too many.
    """
    targets = make_targets(urls, access)
    if len(targets) > MOST_TARGETS:
        raise ConfigurationError(
            f"{len(targets)} addresses were given, expected at most {MOST_TARGETS}: "
            "ask a Prometheus that scrapes them (--prometheus)"
        )
    return Scraper(targets, history, jobs, clock or Clock())
