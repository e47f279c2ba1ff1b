"""Modules of PyTorch that are watched: eager, compiled, scripted and exported ones."""

import asyncio
import copy
import io
import pickle
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from mlmetrics.errors import DeclarationError
from tests.recorded import errors, in_progress, outcomes, value

ROWS = 3


class Net(torch.nn.Module):  # type: ignore[misc]  # where torch is not installed
    """A linear layer; it raises what it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 2)

    def forward(self, batch: torch.Tensor, scale: int = 1) -> torch.Tensor:
        """Return the batch through the layer."""
        return torch.relu(self.layer(batch)) * scale


class Stateful(Net):
    """A module that decides itself what is pickled: all that it has."""

    def __getstate__(self) -> dict[str, Any]:
        return dict(self.__dict__)


class Raising(torch.nn.Module):  # type: ignore[misc]  # as above
    """Raises an error."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Raise it."""
        raise self.error


def eager() -> Any:
    """Return a module as it is."""
    return Net().eval()


def compiled() -> Any:
    """Return what `torch.compile` makes of one; the backend compiles nothing, which needs no compiler of C."""
    return torch.compile(Net().eval(), backend="eager", fullgraph=True)


def compiled_in_place() -> Any:
    """Return one whose forward is compiled."""
    module = Net().eval()
    module.compile(backend="eager")
    return module


def scripted() -> Any:
    """Return what TorchScript makes of one."""
    return torch.jit.script(Net().eval())


def exported() -> Any:
    """Return the module of an exported program, which is always training."""
    return torch.export.export(Net().eval(), (batch(),)).module()


def batch(rows: int = ROWS) -> torch.Tensor:
    """Return a batch."""
    return torch.ones(rows, 4)


def pickled(module: Any) -> Any:
    """Return a pickled module."""
    return pickle.loads(pickle.dumps(module))  # noqa: S301 (it is ours)


def saved(module: Any) -> Any:
    """Return what `torch.load` reads of what `torch.save` has written."""
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


KINDS = (eager, compiled, compiled_in_place, scripted, exported)
kinds = pytest.mark.parametrize("make", KINDS)


@pytest.fixture(autouse=True)
def fresh_compiler() -> Iterator[None]:
    """Forget what was compiled in other tests."""
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def sizes(registry: CollectorRegistry) -> tuple[float, float]:
    """Return how many batch sizes were recorded, and their sum."""
    name = "ml_inference_batch_size"
    return value(registry, f"{name}_count"), value(registry, f"{name}_sum")


