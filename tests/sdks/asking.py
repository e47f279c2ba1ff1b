"""Programs that ask a provider through an SDK, run as they are and instrumented, beside the ledger of the server.

Each is written once for the sync and the async client: `got`, `each` and `within` wait where there is something to
wait for. With a sync client nothing waits, and the coroutine runs in one go.
"""

import asyncio
import gc
import inspect
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from tests import recorded
from tests.sdks.servers import ERROR_INSIDE, ProviderServer, Row, Scenario

Ask = Callable[[Any], Coroutine[Any, Any, Any]]
STATUS_OK = 200
CACHED = "Be brief."
"""The first text of each conversation, which the provider has in its cache."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which programs ask.

    `reads` says whether it reads its answer to the end; what it leaves is cancelled. `told` says whether it reads as
    far as the usage that was sent. `later` says that it has a response before its body.
    """

    ask: Ask
    operation: str = "chat"
    streams: bool = False
    reads: bool = True
    told: bool = True
    later: bool = False

    @property
    def name(self) -> str:
        """Its name in tests."""
        return self.ask.__name__


@dataclass(frozen=True, slots=True)
class Case:
    """What the server does meanwhile, and how long the client waits, and how often it tries again."""

    scenarios: Callable[[], Sequence[Scenario]] = list
    timeout: float = 20.0
    retries: int = 0
    only_streams: bool = False


CASES = {
    "ok": Case(),
    "no_usage": Case(lambda: [Scenario(usage=False)]),
    "keep_alive": Case(lambda: [Scenario(keep_alive=True)], only_streams=True),
    "timed_out": Case(lambda: [Scenario(timed_out=True)], timeout=0.1),
    "held": Case(lambda: [Scenario(hold_at=2)], timeout=0.5, only_streams=True),
    "limited": Case(lambda: [Scenario(status=429), Scenario()], retries=1),
    "rejected": Case(lambda: [Scenario(status=500)]),
    "cut": Case(lambda: [Scenario(cut_at=2)]),
    "cut_and_terminated": Case(lambda: [Scenario(cut_at=2, terminated=True)], only_streams=True),
    "error_inside": Case(lambda: [Scenario(error_at=2)]),
}


@dataclass(frozen=True, slots=True)
class Played:
    """What a program got: a result, or the error that was raised in it."""

    result: Any = None
    error: BaseException | None = None

    @property
    def seen(self) -> tuple[str, str]:
        """What it looks like, for a comparison."""
        return type(self.error).__name__, repr(self.result) if self.error is None else str(self.error)


async def got(value: Any) -> Any:
    """Return a value, or what an awaitable returns."""
    return await value if inspect.isawaitable(value) else value


