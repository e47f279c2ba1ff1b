"""sentence-transformers: `encode_query` and `encode_document` call `encode`, and `rank` calls `predict`, once each."""

from collections.abc import Sized
from functools import partial
from typing import Any

from mlmetrics.calls.recorder import Recorder
from mlmetrics.errors import name_of_type
from mlmetrics.handle import Instrumentation
from mlmetrics.integrations.local import begin, model_name, running, safely
from mlmetrics.integrations.patches import SDK, Patch, Patching

PACKAGE = "sentence_transformers"
SENTENCE_TRANSFORMERS = SDK(PACKAGE, "sentence-transformers", "sentence-transformers", lowest=(5,), below=(7,))
ENCODE = ("encode", "encode_query", "encode_document")
METHODS = {"SentenceTransformer": ENCODE, "SparseEncoder": ENCODE, "CrossEncoder": ("predict", "rank")}
"""By class, the methods that ask its model, which are also the label `operation`."""
FIRST = ("sentences", "inputs")
"""Names of the first argument, of older and newer releases."""


def instrument(recorder: Recorder) -> Instrumentation:
    """Record every call of the library; see `instrument_sentence_transformers`."""
    SENTENCE_TRANSFORMERS.check("instrument_sentence_transformers")
    patches = [
        Patch(PACKAGE, f"{owner}.{method}", partial(asked, recorder, method))
        for owner, methods in METHODS.items()
        for method in methods
    ]
    return Patching(SENTENCE_TRANSFORMERS, patches, recorder.store.failed).apply()


def asked(  # noqa: PLR0917 (a wrapper takes four)
    recorder: Recorder, method: str, wrapped: Any, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Ask a model."""
    call = begin(recorder, safely(recorder, name_of, model) or name_of_type(type(model)), method)
    if call is None:
        return wrapped(*args, **kwargs)
    result = running(wrapped, args, kwargs, call)
    call.batch(safely(recorder, inputs_in, method, model, args, kwargs))
    call.returned(result)
    return result


def inputs_in(method: str, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int | None:
    """Return how many sentences, pairs or documents a call has; None if they cannot be counted."""
    if method == "rank":
        given: Any = kwargs.get("documents", args[1] if len(args) > 1 else None)
        single = False
    else:
        given = args[0] if args else next((kwargs[name] for name in FIRST if name in kwargs), None)
        single = is_one(method, model, given)
    return 1 if single else len(given) if isinstance(given, Sized) else None


def is_one(method: str, model: Any, given: Any) -> bool:
    """Whether an argument is a single input, and no collection of them."""
    if hasattr(model, "is_singular_input"):  # from release 5.4 on, which also take pictures and the like
        return bool(model.is_singular_input(given))
    return isinstance(given, str) or (method == "predict" and len(given) > 0 and isinstance(given[0], str))


def name_of(model: Any) -> str:
    """Return the name of the model that a model of this library has inside."""
    inner = getattr(model, "transformers_model", None) or getattr(model, "model", None)
    return model_name(model if inner is None else inner)
