"""Modules of PyTorch that are watched in place: each forward, outside of training, is an inference.

A module calls what stands in its `_compiled_call_impl`, where `Module.compile` puts the compiled forward. PyTorch
leaves that out of copies and of what is pickled, so they are plain, and hooks would cost twice as much.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import FunctionType
from typing import Any
from weakref import ref

from mlmetrics.calls.operation import CallSeries
from mlmetrics.calls.outcome import raised, slow_path
from mlmetrics.errors import DeclarationError, name_of_type
from mlmetrics.integrations.patches import Undo
from mlmetrics.integrations.watch import Watch
from mlmetrics.interruption import Tolerating, interrupted
from mlmetrics.recording.series import BOUND

PLACE = "_compiled_call_impl"
NOTHING = object()


class Forward(partial[Any]):
    """What a watched module calls; wherever it is copied or pickled all the same, a copy has None in its place."""

    __slots__ = ()
    __class__ = property(lambda _self: FunctionType)  # so that TorchScript leaves it out

    def __reduce__(self) -> tuple[Any, ...]:
        return type(None), ()

    def __deepcopy__(self, _known: object) -> None:
        return None


def watch(module: Any, told: Watch) -> Undo:
    """Record every forward of a module that is not training; return what ends that.

    Raises:
        DeclarationError: it is no module, such as an exported program.
    """
    torch = sys.modules["torch"]
    if not isinstance(module, torch.nn.Module):
        raise DeclarationError(
            f"watch({name_of_type(type(module))}): expected a torch.nn.Module; of an exported program, watch what its "
            "`module()` returns"
        )
    before = vars(module).get(PLACE)
    call = module._call_impl if before is None else before  # noqa: SLF001 (as `Module.__call__` does)
    forward = Forward(recorded(module, call, told.series("forward"), torch))
    vars(module)[PLACE] = forward  # not by `setattr`, which a compiled module hands on to the one inside of it
    return partial(unwatch, ref(module), forward, before)


def unwatch(found: "ref[Any]", forward: Forward, before: Any) -> None:
    """Put back what a module called before, unless something else stands there by now."""
    module = found()
    if module is not None and vars(module).get(PLACE) is forward:
        if before is None:
            del vars(module)[PLACE]
        else:
            vars(module)[PLACE] = before


def recorded(module: Any, call: Callable[..., Any], series: CallSeries, torch: Any) -> Callable[..., Any]:  # noqa: C901 (see below)
    """Return what calls a module, and records that.

    All in one function, because each call of another one would cost a third of what is allowed.
    """
    clock, begin, succeed, started = series.clock, series.begin, series.succeed, series.started
    batches = series.histogram(f"{series.operation.prefix}_batch_size")
    record_rows, in_training = batches.record, torch.is_grad_enabled
    length = torch._C.TensorBase.__len__  # noqa: SLF001 (that of `torch.Tensor` costs more than all of this)

    def forward(first: Any = NOTHING, /, *rest: Any, **kwargs: Any) -> Any:
        if module.training and in_training():
            return call(*given(first, rest), **kwargs)
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
        start = clock()
        try:
            begin(None)
            others = rest or kwargs or first is NOTHING
            result = call(*given(first, rest), **kwargs) if others else call(first)
            seconds = clock() - start
        except BaseException as error:
            try:
                raised(series, error, clock() - start)
            except RecursionError:  # no room on the stack for one call more
                series.fail(clock() - start)
            raise
        succeed(seconds)
        if seconds > series.notice_seconds or len(started) > BOUND:
            slow_path(series, seconds)
            if len(batches.pending) > BOUND:
                series.store.fold(batches)
        return result

    def compiled(*args: Any, **kwargs: Any) -> Any:
        return call(*args, **kwargs)

    leave_to_python(forward, compiled, torch)
    return forward


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


def leave_to_python(forward: Any, compiled: Any, torch: Any) -> None:
    """Have `torch.compile` run a function as it is, and compile what it calls; where it must not, use the other one.

    The compiler is not imported for that, which takes seconds.
    """
    forward._torchdynamo_inline = compiled  # noqa: SLF001 (what the compiler looks for)
    with Tolerating(AttributeError, TypeError):  # these names are private ones
        compiler = torch._C._dynamo.eval_frame  # noqa: SLF001 (there is no public way without the import)
        action = compiler._FrameAction  # noqa: SLF001 (as above)
        strategy = compiler._FrameExecStrategy(action.SKIP, action.DEFAULT)  # noqa: SLF001 (as above)
        compiler.set_code_exec_strategy(forward.__code__, strategy)
