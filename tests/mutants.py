"""Mutation testing of the recording core: how many of 100 random changes to it do the tests notice?

`python -m tests.mutants` changes one place at a time in copies of the repository, runs the tests of
the core there, and prints the changes that no test noticed. Cosmic Ray makes the changes; one
operator is added to its own, which removes a statement that only calls something. The tests nearest
to the changed module run first, so that most changes are noticed within seconds.
"""

import argparse
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from time import monotonic
from typing import Any

import cosmic_ray.plugins
from cosmic_ray.ast import ast_nodes, get_ast_from_path
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.operators.operator import Operator
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkResult
from parso import parse
from parso.python.tree import ExprStmt, PythonNode

from tests.conftest import SLOW

ROOT = Path(__file__).parents[1]
ROOMS = ("recording", "calls", "http", "exposition")
TESTS = ("recording", "calls", "http", "exposition", "contract", "test_toolkit.py", "test_logs.py", "test_exemplars.py")
# Where the tests of a room stand; decorated calls are tested by their contract above all.
NEAREST = {"calls": ("contract", "calls")}
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
FIRST_LIMIT_SECONDS = 1800.0  # on the code as it stands; what that takes is the measure for the mutants
PATIENCE = 3  # a machine that is that much busier than at first ends no run early
UNSUITABLE = re.compile(
    # `X | None` in annotations is no operation on numbers, the stars of `*args` and `**kwargs` are no
    # multiplication and no power, and decorators here are mostly `property`.
    "core/(ReplaceBinaryOperator_(BitOr|Mul|Pow)_|RemoveDecorator"
    # None has no order, and floats and texts have no bits: every test that comes by notices such an error.
    r"|ReplaceComparisonOperator_Is(Not)?_[LG]|ReplaceBinaryOperator_\w+_(LShift|RShift|Bit\w+)$)"
)


class RemoveCall(Operator):  # type: ignore[misc]  # Cosmic Ray has no types
    """Replace a statement that only calls something, such as `run.leave()`, by `pass`."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[Any, Any]]:
        """Yield the positions of such statements."""
        if is_call_statement(node):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """Return the statement that takes its place."""
        del index  # one mutation for each statement
        return parse(f"{node.get_first_leaf().prefix}pass")

    @classmethod
    def examples(cls) -> tuple[()]:
        """Return no examples; only the tests of Cosmic Ray need them."""
        return ()


class Provider(dict[str, type[Operator]]):
    """The added operator, in the form in which Cosmic Ray finds operators."""


cosmic_ray.plugins.OPERATOR_PROVIDERS["mlmetrics"] = Provider(RemoveCall=RemoveCall)


def is_call_statement(node: Any) -> bool:
    """Return whether a node is a statement that consists of a call."""
    call = node.children[-1] if isinstance(node, PythonNode) and node.type in ("atom_expr", "await") else None
    alone = node.parent is not None and node.parent.type == "simple_stmt" and not isinstance(node, ExprStmt)
    return alone and call is not None and call.type == "trailer" and call.children[0].value == "("


def mutations_of(module: Path) -> Iterator[MutationSpec]:
    """Return every mutation of a module, by its path relative to the repository."""
    tree = get_ast_from_path(ROOT / module)
    lines = (ROOT / module).read_text(encoding="utf-8").splitlines()
    for name in cosmic_ray.plugins.operator_names():
        kind = cosmic_ray.plugins.get_operator(name)
        if UNSUITABLE.match(name) or kind.arguments():
            continue
        places = (place for node in ast_nodes(tree) for place in kind().mutation_positions(node))
        for occurrence, (start, end) in enumerate(places):
            # `frozen` and `slots` forbid what nothing here does.
            if not lines[start[0] - 1].startswith("@dataclass("):
                yield MutationSpec(module, name, occurrence, start, end)


def modules() -> list[Path]:
    """Return the modules of the core, by their paths relative to the repository."""
    found = (path for room in ROOMS for path in (ROOT / "mlmetrics" / room).glob("*.py"))
    return sorted(path.relative_to(ROOT) for path in found)


def enter_copy(copies: str) -> None:
    """Copy what is under version control into a folder of this process, and work there."""
    folder = Path(tempfile.mkdtemp(dir=copies))
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    os.chdir(folder)
    os.environ["PYTHONPATH"] = str(folder)
    # Cosmic Ray lets its runs write no bytecode; what this leaves behind saves them seconds each.
    subprocess.run([*PYTEST, "--collect-only", *stages(None)[0]], capture_output=True, check=True)


def stages(module: Path | None) -> list[list[str]]:
    """Return the test modules in the order of the runs: those most likely to notice this mutation come first."""
    every = [
        path for name in TESTS for path in (sorted(Path("tests", name).rglob("test_*.py")) or [Path("tests", name)])
    ]
    slow = [path for path in every if any(path.is_relative_to(Path("tests", place)) for place in SLOW)]
    if module is None:
        return [[str(path) for path in every]]
    rooms = NEAREST.get(module.parent.name, (module.parent.name,))
    room = [path for path in every if path.parent.name in rooms and path not in slow]
    mirror = [path for path in room if path.name == f"test_{module.name}"]
    rest = [path for path in every if path not in (*room, *slow)]
    parts = (mirror, [path for path in room if path not in mirror], rest, slow)
    return [[str(path) for path in part] for part in parts if part]


def judge(mutation: MutationSpec | None, limit_seconds: float) -> WorkResult:
    """Run the tests on one mutation in this process's copy; on none, to see that they pass as the code stands."""
    mutations = [] if mutation is None else [mutation]
    # A test that takes as long as all of them hangs. A run may take several times as long: the machine may be busy.
    command = shlex.join([*PYTEST, "-x", f"--timeout={limit_seconds:.0f}"])
    for tests in stages(mutation and mutation.module_path):
        result = mutate_and_test(mutations, f"{command} {shlex.join(tests)}", PATIENCE * limit_seconds)
        if result.test_outcome != TestOutcome.SURVIVED:
            break
    return result


