"""The instruments of SDKs and of models, as methods of a toolkit."""

from importlib import import_module
from typing import Any

from mlmetrics.calls.recorder import Recorder
from mlmetrics.handle import Instrumentation
from mlmetrics.switch import DISABLED


class Instrumenting(Recorder):
    """Records the calls of SDKs that ask models: each is an inference, labelled by the model that was asked for.

    Every method returns a handle: `uninstrument()` ends it, and so does leaving its `with` block. An SDK may be
    instrumented before or after it is imported. Layers of instruments are one call, that of the outermost; a decorator
    or a timer of yours around an SDK's call is a call of its own.
    """

    def instrument_openai(self, *, include_usage: bool = False) -> Instrumentation:
        """Record every call of the `openai` SDK: chat, responses, completions, embeddings; sync, async, streams, raw.

        Args:
            include_usage: ask for the usage of each stream of chat, as `stream_options={"include_usage": True}` does.
                Your program then gets one more chunk, which has no choices. Without it, a stream that does not ask
                has no usage, and is counted in `ml_inference_usage_missing_total`.

        Raises:
            MissingExtraError: `openai` is not installed.
            ConfigurationError: its version is not known.

        Metrics: those of `track_inference`, with `operation` `chat`, `responses`, `completions` or `embeddings`;
        `ml_inference_tokens_total`, `ml_inference_cost_usd_total`, `ml_inference_response_model_info`.
        """
        return _instrument("openai", self, include_usage=include_usage)

    def instrument_anthropic(self) -> Instrumentation:
        """Record every call of the `anthropic` SDK; `operation` is `messages`.

        Raises, Metrics: as `instrument_openai`.
        """
        return _instrument("anthropic", self)

    def instrument_google_genai(self) -> Instrumentation:
        """Record every request of the `google-genai` SDK; `operation` is `generate_content` or `embed_content`.

        Each request is a call: where the SDK calls functions of yours by itself, it sends several.

        Raises, Metrics: as `instrument_openai`.
        """
        return _instrument("google_genai", self)

    def instrument_mistralai(self) -> Instrumentation:
        """Record every call of the `mistralai` SDK; `operation` is `chat`, `fim`, `agents` or `embeddings`.

        Raises, Metrics: as `instrument_openai`.
        """
        return _instrument("mistralai", self)

    def instrument_litellm(self) -> Instrumentation:
        """Record every call of LiteLLM; `operation` is `chat`, `completions`, `responses` or `embeddings`.

        Raises, Metrics: as `instrument_openai`.
        """
        return _instrument("litellm", self)

    def instrument_langchain(self) -> Instrumentation:
        """Record every call of a model through LangChain, by its callbacks; `operation` is `chat` or `completions`.

        Raises, Metrics: as `instrument_openai`.
        """
        return _instrument("langchain", self)

    def instrument_tenacity(self) -> Instrumentation:
        """Count every retry by `tenacity`: of functions and of blocks, sync and async.

        An attempt within a call (of a decorated function, or of an instrumented SDK) counts there. Any other one counts
        for the function that is tried again: by the labels of its own decorator if these are fixed, else with the
        function's name as `model`. Attempts of an instrumented SDK are counted once, whoever makes them again.

        Raises:
            MissingExtraError: `tenacity` is not installed.
            ConfigurationError: its version is not known.

        Metrics: `ml_inference_attempt_errors_total`, `ml_inference_retries_total`, by why the attempt failed.
        """
        return _instrument("tenacity", self)

    def instrument_stamina(self) -> Instrumentation:
        """Count every retry by `stamina`, as `instrument_tenacity` does for `tenacity`, which leaves these out.

        Raises, Metrics: as `instrument_tenacity`.
        """
        return _instrument("stamina", self)

    def instrument_transformers(self) -> Instrumentation:
        """Record every call of a pipeline of `transformers`, whose task is the `operation`, and of `generate`.

        A pipeline that calls `generate` is one call. One that is given a generator or a dataset returns an iterator:
        the call is then the reading of it, and has not begun before.

        Raises: as `instrument_openai`.

        Metrics: those of `track_inference`; `ml_inference_batch_size`; of what is generated,
            `ml_inference_tokens_total`, without a price, and with a streamer `ml_inference_first_chunk_seconds` and
            `ml_inference_chunk_interval_seconds`; of what is classified, `ml_inference_score` and
            `ml_prediction_total`.
        """
        return _instrument("transformers", self)

    def instrument_sentence_transformers(self) -> Instrumentation:
        """Record every call of the models of `sentence-transformers`.

        The `operation` is the method that was called: `encode`, `encode_query`, `encode_document`, `predict` or
        `rank`; what that calls itself is a part of it.

        Raises: as `instrument_openai`.

        Metrics: those of `track_inference`; `ml_inference_batch_size`.
        """
        return _instrument("sentence_transformers", self)

    def watch(
        self, watched: object, *, model: str | None = None, operation: str | None = None, service: str | None = None
    ) -> Instrumentation:
        """Record every call of one model that runs in this process; it stays the object that it is.

        Args:
            watched: a scikit-learn estimator, an XGBoost model, an ONNX Runtime session, or a torch module. It is
                instrumented in place; its copies (`clone`, `copy.deepcopy`, pickle) are not.
            model: the model; the name of the object's class if it is left out.
            operation: what is asked of the model; by default the method that is called, such as `predict`.
            service: the service, if it is not the toolkit's.

        Returns:
            A handle. The object may be collected before the handle; it is then forgotten.

        Raises:
            DeclarationError: it is nothing that can be watched, or a label is empty.

        Metrics: those of `track_inference`; `ml_inference_batch_size`; of classifiers, `ml_inference_score` and
            `ml_prediction_total`. A call inside another watched call is a part of it, and is not counted; a forward
            of a watched torch module is. What cannot be recorded is counted in
            `mlmetrics_recording_errors_total{where="watch"}`.
        """
        found: Instrumentation = import_module("mlmetrics.integrations.watch").watch(
            self, watched, model=model, operation=operation, service=service
        )
        return found

    def instrument_opentelemetry(self, meter_provider: Any = None) -> Instrumentation:
        """Record through a meter provider of OpenTelemetry as well, by its conventions for generative AI.

        Calls stay as quick as they are: what is recorded from now on goes to the provider in the background, and before
        each of its readers collects. `uninstrument()` hands over what waits. `docs/opentelemetry.md` has the names.

        Args:
            meter_provider: where the histograms are made; None is the provider of `set_meter_provider`.

        Raises:
            MissingExtraError: `opentelemetry-api` is not installed.
            ConfigurationError: its version is not known, the provider is none, `PROMETHEUS_MULTIPROC_DIR` is set, or
                what this registry records goes to a provider already.

        Metrics: none of Prometheus. `gen_ai.client.operation.duration`, `gen_ai.client.token.usage`,
        `gen_ai.client.operation.time_to_first_chunk`, `gen_ai.client.operation.time_per_output_chunk`,
        `gen_ai.execute_tool.duration`, `gen_ai.invoke_agent.duration`.
        """
        return _instrument("opentelemetry", self, meter_provider=meter_provider)


def _instrument(module: str, recorder: Recorder, **options: Any) -> Instrumentation:
    """Load one integration, and no other; none in a program that is switched off, whose handle undoes nothing."""
    if DISABLED:
        return Instrumentation(module, ())
    found: Instrumentation = import_module(f"mlmetrics.integrations.{module}").instrument(recorder, **options)
    return found
