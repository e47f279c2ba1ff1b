"""Calls of models that run in this process through a library, beside those of providers: the same layers collapse.

No provider answers, so nothing says what it used: the tokens are counted here, and they have no price.
"""

import os
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from mlmetrics.calls.answers import Answer
from mlmetrics.calls.inner import InnerRun
from mlmetrics.calls.measures import number, observe
from mlmetrics.calls.reads import AUTO, Reads
from mlmetrics.calls.recorder import Recorder
from mlmetrics.calls.tokens import record_lengths, record_tokens
from mlmetrics.catalog import INFERENCE
from mlmetrics.errors import name_of_type
from mlmetrics.integrations.layers import ASKED, ProviderCall, enclosing, inside, suppressed, within
from mlmetrics.interruption import interrupted

T = TypeVar("T")
READS = Reads(usage=AUTO, first=True)
CACHED = re.compile(r"models--(?P<name>[^/\\]+)[/\\]snapshots[/\\][^/\\]+$")
"""The end of a path in the cache of the Hugging Face hub, whose last part is a commit."""


class LocalAnswer(Answer):
    """What is known of the answer of such a call: its tokens."""

    __slots__ = ()

    def _count(self, used: dict[str, float] | None, seconds: float, *, priced: bool) -> None:
        del priced  # a model in this process has no price
        if used is not None:
            record_lengths(self._series, record_tokens(self._series, used), seconds)


class LocalCall(ProviderCall):
    """A call of a model in this process, or a layer inside one."""

    __slots__ = ()

    def returned(self, _result: Any) -> None:
        """End the call; its result is no response of a provider."""
        self.run.end()

    def tokens(self, prompt: int | None, answer: int | None) -> None:
        """Say how many tokens were used; None is not known."""
        told = {"input": prompt, "output": answer}
        self.answer.said.usage = {name: float(count) for name, count in told.items() if count is not None} or None

    def batch(self, items: int | None) -> None:
        """Say how many items the call handles, unless it is a part of another one."""
        if items is not None and self.outer is None:
            series, store = self.run.series, self.run.series.store
            observe(store, f"{series.operation.prefix}_batch_size", series.labels, number(store, "batch", items))

    def forget(self) -> None:
        """Record nothing of the call: what it has returned runs later."""
        if self.run.disown() and self.outer is None:
            self.run.series.leave(None)

    @property
    def outermost(self) -> "LocalCall":
        """The call of this kind that this one is a part of in the end; itself, if it is none."""
        call: Any = self
        while isinstance(call.outer, LocalCall):
            call = call.outer
        return call  # type: ignore[no-any-return]  # it is one of these


def begin(recorder: Recorder, model: object, operation: object) -> LocalCall | None:
    """Begin a call; None if somebody asks that it is not recorded. Never raises."""
    try:
        if suppressed():
            return None
        outer = enclosing(recorder.store)
        if outer is not None:
            return inside(outer, READS, LocalCall)  # type: ignore[return-value]  # of the kind that was asked for
        series = recorder.calls(INFERENCE).series(recorder.named(None), (model, operation))
        run = InnerRun(series, series.clock(), LocalAnswer(series, READS))
        run.prepare(ASKED)
        run.begin()
        return LocalCall(run, None)
    except Exception as error:  # nothing of ours reaches the user's call
        if interrupted(error):
            raise
        recorder.store.failed("instrument", name_of_type(type(error)))
        return None


def running(wrapped: Any, args: tuple[Any, ...], kwargs: dict[str, Any], call: LocalCall) -> Any:
    """Call a function of a library as this call, which ends if that raises."""
    try:
        with within(call):
            return wrapped(*args, **kwargs)
    except BaseException as error:
        call.raised(error)
        raise


def model_name(model: Any) -> str:
    """Return the name of a model of `transformers`; that of its class if it was made from a configuration."""
    name = getattr(model, "name_or_path", None) or getattr(getattr(model, "config", None), "_name_or_path", None)
    return name_from(name) if isinstance(name, str) and name else name_of_type(type(model))


@lru_cache(maxsize=256)
def name_from(name_or_path: str) -> str:
    """Return the name of a model on the hub as it is, and of a path the last part."""
    cached = CACHED.search(name_or_path.rstrip("/\\"))
    if cached is not None:
        return cached["name"].replace("--", "/")
    parts = re.split(r"[/\\]", name_or_path.rstrip("/\\"))
    is_path = len(parts) > 2 or parts[0] in {"", ".", "..", "~"} or os.path.isdir(name_or_path)  # noqa: PLR2004, PTH112 (an owner and a name)
    return parts[-1] if is_path else name_or_path


def safely(recorder: Recorder, read: Callable[..., T], *given: Any) -> T | None:
    """Read something of what the library was given or has returned; None if that raises. Nothing of it goes on."""
    try:
        return read(*given)
    except Exception as error:  # any object may come
        if interrupted(error):
            raise
        recorder.store.failed("instrument", f"{read.__name__} raised {name_of_type(type(error))}")
        return None
