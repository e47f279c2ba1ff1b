"""What a forward of a watched torch module costs, beside the bare one of the same module."""

from importlib import import_module
from importlib.util import find_spec
from itertools import repeat
from typing import Any

from benchmarks.floor import floor_sides
from benchmarks.ours import Toolkit
from benchmarks.results import Missing, Row, medians
from benchmarks.timing import Side, added, interleave, ratio

MODEL = "identity"


def measure_modules(rounds: int) -> list[Row | Missing]:
    """Measure it, if torch is installed."""
    if find_spec("torch") is None:
        return [Missing("forward/floor", "torch is not installed")]
    toolkit, bare, watched = Toolkit(), identity(), identity()
    batch = import_module("torch").zeros(8, 4)

    def forward(module: Any) -> Any:
        def run(units: int) -> None:
            for _ in repeat(None, units):
                module(batch)
            toolkit.fold()

        return run

    with toolkit.metrics.watch(watched, model=MODEL):
        bare_call, floor = floor_sides()
        ours = Side("ours", forward(watched), lambda: toolkit.calls(MODEL))
        times = interleave([Side("bare call", bare_call.run), floor, Side("bare", forward(bare)), ours], rounds)
    cost, least = added(times, "ours"), added(times, "floor", "bare call")
    return [Row("forward/floor", ratio(cost, least), "ns", medians(ours=cost, floor=least, bare=times["bare"]))]


def identity() -> Any:
    """Return a module that returns what it is given."""
    torch = import_module("torch")

    class Identity(torch.nn.Module):  # type: ignore[misc, name-defined]  # torch may be missing
        def forward(self, batch: Any) -> Any:
            return batch

    return Identity().eval()
