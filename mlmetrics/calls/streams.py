"""Generators and async generators: first chunk, gaps, and exactly one outcome.

A wrapper passes on what the consumer sends or throws, `GeneratorExit` included, to the inner
generator unchanged. So the inner generator has cleaned up when `close` or `aclose` returns, and
the consumer gets what the inner generator returns or raises.
"""

import sys
from collections.abc import AsyncGenerator, Awaitable
from typing import Any

from mlmetrics.calls.answers import Answer
from mlmetrics.calls.plan import Function, Plan
from mlmetrics.calls.results import NoResult
from mlmetrics.calls.runs import KeptChunks, StreamRun
from mlmetrics.calls.templates import write
from mlmetrics.recording.series import BOUND


def _first(inner: AsyncGenerator[Any, Any]) -> Awaitable[Any]:
    """Start an async generator without registering it with the event loop.

    When the loop shuts down, it closes all registered async generators at the same time: it would
    close the inner one while the outer one is already closing it.
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(firstiter=None, finalizer=None)
    try:
        return inner.asend(None)
    finally:
        sys.set_asyncgen_hooks(*hooks)


CHUNK = """now = clock()
            if last is None:
                record_first(now - start)
            else:
                record_gap(now - last)
                if len(pending) > {bound}:
                    run.tell_chunks()
            last = now"""
READ_CHUNK = """if type(item) is kind:
                now = clock()
                record_gap(now - last)
                last = now
                if len(pending) > {bound}:
                    run.tell_chunks()
            else:
                kind, last = run.hear(item, last)"""
"""What is recorded of a chunk: here, if it is content and says nothing else, because a call would cost more.

The second one is for answers that are read: `kind` is the type of chunks of which that is known.
"""

GENERATOR = """
def wrapper({{declared}}):
    {{prepare}}
    kept = KeptChunks(series, {stream})
    record_first, record_gap, pending = kept.record_first, kept.record, kept.pending
    thrown = []
    closing = False
    item = NoResult
    last = None
    start = clock()
    run = {run}
    try:
        run.begin()
        inner = function({{passed}})
        item = next(inner)
        while True:
            {chunk}
            try:
                sent = yield item
            except BaseException as error:  # handed on below
                thrown.append(error)
                sent = thrown
            if sent is None:
                item = next(inner)  # `send` would take one level more of the stack
            elif sent is thrown:
                # Outside of the `except` above: what the inner generator raises was not
                # raised "during the handling" of what it has been thrown.
                closing = isinstance(thrown[0], GeneratorExit)
                item = inner.throw(thrown.pop())
            else:
                item = inner.send(sent)
    except StopIteration as stop:
        {returned}
        run.end(GeneratorExit() if closing else None)
        {ended}
        return stop.value
    except BaseException as error:
        run.end(error)
        {left}
        raise
"""

ASYNC_GENERATOR = """
async def wrapper({{declared}}):
    {{prepare}}
    kept = KeptChunks(series, {stream})
    record_first, record_gap, pending = kept.record_first, kept.record, kept.pending
    thrown = []
    closing = False
    item = NoResult
    last = None
    start = clock()
    run = {run}
    try:
        run.begin()
        inner = function({{passed}})
        send = inner.asend
        item = await first(inner)
        while True:
            {chunk}
            try:
                sent = yield item
            except BaseException as error:  # handed on below
                thrown.append(error)
                sent = thrown
            if sent is thrown:
                closing = isinstance(thrown[0], GeneratorExit)
                item = await inner.athrow(thrown.pop())
            else:
                item = await send(sent)
    except StopAsyncIteration:
        run.end(GeneratorExit() if closing else None)
        {ended}
    except BaseException as error:
        run.end(error)
        {left}
        raise
"""
CELLS: dict[str, Any] = {
    **{each.__name__: each for each in (BaseException, GeneratorExit, StopAsyncIteration, StopIteration)},
    **{each.__name__: each for each in (Answer, KeptChunks, NoResult, StreamRun, isinstance, len, next, type)},
}


def wrap_generator(function: Function, plan: Plan) -> Function:
    """Record a generator function; its result is what it returns, else its last chunk."""
    result = "NoResult if closing else item if stop.value is None else stop.value"
    return write(_filled(GENERATOR, plan, result), function, plan, _cells(plan))


def wrap_async_generator(function: Function, plan: Plan) -> Function:
    """Record an async generator function; its result is its last chunk."""
    result = "NoResult if closing else item"
    return write(_filled(ASYNC_GENERATOR, plan, result), function, plan, {**_cells(plan), "first": _first})


def _cells(plan: Plan) -> dict[str, Any]:
    return {**CELLS, "reads": plan.reads, "after": plan.after_stream}


def _filled(template: str, plan: Plan, result: str) -> str:
    """Fill in the template for this plan."""
    after, reads = plan.after_stream is not None, plan.reads is not None
    made = "Answer(series, reads)).keep_chunks(kept)\n    kind = None" if reads else "None).keep_chunks(kept)"
    return template.format(
        stream=plan.stream,
        run=f"StreamRun(series, start, {made}",
        chunk=(READ_CHUNK if reads else CHUNK).format(bound=BOUND),
        returned="run.answer.returned(stop.value)" if reads else "",
        ended=f"after(run.counted_on, {result}, None)" if after else "",
        left="after(run.counted_on, NoResult, None)" if after else "",
    )
