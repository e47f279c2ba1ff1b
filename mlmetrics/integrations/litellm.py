"""LiteLLM: its functions call one another, and the SDKs of providers; the outermost is the call.

Whole responses and streams have the form of OpenAI's, whatever the provider.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mlmetrics.calls.recorder import Recorder
from mlmetrics.handle import Instrumentation
from mlmetrics.integrations.attempts import ProviderRun
from mlmetrics.integrations.http import Attempts, aside
from mlmetrics.integrations.layers import ProviderCall, around, around_async, begin, enclosing, outermost
from mlmetrics.integrations.litellm_streams import KEEPING, Keeping, Reading, is_stream, measured
from mlmetrics.integrations.patches import SDK, Functions, Patch, Patching, Wrapper
from mlmetrics.interruption import interrupted

LOGGING, HANDLERS = "litellm.litellm_core_utils.litellm_logging", ("success_handler", "failure_handler")
LITELLM = SDK("litellm", "litellm", "litellm", lowest=(1, 63, 14), below=(2,))
FUNCTIONS = {
    "completion": ("chat", 0, "litellm.main"),
    "text_completion": ("completions", 1, "litellm.main"),
    "embedding": ("embeddings", 0, "litellm.main"),
    "responses": ("responses", 1, "litellm.responses.main"),
}
"""Functions, each with the label `operation`, the position of the model, and the module where it is defined.

Their async forms begin with an `a`. `litellm` itself may have other functions by these names, which call those.
"""

PROVIDERS = {"azure_text": "azure", "text-completion-openai": "openai"}
"""What LiteLLM calls a provider by the kind of the request."""
CACHE = "cached_response"
"""What LiteLLM calls the provider of answers from its cache."""


def instrument(recorder: Recorder) -> Instrumentation:
    """Record every call of LiteLLM; see `instrument_litellm`."""
    LITELLM.check("instrument_litellm")
    patches: list[Patch | Functions] = []
    public: dict[str, Wrapper] = {}
    for name, (operation, position, module) in FUNCTIONS.items():
        request = Requests(recorder, operation, position)
        public |= {name: request.call, f"a{name}": request.call_async}
        patches += [Patch(module, name, request.call), Patch(module, f"a{name}", request.call_async)]
    patches.insert(0, Functions("litellm", public))
    patches.append(Patch("litellm.litellm_core_utils.streaming_handler", f"{KEEPING}.__init__", Streams(recorder).made))
    patches += [*Attempts(recorder).patches(), *Logging(recorder).patches()]
    return Patching(LITELLM, patches, recorder.store.failed).apply()


class Requests:
    """The calls of one function, and of its async form."""

    def __init__(self, recorder: Recorder, operation: str, position: int) -> None:
        self._recorder = recorder
        self._operation = operation
        self._position = position

    def call(self, wrapped: Any, _instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the function."""
        return around(wrapped, args, kwargs, self._begin(args, kwargs))

    async def call_async(self, wrapped: Any, _instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call its async form."""
        return await around_async(wrapped, args, kwargs, self._begin(args, kwargs))

    def _begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ProviderCall | None:
        model = kwargs.get("model") or kwargs.get("engine")
        if model is None:
            model = args[self._position] if len(args) > self._position else "unknown"
        provider = kwargs.get("custom_llm_provider") or prefix(model)
        call = begin(self._recorder, model, self._operation, named(provider), LiteLLMCall)
        if type(call) is LiteLLMCall:
            call.asked(model)
        return call


class Logging:
    """LiteLLM's class of this name, which calls loggers within a call: what they send elsewhere is no attempt of it.

    Earlier releases leave coroutines of it unawaited, of which Python warns by this name too.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._store = recorder.store

    def patches(self) -> list[Patch]:
        """Return what is to be replaced: what calls the loggers."""
        return [
            *(Patch(LOGGING, f"Logging.{name}", self.log) for name in ("pre_call", "post_call", *HANDLERS)),
            *(Patch(LOGGING, f"Logging.async_{name}", self.log_async) for name in HANDLERS),
        ]

    def log(self, wrapped: Any, _logging: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the loggers."""
        with aside(self._store):
            return wrapped(*args, **kwargs)

    async def log_async(self, wrapped: Any, _logging: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the loggers."""
        with aside(self._store):
            return await wrapped(*args, **kwargs)


def prefix(model: object) -> str:
    """Return the provider that stands before the model, as in `openai/gpt-4o`."""
    return model.partition("/")[0] if isinstance(model, str) and "/" in model else ""


def named(provider: object) -> str:
    """Return the name of a provider."""
    return PROVIDERS.get(provider, provider) if isinstance(provider, str) else ""


class LiteLLMCall(ProviderCall):
    """A call of LiteLLM; `failed` is the model of the layer inside of it that failed last, if one did."""

    __slots__ = ("failed", "model")

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.model: object = None
        self.failed: object = None

    def asked(self, model: object) -> None:
        """Note which model it asks: after another one has failed in the same call, that is its fallback."""
        self.model, outer = model, self.outer
        try:
            if type(outer) is LiteLLMCall and outer.failed is not None and outer.failed != model:
                outer.failed = None
                run = outermost(self).run
                if isinstance(run, ProviderRun):
                    run.fell_back(model)
        except Exception as error:  # a model may be any object; nothing of ours reaches the user's call
            if interrupted(error):
                raise
            self.store.failed("fallback", error)

    def raised(self, error: BaseException) -> None:
        """End the call because it raised."""
        if type(self.outer) is LiteLLMCall:
            self.outer.failed = self.model
        super().raised(error)

    def returned(self, result: Any) -> None:
        """End the call with its response; if that is a stream, the call goes on until that ends."""
        if is_stream(result):
            measured(result, Reading(self, result))
            self.answer.said.known = True  # whoever reads none of it has nevertheless asked
            self._from(getattr(result, "custom_llm_provider", None))
            return
        hidden = getattr(result, "_hidden_params", None)
        about: Mapping[str, Any] = hidden if isinstance(hidden, Mapping) else {}
        self._from(CACHE if about.get("cache_hit") is True else about.get("custom_llm_provider"))
        self.answer.whole(result)
        self.run.end()

    def _from(self, provider: object) -> None:
        """Note who answered; what comes from LiteLLM's own cache has cost nothing."""
        if provider == CACHE:
            self.answer.free = True
        elif isinstance(provider, str) and provider:
            self.answer.reads = replace(self.answer.reads, provider=named(provider))


class Streams:
    """The streams that keep their chunks, as they are made."""

    def __init__(self, recorder: Recorder) -> None:
        self._store = recorder.store

    def made(self, wrapped: Any, stream: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Read what a stream keeps for the call that makes it; it may get another stream around it."""
        wrapped(*args, **kwargs)
        call = enclosing(self._store)
        while call is not None and type(call.outer) is LiteLLMCall:
            call = call.outer
        if type(call) is LiteLLMCall:
            measured(stream, Keeping(call))
