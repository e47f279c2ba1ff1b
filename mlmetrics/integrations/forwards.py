"""What a watched torch module calls in place of its forward, and how many rows a call has."""

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mlmetrics.calls.operation import CallSeries
from mlmetrics.calls.outcome import raised, slow_path
from mlmetrics.errors import name_of_type
from mlmetrics.interruption import interrupted
from mlmetrics.recording.series import BOUND

NOTHING = object()
HOOKS = ("_backward_hooks", "_backward_pre_hooks", "_forward_hooks", "_forward_pre_hooks")
GLOBAL_HOOKS = tuple(f"_global{name}" for name in (HOOKS[1], HOOKS[0], *HOOKS[2:]))
ASKED = ("torch", "_C", "_get_tracing_state", "_slow_forward", "forward", *HOOKS, *GLOBAL_HOOKS, "set")
"""What `Module._call_impl` asks, in this order, before it calls the forward, and the first name that comes after."""


class State:
    """The state of a module that does not keep it in its own attributes, such as a compiled or a scripted one."""

    __slots__ = ("_module",)

    def __init__(self, module: Any) -> None:
        self._module = module

    def __getitem__(self, name: str) -> Any:
        return getattr(self._module, name)


def global_hooks(module: Any, call: Any, torch: Any) -> tuple[Any, ...]:
    """Return the hooks of all modules; what is true instead, if a forward is not known to do so."""
    known: Any = torch.nn.Module._call_impl  # noqa: SLF001 (what `Module.__call__` calls)
    is_plain = getattr(call, "__func__", None) is known and isinstance(vars(module).get("training"), bool)
    if is_plain and known.__code__.co_names[: len(ASKED)] == ASKED:
        return tuple(getattr(torch.nn.modules.module, name) for name in GLOBAL_HOOKS)
    return (True,) * len(GLOBAL_HOOKS)


def recorded_forward(module: Any, call: Callable[..., Any], series: CallSeries, torch: Any) -> Callable[..., Any]:  # noqa: C901 (see below)
    """Return what calls a module, and records that.

    All in one function, because each call of another one would cost a third of what is allowed. A module without hooks
    runs its forward here as `Module._call_impl` does, where that is known to: asking what that asks takes half as long,
    as its answers are at hand.
    """
    clock, begin, succeed, started = series.clock, series.begin, series.succeed, series.started
    batches = batch_sizes(series)
    record_rows, in_training = batches.record, torch.is_grad_enabled
    length = torch._C.TensorBase.__len__  # noqa: SLF001 (that of `torch.Tensor` costs more than all of this)
    tracing = torch._C._get_tracing_state  # noqa: SLF001 (as `_call_impl` does)
    state = vars(module) if "training" in vars(module) else State(module)
    backward, backward_before, after, before = global_hooks(module, call, torch)

    def forward(first: Any = NOTHING, /, *rest: Any, **kwargs: Any) -> Any:  # noqa: C901 (as above)
        if state["training"] and in_training():
            return call(*given(first, rest), **kwargs)
        start = clock()
        try:
            begin(None)
            if rest or kwargs or first is NOTHING:
                result = call(*given(first, rest), **kwargs)
            elif (
                backward
                or backward_before
                or after
                or before
                or tracing()
                or state["_backward_hooks"]
                or state["_backward_pre_hooks"]
                or state["_forward_hooks"]
                or state["_forward_pre_hooks"]
            ):
                result = call(first)
            else:
                result = module.forward(first)
            seconds = clock() - start
        except BaseException as error:
            try:
                raised(series, error, (now := clock()) - start, now)
            except RecursionError:  # no room on the stack for one call more
                series.fail(clock() - start)
            raise
        succeed(seconds)
        try:
            rows = length(first)
        except Exception as error:  # it is no tensor
            if interrupted(error):
                raise
            rows = 0
        if rows:
            record_rows(rows)
        else:
            record_first((first, *rest, *kwargs.values()), batches, series)
        if seconds > series.notice_seconds or len(started) > BOUND:
            slow_path(series, seconds, start + seconds)
            if len(batches.pending) > BOUND:
                series.store.fold(batches)
        return result

    return forward


def called_beside(series: CallSeries) -> Iterable[Any]:
    """Return what a recorded forward calls beside the module, which is no part of what may be compiled."""
    store, batches = series.store, batch_sizes(series)
    of_series = (series.clock, series.begin, series.succeed, series.fail, batches.record, store.fold)
    return (*of_series, given, interrupted, raised, record_first, slow_path)


def batch_sizes(series: CallSeries) -> Any:
    """Return the histogram of the rows of calls."""
    return series.histogram(f"{series.operation.prefix}_batch_size")


def given(first: Any, rest: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the arguments that were given by position."""
    return rest if first is NOTHING else (first, *rest)


def record_first(arguments: tuple[Any, ...], batches: Any, series: CallSeries) -> None:
    """Record the first dimension of the first tensor that has one: an argument, or within a list or a mapping."""
    tensor = sys.modules["torch"].Tensor
    try:
        every = (each for argument in arguments for each in within(argument))
        rows = next((each.shape[0] for each in every if isinstance(each, tensor) and each.ndim), None)
        if type(rows) is int:  # while a forward is traced, it is a symbol
            series.store.record(batches, rows)
    except Exception as error:  # any object may come, and tensors of any kind
        if interrupted(error):
            raise
        series.store.failed("batch", name_of_type(type(error)))


def within(given: Any) -> Iterable[Any]:
    """Return what is in an argument, or the argument itself."""
    if isinstance(given, Mapping):
        return given.values()
    return given if isinstance(given, list | tuple) else (given,)
