"""`generate` of transformers: the tokens of prompt and answer, and the chunks that a streamer is given."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mlmetrics.calls.recorder import Recorder
from mlmetrics.errors import name_of_type
from mlmetrics.integrations.local import LocalCall, begin, model_name, running, safely
from mlmetrics.interruption import interrupted
from mlmetrics.responses.said import ANSWER

OPERATION = "generate"
STREAMER = 7
"""The position of the streamer among the arguments; nobody gives it by that."""


def generating(recorder: Recorder, wrapped: Any, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Generate, as a call or as a part of one."""
    call = begin(recorder, safely(recorder, model_name, model) or name_of_type(type(model)), OPERATION)
    if call is None:
        return wrapped(*args, **kwargs)
    inputs = args[0] if args else kwargs.get("inputs", kwargs.get("input_ids"))
    given = inputs if inputs is not None else kwargs.get("inputs_embeds", kwargs.get("input_features"))
    streamer = kwargs.get("streamer", args[STREAMER] if len(args) > STREAMER else None)
    with listening(streamer, call):
        result = running(wrapped, args, kwargs, call)
    call.batch(safely(recorder, rows_of, given))
    used = safely(recorder, tokens_used, model, inputs, kwargs, result)
    if used is not None:
        call.tokens(*used)
    call.returned(result)
    return result


def rows_of(given: Any) -> int:
    """Return how many sequences are given; without any, one is generated."""
    return 1 if given is None else int(given.shape[0])


def tokens_used(model: Any, inputs: Any, kwargs: Mapping[str, Any], result: Any) -> tuple[int | None, int]:
    """Return the tokens of the prompts, without padding, and those that were generated, without what follows an end."""
    sequences = getattr(result, "sequences", result)
    embedded = kwargs.get("inputs_embeds")
    prompt = embedded if inputs is None else inputs
    is_text = prompt is not None and (inputs is None or inputs.ndim == 2)  # noqa: PLR2004 (rows of tokens; sound and pictures have more)
    asked = in_prompts(prompt, kwargs.get("attention_mask")) if is_text else None
    return asked, generated(sequences[:, repeated(model, inputs, kwargs) :], model, kwargs)


def in_prompts(prompt: Any, mask: Any) -> int:
    """Count the tokens of prompts, which a mask tells from their padding."""
    rows, width = prompt.shape[:2]
    return int(mask.sum()) if mask is not None and tuple(mask.shape) == (rows, width) else int(rows * width)


def repeated(model: Any, inputs: Any, kwargs: Mapping[str, Any]) -> int:
    """Return how many tokens of a result were not generated: the prompt, or the start after an encoder."""
    start = kwargs.get("decoder_input_ids") if model.config.is_encoder_decoder else inputs
    if start is not None:
        return int(start.shape[1])
    return 0 if kwargs.get("inputs_embeds") is not None and not model.config.is_encoder_decoder else 1


def generated(answers: Any, model: Any, kwargs: Mapping[str, Any]) -> int:
    """Count the tokens of answers; what follows the end of one is padding up to the longest, and not counted."""
    told = setting("eos_token_id", model, kwargs)
    ends = told if isinstance(told, list) else [] if told is None else [int(told)]
    if not ends:
        return int(answers.numel())
    is_end: Any = sum((answers == end).int() for end in ends)
    ends_before = is_end.cumsum(1) - is_end
    return int((ends_before == 0).sum())


def setting(name: str, model: Any, kwargs: Mapping[str, Any]) -> Any:
    """Return a setting of a call: its own, else of the configuration that it is given, else of the model's."""
    configurations = (kwargs.get("generation_config"), getattr(model, "generation_config", None))
    found = (kwargs.get(name), *(getattr(each, name, None) for each in configurations))
    return next((value for value in found if value is not None), None)


@contextmanager
def listening(streamer: Any, call: LocalCall) -> Iterator[None]:
    """Record when a streamer is given its tokens, in this block; it stays the object that it is.

    Where a pipeline generates, the chunks are those of its call; what is no library of this kind times its own.
    """
    attributes = getattr(streamer, "__dict__", None)
    whole = call.outermost
    if streamer is None or whole.outer is not None or not hasattr(streamer, "put"):
        yield
        return
    if attributes is None:
        call.store.failed("instrument", f"a {name_of_type(type(streamer))} has slots: its chunks are not timed")
        yield
        return
    before = attributes.get("put")
    put = attributes["put"] = Put(streamer.put, whole)
    try:
        yield
    finally:
        if attributes.get("put") is put:  # else somebody else has replaced it since; ours then only passes on
            if before is None:
                del attributes["put"]
            else:
                attributes["put"] = before


class Put:
    """The `put` of a streamer during a call. The first thing that it is given is the prompt."""

    def __init__(self, put: Any, call: LocalCall) -> None:
        self._put = put
        self._run: Any = call.run
        self._prompt = True
        self._last: float | None = None

    def __call__(self, tokens: Any, *more: Any, **named: Any) -> Any:
        """Note that tokens came, and give them to the streamer."""
        try:
            self._note()
        except Exception as error:  # nothing of ours reaches the user's call
            if interrupted(error):
                raise
            self._run.series.store.failed("instrument", name_of_type(type(error)))
        return self._put(tokens, *more, **named)

    def _note(self) -> None:
        if self._prompt:
            self._prompt = False
        elif not self._run.over:
            if self._last is None:
                self._run.record_chunks()
            self._last = self._run.timed(ANSWER, self._last)
