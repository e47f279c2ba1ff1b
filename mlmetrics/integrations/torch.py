"""Modules of PyTorch that are watched in place: each forward, outside of training, is an inference.

A module calls what stands in its `_compiled_call_impl`, where `Module.compile` puts the compiled forward. PyTorch
leaves that out of copies and of what is pickled, so they are plain, and hooks would cost twice as much.
"""

import sys
from collections.abc import Callable, Iterable
from functools import partial
from types import FunctionType
from typing import Any
from weakref import ref

from mlmetrics.errors import DeclarationError, name_of_type
from mlmetrics.handle import Undo
from mlmetrics.integrations.forwards import called_beside, recorded_forward
from mlmetrics.integrations.watch import Watch
from mlmetrics.interruption import Tolerating

PLACE = "_compiled_call_impl"


class Forward(partial[Any]):
    """What a watched module calls; wherever it is copied or pickled all the same, a copy has None in its place."""

    bare: Callable[..., Any]
    """What it calls itself; whoever watches the module again calls that too, and records alone."""
    before: Any
    """What the module called before."""
    over = False
    """Whether the watch has ended; another one may have come before that."""
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
    call = module._call_impl if before is None else getattr(before, "bare", before)  # noqa: SLF001 (as `__call__` does)
    series = told.series("forward")
    recorded = recorded_forward(module, call, series, torch)
    leave_to_python(recorded, bare(call), torch, called_beside(series))
    forward = Forward(recorded)
    forward.bare, forward.before = call, before
    vars(module)[PLACE] = forward  # not by `setattr`, which a compiled module hands on to the one inside of it
    return partial(unwatch, ref(module), forward)


def unwatch(found: "ref[Any]", forward: Forward) -> None:
    """Put back what a module called before, unless something else stands there by now."""
    forward.over = True
    module = found()
    if module is None or vars(module).get(PLACE) is not forward:
        return
    before = forward.before
    while type(before) is Forward and before.over:
        before = before.before
    if before is None:
        del vars(module)[PLACE]
    else:
        vars(module)[PLACE] = before


def bare(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that only calls another one, whatever that is."""

    def forward(*args: Any, **kwargs: Any) -> Any:
        return call(*args, **kwargs)

    return forward


def leave_to_python(forward: Any, compiled: Any, torch: Any, others: Iterable[Any]) -> None:
    """Have `torch.compile` run a function as it is, and compile what it calls; where it must not, use the other one.

    It leaves out the `others`, which are our own, with all that they call. The compiler is not imported for that, which
    takes seconds.
    """
    forward._torchdynamo_inline = compiled  # noqa: SLF001 (what the compiler looks for)
    with Tolerating(AttributeError, TypeError):  # these names are private ones
        compiler = torch._C._dynamo.eval_frame  # noqa: SLF001 (there is no public way without the import)
        action = compiler._FrameAction  # noqa: SLF001 (as above)
        strategy = compiler._FrameExecStrategy  # noqa: SLF001 (as above)
        compiler.set_code_exec_strategy(forward.__code__, strategy(action.SKIP, action.DEFAULT))
        for other in others:
            code = getattr(getattr(other, "__func__", other), "__code__", None)  # functions of C have none
            if code is not None:
                compiler.set_code_exec_strategy(code, strategy(action.SKIP, action.SKIP))