def judged(mutations: list[MutationSpec], jobs: int) -> Iterator[tuple[MutationSpec, WorkResult]]:
    """Each mutation with the result of the tests, as it is found."""
    with (
        tempfile.TemporaryDirectory(prefix="mlmetrics-mutants-") as copies,
        ProcessPoolExecutor(jobs, get_context("spawn"), enter_copy, (copies,)) as pool,
    ):
        pool.submit(stages, None).result()  # the copy is made before the tests are timed
        begun = monotonic()
        if pool.submit(judge, None, FIRST_LIMIT_SECONDS).result().test_outcome != TestOutcome.SURVIVED:
            sys.exit("The tests fail on the code as it stands; mend that first.")
        limit_seconds = monotonic() - begun
        sys.stdout.write(f"The tests pass on the code as it stands, in {limit_seconds:.0f} s\n")
        yield from zip(mutations, pool.map(judge, mutations, repeat(limit_seconds)), strict=True)


def main() -> None:
    """Run the command; the exit code is 1 if a mutation survived."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="how many mutations (100)")
    parser.add_argument("--seed", type=int, default=1, help="which ones: the same seed chooses the same (1)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at a time (one a core)")
    parser.add_argument("--only", default="", help="only modules whose path contains this text")
    options = parser.parse_args()
    every = [each for module in modules() if options.only in str(module) for each in mutations_of(module)]
    sample = random.Random(options.seed).sample(every, min(options.count, len(every)))  # noqa: S311 (a sample, no secret)
    survived = late = 0
    for done, (mutation, result) in enumerate(judged(sample, options.jobs), 1):
        if result.test_outcome == TestOutcome.SURVIVED:
            survived += 1
            sys.stdout.write(f"\n{mutation.operator_name}, line {mutation.start_pos[0]}\n{result.diff}\n")
        elif result.output == "timeout" or "Timeout (>" in result.output:
            late += 1
            sys.stdout.write(f"\nNoticed by the time limit:\n{result.diff}\n")
        sys.stdout.flush()
        sys.stderr.write(f"\r{done} of {len(sample)}")
    sys.stdout.write(
        f"\n{survived} of {len(sample)} mutants survived ({len(every)} in all), {late} ran into the time limit\n"
    )
    sys.exit(1 if survived else 0)


if __name__ == "__main__":
    main()
