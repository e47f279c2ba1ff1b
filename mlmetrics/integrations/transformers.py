"""transformers: pipelines and `generate`; a text-generation pipeline calls `generate`, which is a part of its call.

A pipeline that is given a generator or a dataset returns an iterator that runs the model as it is read. The call is
then one reading of it; the iterator stays the object that it is.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from mlmetrics.calls.measures import record_classes, record_score
from mlmetrics.calls.recorder import Recorder
from mlmetrics.errors import name_of_type
from mlmetrics.handle import Instrumentation
from mlmetrics.integrations.generation import generating
from mlmetrics.integrations.layers import within
from mlmetrics.integrations.local import LocalCall, begin, model_name, running, safely
from mlmetrics.integrations.patches import SDK, Patch, Patching

TRANSFORMERS = SDK("transformers", "transformers", "transformers", lowest=(4, 41), below=(6,))
CLASSIFYING = ("audio-classification", "image-classification", "text-classification", "video-classification")
"""Tasks whose results have classes of the model, and scores."""
ZERO_SHOT = ("zero-shot-audio-classification", "zero-shot-classification", "zero-shot-image-classification")
"""Tasks whose classes are those that a request names, so that they are no label."""


def instrument(recorder: Recorder) -> Instrumentation:
    """Record every call of the library; see `instrument_transformers`."""
    TRANSFORMERS.check("instrument_transformers")
    pipelines = Pipelines(recorder)
    return Patching(
        TRANSFORMERS,
        [
            Patch("transformers.pipelines.base", "Pipeline.__call__", pipelines.called),
            Patch("transformers.pipelines.pt_utils", "PipelineIterator.__iter__", pipelines.iterated),
            Patch("transformers.pipelines.pt_utils", "PipelineIterator.__next__", pipelines.step),
            Patch("transformers.generation.utils", "GenerationMixin.generate", partial(generating, recorder)),
        ],
        recorder.store.failed,
    ).apply()


class Reading:
    """The readings of a lazy result: each is a call, from its first step to its end."""

    def __init__(self, start: Callable[[], LocalCall | None], task: str) -> None:
        self._start = start
        self._task = task
        self._call: LocalCall | None = None
        self._items = 0
        self._ended = True

    def begin(self) -> None:
        """Read from the beginning; what was read before and not to its end was left."""
        if self._call is not None:
            self._call.run.leave()
        self._call, self._ended = None, False

    def step(self, wrapped: Any, args: tuple[Any, ...], kwargs: dict[str, Any], recorder: Recorder) -> Any:
        """Read the next item."""
        if self._call is None and not self._ended:
            self._call, self._items = self._start(), 0
        call = self._call
        if call is None:
            return wrapped(*args, **kwargs)
        try:
            with within(call):
                item = wrapped(*args, **kwargs)
        except StopIteration:
            self._call, self._ended = None, True
            call.batch(self._items)
            call.run.end()
            raise
        except BaseException as error:
            self._call = None  # whoever goes on reading begins another call
            call.raised(error)
            raise
        self._items += 1
        safely(recorder, classify, call, self._task, [item])
        return item


class Pipelines:
    """The calls of pipelines, and the lazy results that they have returned."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._readings: WeakKeyDictionary[Any, Reading] = WeakKeyDictionary()

    def called(self, wrapped: Any, pipeline: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a pipeline."""
        recorder = self._recorder
        task = str(getattr(pipeline, "task", "") or name_of_type(type(pipeline)))
        model = getattr(pipeline, "model", None)
        start = partial(begin, recorder, safely(recorder, model_name, model) or "unknown", task)
        call = start()
        if call is None:
            return wrapped(*args, **kwargs)
        inputs: Any = args[0] if args else kwargs.get("inputs")
        result = running(wrapped, args, kwargs, call)
        if any(base.__name__ == "PipelineIterator" for base in type(result).__mro__):
            call.forget()
            self._readings[result] = Reading(start, task)
            return result
        several = isinstance(inputs, list) and not is_chat(inputs)
        call.batch(len(inputs) if several else 1)
        safely(recorder, classify, call, task, result if several else [result])
        call.returned(result)
        return result

    def iterated(self, wrapped: Any, iterator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Begin to read a lazy result."""
        reading = self._readings.get(iterator)
        if reading is not None:
            reading.begin()
        return wrapped(*args, **kwargs)

    def step(self, wrapped: Any, iterator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Read the next item of a lazy result."""
        reading = self._readings.get(iterator)
        if reading is None:
            return wrapped(*args, **kwargs)
        return reading.step(wrapped, args, kwargs, self._recorder)


def is_chat(inputs: Sequence[Any]) -> bool:
    """Whether a list is one chat, whose items are its messages."""
    return bool(inputs) and isinstance(inputs[0], Mapping) and "role" in inputs[0]


def classify(call: LocalCall, task: str, results: Sequence[Any]) -> None:
    """Record the best class of each result, and its score, unless the call is a part of another one."""
    if call.outer is not None or task not in CLASSIFYING + ZERO_SHOT:
        return
    for result in results:
        best = best_of(result)
        if best is not None:
            predicted, score = best
            record_score(call.run.series, score)
            if task in CLASSIFYING:
                record_classes(call.run.series, predicted)


def best_of(result: Any) -> tuple[object, Any] | None:
    """Return the class with the highest score; None if a result has none."""
    if isinstance(result, Mapping) and "scores" in result:
        return max(zip(result["labels"], result["scores"], strict=True), key=lambda pair: pair[1], default=None)
    each = [result] if isinstance(result, Mapping) else result
    return max(((one["label"], one["score"]) for one in each), key=lambda pair: pair[1], default=None)