def asynchronous() -> bool:
    """Whether an async client asks; what it gets says so itself, but other instruments put objects in its place."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def each(stream: Any) -> list[Any]:
    """Return all that a stream has."""
    return [item async for item in stream] if asynchronous() else list(stream)


async def first(stream: Any, items: int = 1) -> list[Any]:
    """Return the first items of a stream."""
    return [await anext(stream) if asynchronous() else next(stream) for _ in range(items)]


@asynccontextmanager
async def within(manager: Any) -> AsyncIterator[Any]:
    """Enter a manager."""
    if asynchronous():
        async with manager as entered:
            yield entered
    else:
        with manager as entered:
            yield entered


def run(program: Coroutine[Any, Any, Any]) -> Any:
    """Run a program that never waits."""
    try:
        program.send(None)
    except StopIteration as stop:
        return stop.value
    program.close()
    raise AssertionError("a program with a sync client waits for something")


def play(ask: Ask, client: Callable[[], Any], *, waits: bool) -> Played:
    """Run a program with a new client, and drop all that it leaves."""

    async def asking() -> Any:
        async with within(client()) as entered:
            return await ask(entered)

    played = Played()
    try:
        played = Played(asyncio.run(asking()) if waits else run(asking()))
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 (whatever the SDK raises is compared)
        played = Played(error=error)
    gc.collect()
    return played


def decorated(
    helper: Callable[[Any], Any], client: Callable[[], Any], registry: CollectorRegistry, *, waits: bool, reads: bool
) -> None:
    """Have a decorated function return a helper, which asks when it is entered; its call is that of its stream.

    One more that nobody enters asks nobody, and is no call. The SDK itself is not recorded.
    """
    asks = MLMetrics(service="tests", registry=registry).track_inference(model="rag")(helper)

    async def ask(client: Any) -> None:
        if not waits:
            asks(client)  # an async one has a coroutine, of which Python itself says that nobody has awaited it
        manager = asks(client)
        assert 0 == recorded.in_progress(registry)
        async with within(manager) as events:
            assert 1 == recorded.in_progress(registry)
            await (got(events.until_done()) if reads else first(events))

    assert play(ask, client, waits=waits).error is None
    outcome = "success" if reads else "cancelled"
    assert {("rag", outcome): 1} == by_labels(registry, "ml_inference_total", "model", "outcome")
    assert 0 == recorded.in_progress(registry)
    assert {} == recorded.errors(registry)


class Plays:
    """Runs programs of one SDK as they are, and again with its instrument."""

    def __init__(
        self,
        server: ProviderServer,
        registry: CollectorRegistry,
        clients: Callable[..., Any],
        instrument: str,
    ) -> None:
        self.server = server
        self._clients = clients
        self._instrument: Callable[[], Any] = getattr(MLMetrics(service="tests", registry=registry), instrument)

    def once(self, way: Way, case: Case, *, asynchronous: bool) -> Played:
        """Run a program; the ledger then has this run only."""
        self.server.reset()
        self.server.cached.add(CACHED)
        if scenarios := case.scenarios():
            self.server.queue(*scenarios)
        client = partial(self._clients, self.server, case, asynchronous=asynchronous)
        return play(way.ask, client, waits=asynchronous)

    def compared(self, way: Way, case: Case, *, asynchronous: bool) -> Played:
        """Run a program both ways, and check that it sees the same."""
        bare = self.once(way, case, asynchronous=asynchronous)
        with self._instrument():
            played = self.once(way, case, asynchronous=asynchronous)
        assert bare.seen == played.seen
        return played


def matrix(ways: Sequence[Way]) -> list[Any]:
    """Return the parameters of a test: each way in each case."""
    pairs = [(way, name) for way in ways for name, case in CASES.items() if way.streams or not case.only_streams]
    return [pytest.param(way, CASES[name], id=f"{way.name}-{name}") for way, name in pairs]


def by_labels(registry: CollectorRegistry, name: str, *labels: str) -> dict[tuple[str, ...], float]:
    """Return the sums of the samples of this name by these labels, without those that are 0."""
    sums: Counter[tuple[str, ...]] = Counter()
    for sample in recorded.samples(registry, name):
        sums[tuple(sample.labels[label] for label in labels)] += sample.value  # type: ignore[assignment]  # no int
    return {values: count for values, count in sums.items() if count}


def tokens(registry: CollectorRegistry) -> dict[str, float]:
    """Return the recorded tokens by type, without the types that have none."""
    return {kind: count for (kind,), count in by_labels(registry, "ml_inference_tokens_total", "token_type").items()}


def total(registry: CollectorRegistry, name: str, **labels: str) -> float:
    """Return the sum of the samples of this name."""
    return sum(sample.value for sample in recorded.samples(registry, name, **labels))


def verify(way: Way, played: Played, server: ProviderServer, registry: CollectorRegistry) -> None:
    """Check all that was recorded of one call against what the server has sent."""
    row = server.ledger.rows[-1]
    outcome, error_type = expected_end(way, played, row)
    assert {(way.operation, outcome): 1.0} == by_labels(registry, "ml_inference_total", "operation", "outcome")
    errors = {(error_type,): 1.0} if error_type else {}
    assert errors == by_labels(registry, "ml_inference_errors_total", "error_type")
    assert 0 == recorded.in_progress(registry)
    spent = server.ledger.tokens() if way.told else {}
    assert spent == tokens(registry)
    assert float(not spent and answered(way, played, row)) == total(registry, "ml_inference_usage_missing_total")
    assert {} == recorded.errors(registry)


def expected_end(way: Way, played: Played, row: Row) -> tuple[str, str]:
    """Return the outcome of a call and the type of its error: what the program saw, or what the answer said."""
    # A helper that cannot read a message, such as one without usage, raises an error of its own and leaves the stream.
    if isinstance(played.error, asyncio.CancelledError | AttributeError):
        return "cancelled", ""
    # The helpers of the SDK say by an error of their own that a stream, which has ended, was not complete.
    if played.error is not None and type(played.error) is not RuntimeError:
        return "failure", type(played.error).__name__
    if row.ended == ERROR_INSIDE and way.reads:
        return "failure", {"messages": "overloaded_error"}.get(way.operation, "server_error")
    return ("success" if way.reads else "cancelled"), ""


def answered(way: Way, played: Played, row: Row) -> bool:
    """Return whether the program got an answer, be it one that broke off."""
    return played.error is None or ((way.streams or way.later) and row.status == STATUS_OK)


async def cancelled(reading: Ask, client: Any, scenario: Scenario, begun: asyncio.Event) -> None:
    """Cancel a task that asks, once the server holds its request and the task has read what `begun` tells."""
    async with client:
        task = asyncio.create_task(reading(client))
        await asyncio.to_thread(scenario.wait_held)
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    gc.collect()
