"""The three decorators, as methods of a toolkit."""

from collections.abc import Callable
from typing import Any, Literal, TypeVar, overload

from mlmetrics.calls.decorators import Declaration, decorate
from mlmetrics.calls.labels import Argument, Label
from mlmetrics.calls.reads import AUTO, Content, Failure, Usage, declared_reads
from mlmetrics.calls.recorder import Recorder
from mlmetrics.calls.results import OPTIONAL, Read, after_class, after_score, all_of, attribute_of
from mlmetrics.catalog import INFERENCE, MATCHING, PARSING

F = TypeVar("F", bound=Callable[..., Any])


class Tracking(Recorder):
    """Decorators that record every call of what they are applied to."""

    @overload
    def track_inference(self, function: F, /) -> F: ...
    @overload
    def track_inference(
        self,
        function: None = None,
        /,
        *,
        model: Label | None = None,
        operation: Label = "",
        service: str | None = None,
        stream: bool | None = None,
        usage: Usage | Literal["auto"] | None = AUTO,
        failure: Failure | None = None,
        content: Content | None = None,
        score: Read | None = None,
        predicted_class: Read | None = None,
    ) -> Callable[[F], F]: ...
    def track_inference(
        self,
        function: Any = None,
        /,
        *,
        model: Label | None = None,
        operation: Label = "",
        service: str | None = None,
        stream: bool | None = None,
        usage: Usage | Literal["auto"] | None = AUTO,
        failure: Failure | None = None,
        content: Content | None = None,
        score: Read | None = None,
        predicted_class: Read | None = None,
    ) -> Any:
        """Record every call of a function as an inference: duration, outcome, calls in progress.

        Works on functions, coroutine functions, generators, async generators, methods, class
        and static methods, partials and callable objects; each keeps its kind and signature. A stream
        is one call: first chunk and gaps are recorded, and it ends when the stream ends or is closed.
        Wrong arguments raise at the call as before, and record no call. Each call uses one more frame:
        recursion reaches about half its depth (at least 45 %), and `warnings.warn(..., stacklevel=2)`
        needs `stacklevel=3`. A function sent to another process by joblib or cloudpickle records there.

        Args:
            model: a name, `arg("parameter")`, or a function of the call; the function's name by default.
            operation: the task of the model, such as `extract`; given in the same ways as `model`.
            service: the service, if it is not the toolkit's.
            stream: True if the result is a stream, False if it is not one although it is an
                iterator; by default the type of the result decides.
            usage: a function from the result, or from a chunk of a stream, to tokens by type, such as
                `{"input": 120, "output": 48}`. Of a stream, each chunk and what its generator returns are
                asked; later ones overwrite the types that they name. If none says anything, that is counted in
                `ml_inference_usage_missing_total`. The default, `auto`, reads the responses of OpenAI,
                Anthropic, Gemini, Mistral, LiteLLM and LangChain, as objects, dictionaries and server-sent
                events; None counts no tokens.
            failure: a function from the result, or from a chunk, to an error type, or None if it is none: the call
                is then a failure although nothing is raised. Errors inside the responses named above are known.
            content: a function of a chunk that says whether it has content: the first such chunk is the first one
                that is timed. The responses named above are known.
            score: attribute or key of the result, or a function of it, that gives a score (confidence)
                in 0..1 or several of them.
            predicted_class: attribute or key of the result, or a function of it, that gives the class
                that was predicted (a text, a number, a member of an enum) or several of them. A result
                that gives None for it, or for its score, has none.

        Raises:
            DeclarationError: an empty model, `arg` of an unknown parameter, something that cannot be called,
                `content` where `stream=False` says that there are no chunks.

        Metrics: `ml_inference_total`, `ml_inference_duration_seconds`, `ml_inference_in_progress`,
        `ml_inference_errors_total`; streams also `ml_inference_first_chunk_seconds` and
        `ml_inference_chunk_interval_seconds`; with `usage`, `ml_inference_tokens_total`;
        with `score`, `ml_inference_score`; with `predicted_class`, `ml_prediction_total`.

        Example:
            >>> from prometheus_client import CollectorRegistry
            >>> from mlmetrics import MLMetrics
            >>> metrics = MLMetrics(service="docs", registry=CollectorRegistry())
            >>> @metrics.track_inference(model="gpt-4")
            ... def extract(text):
            ...     return text.split()
            >>> extract("to be")
            ['to', 'be']
        """
        afters = [after_score("score", score)] if score is not None else []
        afters += [after_class(predicted_class)] if predicted_class is not None else []
        declaration = Declaration(
            self.calls(INFERENCE),
            self.named(service),
            (model, operation),
            None,
            all_of(afters),
            stream,
            scored=score is not None,
            reads=declared_reads(failure=failure, usage=usage, content=content, known=True, stream=stream),
            usage=usage if callable(usage) else None,
            score_name=attribute_of(score) if predicted_class is None else "",
        )
        return decorate(declaration, function)

    @overload
    def track_parsing(self, function: F, /) -> F: ...
    @overload
    def track_parsing(
        self,
        function: None = None,
        /,
        *,
        doc_type: Label | None = None,
        parser: Label = "",
        service: str | None = None,
        accuracy: Read | None = OPTIONAL,
        size: Argument | Callable[[Any], Any] | None = None,
        failure: Failure | None = None,
    ) -> Callable[[F], F]: ...
    def track_parsing(
        self,
        function: Any = None,
        /,
        *,
        doc_type: Label | None = None,
        parser: Label = "",
        service: str | None = None,
        accuracy: Read | None = OPTIONAL,
        size: Argument | Callable[[Any], Any] | None = None,
        failure: Failure | None = None,
    ) -> Any:
        """Record every call of a function as a parsing, with its accuracy and the size of its file.

        Args:
            doc_type: a name, `arg("parameter")`, or a function of the call; the function's name by default.
            parser: which parser it is; as `doc_type`.
            service: the service, if it is not the toolkit's.
            accuracy: attribute or key of the result, or a function of it, that gives 0 to 1. The
                default, `confidence`, is read if it exists; None reads nothing. The result of
                a stream is what its generator returns, else its last chunk, once it is exhausted.
            size: a function of the first argument that gives bytes, such as `len`, or
                `arg("parameter")` for another one. The `file_type` label is the `doc_type`.
            failure: as for `track_inference`.

        Raises:
            DeclarationError: as `track_inference`.

        Metrics: `ml_parsing_total`, `ml_parsing_duration_seconds`, `ml_parsing_in_progress`,
        `ml_parsing_errors_total`, `parsing_accuracy_score`, `file_processing_size_bytes`.
        """
        after = all_of([after_score("accuracy", accuracy, optional=True)] if accuracy is not None else [])
        declaration = Declaration(
            self.calls(PARSING),
            self.named(service),
            (parser, doc_type),
            size,
            after,
            None,
            scored=accuracy is not None,
            reads=declared_reads(failure=failure),
            score_name=attribute_of(accuracy),
        )
        return decorate(declaration, function)

    @overload
    def track_matching(self, function: F, /) -> F: ...
    @overload
    def track_matching(
        self,
        function: None = None,
        /,
        *,
        matcher: Label | None = None,
        service: str | None = None,
        score: Read | None = None,
        failure: Failure | None = None,
    ) -> Callable[[F], F]: ...
    def track_matching(
        self,
        function: Any = None,
        /,
        *,
        matcher: Label | None = None,
        service: str | None = None,
        score: Read | None = None,
        failure: Failure | None = None,
    ) -> Any:
        """Record every call of a function as a matching, with the score or scores of its result.

        Args:
            matcher: a name, `arg("parameter")`, or a function of the call; the function's name by default.
            service: the service, if it is not the toolkit's.
            score: attribute or key of the result, or a function of it, that gives a score in 0..1
                or several of them. The result of a stream is as for `track_parsing`.
            failure: as for `track_inference`.

        Raises:
            DeclarationError: as `track_inference`.

        Metrics: `ml_matching_total`, `ml_matching_duration_seconds`, `ml_matching_in_progress`,
        `ml_matching_errors_total`, `matching_score_distribution`.
        """
        after = all_of([after_score("score", score)] if score is not None else [])
        declaration = Declaration(
            self.calls(MATCHING),
            self.named(service),
            (matcher,),
            None,
            after,
            None,
            scored=score is not None,
            reads=declared_reads(failure=failure),
            score_name=attribute_of(score),
        )
        return decorate(declaration, function)
