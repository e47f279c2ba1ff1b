"""LangChain: a handler of callbacks that is in every run, by the hook that LangChain has for that.

What a model asks inside of a run is found by the context: that of the run's own request, or, in a stream, that of
its consumer until the first token comes. LangChain does not tell how every run ends, such as those beside one that
failed. So a run also ends when its id is dropped, which LangChain keeps as long as the run.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

from mlmetrics.calls.outcome import is_cancellation
from mlmetrics.calls.recorder import Recorder
from mlmetrics.errors import name_of_type
from mlmetrics.handle import Instrumentation, Undo
from mlmetrics.integrations.http import Attempts
from mlmetrics.integrations.langchain_fallbacks import Fallbacks
from mlmetrics.integrations.langchain_handler import handler_of
from mlmetrics.integrations.layers import ProviderCall, begin, enclosing, enter, within
from mlmetrics.integrations.patches import SDK, Hook, Patch, Patching
from mlmetrics.interruption import Tolerating
from mlmetrics.responses.fields import fields

LANGCHAIN = SDK("langchain_core", "langchain-core", "langchain", lowest=(0, 3, 45), below=(2,))
MODELS = ("model", "model_name", "model_id", "deployment_name")
"""Where the parameters of a model have its name."""
CHAT, LLM = "langchain_core.language_models.chat_models", "langchain_core.language_models.llms"
TELLS_CACHED = (0, 3, 73)
"""The first release whose chat models say that an answer comes from LangChain's cache."""


def instrument(recorder: Recorder) -> Instrumentation:
    """Record every call of a model through LangChain; see `instrument_langchain`."""
    tells = LANGCHAIN.check("instrument_langchain") >= TELLS_CACHED
    runs = Runs(recorder, tells_cached=tells)
    return Patching(
        LANGCHAIN,
        [
            Hook("langchain_core.tracers.context", runs.hook),
            Patch(CHAT, "BaseChatModel._generate_with_cache", runs.request),
            Patch(CHAT, "BaseChatModel._agenerate_with_cache", runs.request_async),
            Patch(CHAT, "_gen_info_and_msg_metadata", runs.generated),
            Patch(LLM, "BaseLLM._generate_helper", runs.request),
            Patch(LLM, "BaseLLM._agenerate_helper", runs.request_async),
            Patch("langchain_core.callbacks.manager", "AsyncCallbackManager.on_llm_start", runs.start_async),
            *runs.fallbacks.patches(),
            *Attempts(recorder).patches(),
        ],
        recorder.store.failed,
    ).apply()


class LangChainCall(ProviderCall):
    """A run of a model."""

    __slots__ = ("generated", "last", "rest")

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.generated = False
        """Whether the model itself has answered, and not LangChain's cache, as far as LangChain has shown."""
        self.last: float | None = None
        self.rest = False
        """Whether its prompt went to the provider with those of other runs, of which the first tells the usage."""

    def chunk(self, content: int) -> None:
        """Record a chunk; what begins after the first one is no part of the model's own request."""
        if not self.run.read:
            self.asking, self.run.read = False, True
            self.run.record_chunks()
        if content:
            self.last = self.run.timed(content, self.last)

    def ended(self, result: Any) -> None:
        """End the call with its result."""
        self.answer.whole(result)
        if (cached(result) and not self.generated) or (self.rest and self.answer.used is None):
            self.answer.free = True
        self.run.end()

    def failed(self, error: BaseException, result: Any) -> None:
        """End the call with its error, and with what came before of a stream."""
        if self.run.read:
            self.answer.whole(result)
        self.run.end(error)


