"""The contract: whatever is called, by whatever, however it ends, it is as before, and one outcome is recorded."""

# mypy: allow-untyped-calls
# A lambda has no types, and is all that a way to declare needs.

import asyncio
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics, OwnOperation
from tests.contract.kinds import FLAVOURS, HOLDERS, OUTCOMES, Flavour, Pause, Script, method, partial, plain
from tests.recorded import errors, in_progress, outcomes, samples

DECORATORS = {
    "inference": lambda metrics: metrics.track_inference(model="m"),
    "parsing": lambda metrics: metrics.track_parsing(doc_type="m"),
    "matching": lambda metrics: metrics.track_matching(matcher="m"),
    "tool": lambda metrics: metrics.track_tool(tool="m"),
    "agent": lambda metrics: metrics.track_agent(agent="m"),
    "retrieval": lambda metrics: retrieval_of(metrics).track(index="m", score=lambda result: 0.5),
    "embedding": lambda metrics: metrics.operation("embedding").track,
    "reranking": lambda metrics: metrics.operation("reranking", ("task", "of")).track(of=lambda call: "m", task="t"),
    "transcribing": lambda metrics: metrics.operation("transcribing", ("speaker",)).timer(speaker="m"),
}
"""What decorates, by its operation; a timer does as well."""
TIMERS = {
    "inference": lambda metrics: metrics.inference_timer(model="m"),
    "parsing": lambda metrics: metrics.parsing_timer(doc_type="m"),
    "matching": lambda metrics: metrics.matching_timer(matcher="m"),
    "tool": lambda metrics: metrics.tool_timer(tool="m"),
    "agent": lambda metrics: metrics.agent_timer(agent="m"),
    "retrieval": lambda metrics: retrieval_of(metrics).timer(index="m"),
    "embedding": lambda metrics: metrics.operation("embedding").timer(),
}


def retrieval_of(metrics: MLMetrics) -> OwnOperation:
    """Return an operation of the project's own, which is declared each time alike."""
    return metrics.operation("retrieval", labelnames=("index",), score=True)


FEW_HOLDERS = (plain, method, partial)
HOLDERS_OF = dict.fromkeys(("tool", "agent", "embedding", "reranking"), FEW_HOLDERS)
"""Where the holders have been gone through with other operations, few of them do."""
CELLS = [
    pytest.param(operation, flavour, holder, ending, id=f"{operation}-{flavour.name}-{holder.__name__}-{ending}")
    for operation in DECORATORS
    for flavour in FLAVOURS
    for holder in HOLDERS_OF.get(operation, HOLDERS)
    for ending in flavour.endings
]


def seen(run: Callable[[], object]) -> tuple[object, BaseException | None, list[str]]:
    """Return what a caller gets to see: the value, the exception, and the tail of its traceback."""
    try:
        return run(), None, []
    except BaseException as error:  # noqa: BLE001 (that is what is compared)
        tail = traceback.extract_tb(error.__traceback__)
        return (
            None,
            error,
            [f"{frame.name}:{frame.lineno}" for frame in tail if "mlmetrics/calls" not in frame.filename],
        )


@pytest.mark.parametrize(("operation", "flavour", "holder", "ending"), CELLS)
def test_decorator(
    registry: CollectorRegistry, operation: str, flavour: Flavour, holder: Callable[..., Any], ending: str
) -> None:
    """The caller sees the same objects and traceback as undecorated; one outcome is recorded, and nothing is left."""
    metrics = MLMetrics(service="s", registry=registry)
    script = Script(ending)
    before = seen(lambda: flavour.run(holder(lambda target: target, flavour.body), script))
    recorded = holder(DECORATORS[operation](metrics), flavour.body)
    after = seen(lambda: flavour.run(recorded, script))
    assert before[0] == after[0]
    if ending == "raise":
        assert script.error is before[1] is after[1]
    assert type(before[1]) is type(after[1])
    assert before[2][-1:] == after[2][-1:]
    assert flavour.outcomes(ending) == outcomes(registry, operation)
    running = [sample.value for sample in samples(registry, f"ml_{operation}_in_progress")]
    # Labels that are computed are known when the code of a call begins to run.
    assert running == [0.0] or (running, operation, ending) == ([], "reranking", "never")
    assert errors(registry) == {}


@pytest.mark.parametrize("operation", TIMERS)
@pytest.mark.parametrize("asynchronous", [False, True], ids=["with", "async with"])
@pytest.mark.parametrize("ending", OUTCOMES)
def test_timer(registry: CollectorRegistry, operation: str, ending: str, *, asynchronous: bool) -> None:
    """A block is one call, with the outcome that its ending has, and raises what it raised."""
    metrics = MLMetrics(service="s", registry=registry)
    script = Script(ending)

    async def block() -> object:
        if asynchronous:
            async with TIMERS[operation](metrics):
                await script.wait()
                return script.finish()
        with TIMERS[operation](metrics):
            await script.wait()
            return script.finish()

    async def cancelled() -> object:
        task = asyncio.ensure_future(block())
        await Pause()
        task.cancel()
        return await task

    value, error, _ = seen(lambda: through(block, cancelled, ending))
    assert (script.value if ending == "return" else None) is value
    assert {"return": None, "raise": script.error}.get(ending, error) is error
    assert {OUTCOMES[ending]: 1} == outcomes(registry, operation)
    assert in_progress(registry, operation) == 0


def through(block: Callable[[], Any], cancelled: Callable[[], Any], ending: str) -> object:
    """Run a block to its ending."""
    if ending in ("return", "raise", "cancel"):
        return asyncio.run(cancelled() if ending == "cancel" else block())
    coroutine = block()
    coroutine.send(None)
    if ending == "close":
        coroutine.close()
    del coroutine
    return None