class TestForward:
    """Each forward of a watched module, outside of training, is an inference."""

    @kinds
    def test_counts_each_call(self, make: Callable[[], Any], metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """By position and by keyword, it counts once, with its rows and the result of the bare module."""
        module = make()
        with torch.inference_mode():
            expected = module(batch())
            metrics.watch(module, model="net")
            found = [module(batch()), module(batch()) if make is exported else module(batch=batch())]
        assert all(torch.equal(expected, each) for each in found)
        assert {"success": 2} == outcomes(registry, model="net")
        assert (2, 2 * ROWS) == sizes(registry)
        assert 0 == in_progress(registry)
        assert {} == errors(registry)

    @pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad, torch.enable_grad])
    def test_counts_in_each_mode(
        self, mode: Callable[[], AbstractContextManager[None]], metrics: MLMetrics, registry: CollectorRegistry
    ) -> None:
        """Whether gradients are kept does not matter to a module that is not training."""
        module = eager()
        with metrics.watch(module, model="net"), mode():
            module(batch())
        assert {"success": 1} == outcomes(registry)

    def test_leaves_out_training(self, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """A forward in training is no inference, unless gradients are off."""
        module = eager().train()
        metrics.watch(module, model="net")
        module(batch()).sum().backward()
        with torch.no_grad():
            module(batch())
        assert {"success": 1} == outcomes(registry)
        assert module.layer.weight.grad is not None

    @pytest.mark.parametrize(
        ("args", "kwargs", "expected"),
        [
            ((torch.ones(2, 4),), {}, (1, 2)),
            ((torch.ones(0, 4),), {}, (1, 0)),
            ((torch.nn.Parameter(torch.ones(5, 4)),), {}, (1, 5)),
            ((), {"ids": torch.ones(6, 1)}, (1, 6)),
            (({"ids": torch.ones(7, 1)},), {}, (1, 7)),
            (([torch.ones(8, 1), torch.ones(9, 1)],), {}, (1, 8)),
            ((torch.tensor(1.0), torch.ones(10, 1)), {}, (1, 10)),
            (("text", 3), {"mask": None}, (0, 0)),
            ((), {}, (0, 0)),
        ],
    )
    def test_finds_the_first_tensor(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        expected: tuple[float, float],
        metrics: MLMetrics,
        registry: CollectorRegistry,
    ) -> None:
        """The size is the first dimension of the first tensor that has one; without any, there is no size."""

        class Taking(torch.nn.Module):  # type: ignore[misc]  # as above
            def forward(self, *args: object, **kwargs: object) -> object:
                return args, kwargs

        module = Taking().eval()
        metrics.watch(module, model="net")
        assert (args, kwargs) == module(*args, **kwargs)
        assert {"success": 1} == outcomes(registry)
        assert expected == sizes(registry)
        assert {} == errors(registry)

    @pytest.mark.parametrize(
        ("error", "outcome"), [(ValueError("no"), "failure"), (asyncio.CancelledError(), "cancelled")]
    )
    def test_counts_what_raises(
        self, error: BaseException, outcome: str, metrics: MLMetrics, registry: CollectorRegistry
    ) -> None:
        """The error is the same object, raised from the same line, and the call has one outcome."""
        module = Raising(error).eval()
        metrics.watch(module, model="net")
        with pytest.raises(type(error)) as caught:
            module(batch())
        assert error is caught.value
        assert caught.value.__context__ is None
        assert "raise self.error" == traceback.extract_tb(caught.value.__traceback__)[-1].line
        assert {outcome: 1} == outcomes(registry)
        assert 0 == in_progress(registry)

    @kinds
    def test_counts_wrong_arguments(
        self, make: Callable[[], Any], metrics: MLMetrics, registry: CollectorRegistry
    ) -> None:
        """A batch of another width fails."""
        module = make()
        metrics.watch(module, model="net")
        with pytest.raises(Exception, match=r"."), torch.inference_mode():
            module(torch.ones(3, 5))
        assert {"failure": 1} == outcomes(registry)

    def test_folds_many_calls(self, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """Thousands of calls between two scrapes are all counted."""
        module = torch.nn.Identity().eval()
        metrics.watch(module, model="net")
        for _ in range(5000):
            module(batch())
        assert {"success": 5000} == outcomes(registry)
        assert (5000, 5000 * ROWS) == sizes(registry)

    def test_counts_each_watched_module(self, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """A watched module inside another one counts as itself."""
        module = eager()
        metrics.watch(module, model="outer")
        metrics.watch(module.layer, model="inner")
        module(batch())
        assert {"success": 1} == outcomes(registry, model="outer") == outcomes(registry, model="inner")


class TestWatched:
    """A watched module stays the object that it is, and its copies are plain."""

    @kinds
    def test_looks_the_same(self, make: Callable[[], Any], metrics: MLMetrics) -> None:
        """Its type, its text, its state and its attributes are those of the bare one."""
        module = make()
        before = (type(module), repr(module), list(module.state_dict()), {*dir(module)}, [*module.named_modules()])
        metrics.watch(module, model="net")
        module.note = "kept"
        assert "kept" == module.note
        del module.note
        after = (type(module), repr(module), list(module.state_dict()), {*dir(module)}, [*module.named_modules()])
        assert before == after

    @pytest.mark.parametrize("kind", [Net, Stateful])
    @pytest.mark.parametrize("copied", [copy.deepcopy, pickled, saved])
    def test_has_plain_copies(
        self, kind: type[Net], copied: Callable[[Any], Any], metrics: MLMetrics, registry: CollectorRegistry
    ) -> None:
        """A copy gives the same results, and is not counted."""
        module = kind().eval()
        metrics.watch(module, model="net")
        twin = copied(module)
        assert twin._compiled_call_impl is None
        assert torch.equal(twin(batch()), twin.forward(batch()))
        assert {} == outcomes(registry)
        torch.nn.init.zeros_(twin.layer.weight)
        torch.nn.init.ones_(twin.layer.bias)
        assert torch.equal(torch.ones(ROWS, 2), twin(batch()))

    @pytest.mark.parametrize("make", [compiled, scripted, exported])
    def test_has_plain_deep_copies(
        self, make: Callable[[], Any], metrics: MLMetrics, registry: CollectorRegistry
    ) -> None:
        """So do compiled, scripted and exported ones."""
        module = make()
        metrics.watch(module, model="net")
        with torch.inference_mode():
            copy.deepcopy(module)(batch())
        assert {} == outcomes(registry)

    def test_keeps_its_state(self, metrics: MLMetrics) -> None:
        """A state is loaded into it, and into a bare one, as ever."""
        module, bare = eager(), eager()
        metrics.watch(module, model="net")
        bare.load_state_dict(module.state_dict())
        module.load_state_dict(bare.state_dict())
        assert torch.equal(bare(batch()), module(batch()))

    def test_runs_its_hooks(self, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """Hooks run, whether they come before or after."""
        module, seen = eager(), list[str]()
        module.register_forward_pre_hook(lambda *_: seen.append("before"))
        metrics.watch(module, model="net")
        module.register_forward_hook(lambda *_: seen.append("after"))
        module(batch())
        assert ["before", "after"] == seen
        assert {"success": 1} == outcomes(registry)

    @pytest.mark.parametrize(
        "register",
        [
            lambda module, hook: module.register_forward_hook(hook),
            lambda module, hook: module.register_forward_pre_hook(hook),
            lambda module, hook: module.register_full_backward_hook(hook),
            lambda module, hook: module.register_full_backward_pre_hook(hook),
            lambda _, hook: torch.nn.modules.module.register_module_forward_hook(hook),
            lambda _, hook: torch.nn.modules.module.register_module_forward_pre_hook(hook),
            lambda _, hook: torch.nn.modules.module.register_module_full_backward_hook(hook),
            lambda _, hook: torch.nn.modules.module.register_module_full_backward_pre_hook(hook),
        ],
    )
    def test_runs_each_kind_of_hook(
        self, register: Callable[[Any, Callable[..., None]], Any], metrics: MLMetrics, registry: CollectorRegistry
    ) -> None:
        """Those of the module, and those of all modules, as without us."""

        def runs(module: Any) -> int:
            seen: list[str] = []
            with register(module, lambda *_: seen.append(type(module).__name__)):
                module(batch().requires_grad_()).sum().backward()
            module(batch())
            return len(seen)

        module = eager()
        expected = runs(module)
        metrics.watch(module, model="net")
        assert 0 < expected == runs(module)
        assert {"success": 2} == outcomes(registry)

    def test_runs_a_forward_of_the_object(self, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """A forward that the object is given later is the one that runs."""
        module = eager()
        metrics.watch(module, model="net")
        module.forward = lambda given: given * 0
        assert torch.equal(torch.zeros(ROWS, 4), module(batch()))
        assert {"success": 1} == outcomes(registry)

    @pytest.mark.parametrize("hooked", [False, True])
    def test_is_compiled_later(self, hooked: bool, metrics: MLMetrics, registry: CollectorRegistry) -> None:  # noqa: FBT001 (a case)
        """It can be compiled as one graph; alone it is counted, and as a part of another module it is not."""
        module = eager()
        metrics.watch(module, model="net")
        if hooked:
            module.register_forward_hook(lambda *_: None)
        torch.compile(module, backend="eager", fullgraph=not hooked)(batch())
        assert {"success": 1} == outcomes(registry)
        torch.compile(torch.nn.Sequential(module).eval(), backend="eager", fullgraph=True)(batch())
        assert {"success": 1} == outcomes(registry)

    def test_is_scripted_traced_and_exported(self, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """What is made of it is plain, and gives the same results."""
        module = eager()
        metrics.watch(module, model="net")
        made = [
            torch.jit.script(module),
            torch.jit.trace(module, batch()),
            torch.export.export(module, (batch(),)).module(),
        ]
        while_made = outcomes(registry)
        assert all(torch.equal(module.forward(batch()), each(batch())) for each in made)
        assert while_made == outcomes(registry)
        assert {} == errors(registry)

    @kinds
    def test_is_bare_in_the_end(self, make: Callable[[], Any], metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """After its handle is left, nothing of ours is in it."""
        module = make()
        before = dict(vars(module))
        with metrics.watch(module, model="net"):
            assert before != vars(module)
        assert before == vars(module)
        with torch.inference_mode():
            module(batch())
        assert {} == outcomes(registry)

    def test_is_recorded_by_its_newest_watch(self, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """One that is watched twice counts once, and then by its first watch again."""
        module = eager()
        metrics.watch(module, model="first")
        with metrics.watch(module, model="second"):
            module(batch())
        assert {} == outcomes(registry, model="first")
        module(batch())
        assert {"success": 1} == outcomes(registry, model="first") == outcomes(registry, model="second")

    def test_is_bare_after_its_watches_in_any_order(self, metrics: MLMetrics) -> None:
        """Watches may end in the order in which they began."""
        module = eager()
        before = dict(vars(module))
        watches = [metrics.watch(module, model=name) for name in ("first", "second", "third")]
        for each in watches:
            each.uninstrument()
        assert before == vars(module)

    def test_leaves_what_came_later(self, metrics: MLMetrics) -> None:
        """What somebody has put in its place since stays there."""
        module = eager()
        watching = metrics.watch(module, model="net")
        module.compile(backend="eager")
        later = module._compiled_call_impl
        watching.uninstrument()
        assert later is module._compiled_call_impl


class TestWatch:
    """What cannot be watched is refused."""

    @pytest.mark.parametrize(
        "refused",
        [
            lambda: torch.export.export(Net().eval(), (batch(),)),
            lambda: torch.jit.script(torch.nn.functional.relu),
            lambda: torch.ones(3),
        ],
    )
    def test_refuses_what_is_no_module(self, refused: Callable[[], Any], metrics: MLMetrics) -> None:
        """An exported program, a scripted function, a tensor: the error says what is expected."""
        with pytest.raises(DeclarationError, match=r"expected (a torch\.nn\.Module|one of)"):
            metrics.watch(refused(), model="net")