class Runs:
    """The runs of models that have begun and not ended, by their ids.

    An answer from LangChain's cache is known by what LangChain does with every answer that a chat model has generated,
    before it puts that in the cache. It also tells it (`tells_cached`), but in the cache's own object, which a run that
    has put it there may have as its answer, too.
    """

    def __init__(self, recorder: Recorder, *, tells_cached: bool) -> None:
        self._recorder = recorder
        self._tells_cached = tells_cached
        self._calls: WeakKeyDictionary[Any, LangChainCall] = WeakKeyDictionary()
        self._handler: Any = None
        self.fallbacks = Fallbacks(recorder.store)

    def hook(self, context: Any) -> Undo:
        """Have a handler in every run from now on."""
        handler = self._handler = handler_of(self)
        context.register_configure_hook(ContextVar("mlmetrics_langchain", default=handler), inheritable=True)
        hooks = context._configure_hooks  # noqa: SLF001 (there is no public way to leave)
        registered = hooks[-1]

        def undo() -> None:
            self._handler = None
            with Tolerating(ValueError):  # somebody has taken it out already
                hooks.remove(registered)

        return undo

    def begin(self, operation: str, about: Mapping[str, Any]) -> None:
        """Begin the call of a run; what its request asks is inside of it."""
        if self._handler is None:
            return
        parameters, metadata = about.get("invocation_params"), about.get("metadata")
        model = model_of(parameters, metadata)
        provider = metadata.get("ls_provider") if isinstance(metadata, Mapping) else None
        call = begin(self._recorder, model, operation, provider if isinstance(provider, str) else "", LangChainCall)
        if isinstance(call, LangChainCall):
            self._calls[about["run_id"]] = call
            call.generated = operation != "chat"  # others start no run for what is cached
            self.fallbacks.begun(call, model)
            if about.get("batch_size", 1) == 1:
                enter(call)

    def chunk(self, run_id: Any, content: Any) -> None:
        """Read a chunk of a stream."""
        call = self._calls.get(run_id)
        if call is not None:
            call.chunk(content())

    def end(self, run_id: Any, result: Any) -> None:
        """End a run."""
        call = self._calls.pop(run_id, None)
        if call is not None:
            call.ended(result)

    def fail(self, run_id: Any, error: BaseException, result: Any) -> None:
        """End a run that has raised, or was cancelled."""
        call = self._calls.pop(run_id, None)
        if call is not None:
            call.failed(error, result)
            self.fallbacks.failed(call)

    def failed(self, error: Exception) -> None:
        """Note that something could not be recorded."""
        self._recorder.store.failed("instrument", name_of_type(type(error)))

    def request(self, wrapped: Any, _instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Send the request of a run, or of several."""
        call = self._of(args, kwargs)
        if call is None:
            return wrapped(*args, **kwargs)
        with within(call):
            result = wrapped(*args, **kwargs)
        self._returned(call, result)
        return result

    async def request_async(self, wrapped: Any, _instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Send the request of a run, or of several."""
        call = self._of(args, kwargs)
        if call is None:
            return await wrapped(*args, **kwargs)
        try:
            with within(call):
                result = await wrapped(*args, **kwargs)
        except BaseException as error:
            if is_cancellation(error):
                call.run.end(error)  # LangChain tells nobody
            raise
        self._returned(call, result)
        return result

    def generated(self, wrapped: Any, _instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Note that the model itself has answered."""
        call = enclosing(self._recorder.store)
        if isinstance(call, LangChainCall):
            call.generated = True
        return wrapped(*args, **kwargs)

    def _returned(self, call: LangChainCall, result: Any) -> None:
        """Note that an answer that no model has generated comes from LangChain's cache, if that does not tell so."""
        undone = self._handler is None  # then nobody has told us what was generated
        known = self._tells_cached or call.generated or call.run.read or undone
        if not known and getattr(result, "generations", None):
            call.answer.free = True

    async def start_async(self, wrapped: Any, manager: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Start runs without our handler, and then with it.

        LangChain leaves out all other handlers where one of them runs inline.
        """
        handler = self._handler
        if handler is None or handler not in manager.handlers:
            return await wrapped(*args, **kwargs)
        others = manager.copy()
        others.handlers = [each for each in manager.handlers if each is not handler]
        runs = await wrapped.__func__(others, *args, **kwargs)
        about = {name: kwargs[name] for name in ("batch_size", "invocation_params") if name in kwargs}
        for run in runs:
            run.handlers = manager.handlers
            handler.on_llm_start(None, None, run_id=run.run_id, metadata=manager.metadata, **about)
        return runs

    def _of(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> LangChainCall | None:
        """Return the call of a request: that of the first run, if it is that of several."""
        given = kwargs.get("run_managers", kwargs.get("run_manager", args[2] if len(args) > 2 else None))  # noqa: PLR2004 (their position)
        managers = given if isinstance(given, list) else [given]
        calls = [self._calls.get(getattr(each, "run_id", None)) for each in managers if each is not None]
        for call in calls[1:]:
            if call is not None:
                call.rest = True
        return calls[0] if calls else None


def model_of(parameters: Any, metadata: Any) -> object:
    """Return the name of a model, from its parameters or from what LangChain tells of it."""
    named = parameters if isinstance(parameters, Mapping) else {}
    model = next((named[each] for each in MODELS if isinstance(named.get(each), str)), None)
    if model is None and isinstance(metadata, Mapping):
        model = metadata.get("ls_model_name")
    return model or "unknown"


def cached(result: Any) -> bool:
    """Return whether a result comes from LangChain's cache, which says so by a cost of zero."""
    generations = fields(result).get("generations") or [[]]
    message = fields(fields(generations[0][0]).get("message")) if generations[0] else {}
    cost = fields(message.get("usage_metadata")).get("total_cost")
    return type(cost) is int and cost == 0
