"""Mutation testing of the recording core: how many of 100 random changes to it do the tests notice?

`python -m tests.mutants` changes one place at a time in copies of the repository, runs the tests of
the core there, and prints the changes that no test noticed. Cosmic Ray makes the changes; one
operator is added to its own, which removes a statement that only calls something.
"""

import argparse
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cosmic_ray.plugins
from cosmic_ray.ast import ast_nodes, get_ast_from_path
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.operators.operator import Operator
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkResult
from parso import parse
from parso.python.tree import ExprStmt, PythonNode

ROOT = Path(__file__).parents[1]
ROOMS = ("recording", "calls", "http", "exposition")
TESTS = ("recording", "calls", "http", "exposition", "contract", "test_toolkit.py", "test_logs.py", "test_exemplars.py")
TIMEOUT_SECONDS = 300.0
# `X | None` in annotations is not an operation on numbers, `*args` is not a multiplication, and
# decorators here are mostly `property`.
UNSUITABLE = ("core/ReplaceBinaryOperator_BitOr_", "core/ReplaceBinaryOperator_Mul_", "core/RemoveDecorator")


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
    for name in cosmic_ray.plugins.operator_names():
        kind = cosmic_ray.plugins.get_operator(name)
        if name.startswith(UNSUITABLE) or kind.arguments():
            continue
        places = (place for node in ast_nodes(tree) for place in kind().mutation_positions(node))
        for occurrence, (start, end) in enumerate(places):
            yield MutationSpec(module, name, occurrence, start, end)


def modules() -> list[Path]:
    """Return the modules of the core, by their paths relative to the repository."""
    found = (path for room in ROOMS for path in (ROOT / "mlmetrics" / room).glob("*.py"))
    return sorted(path.relative_to(ROOT) for path in found)


def enter_copy() -> None:
    """Copy what is under version control into a folder of this process, and work there."""
    folder = Path(tempfile.mkdtemp(prefix="mlmetrics-mutants-"))
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    os.chdir(folder)
    os.environ["PYTHONPATH"] = str(folder)


def judge(mutation: MutationSpec | None) -> WorkResult:
    """Run the tests on one mutation in this process's copy; without one, check that they pass on the unchanged code."""
    tests = [str(path) for name in TESTS if (path := Path("tests", name)).exists()]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    return mutate_and_test([] if mutation is None else [mutation], shlex.join(command), TIMEOUT_SECONDS)


def survivors(mutations: Iterable[MutationSpec], jobs: int) -> Iterator[tuple[MutationSpec, WorkResult]]:
    """Yield the mutations that no test noticed, as they are found."""
    with ProcessPoolExecutor(jobs, get_context("spawn"), enter_copy) as pool:
        if pool.submit(judge, None).result().test_outcome != TestOutcome.SURVIVED:
            sys.exit("The tests fail on the code as it stands; mend that first.")
        chosen = list(mutations)
        for done, (mutation, result) in enumerate(zip(chosen, pool.map(judge, chosen), strict=True), 1):
            if result.test_outcome == TestOutcome.SURVIVED:
                yield mutation, result
            sys.stderr.write(f"\r{done} of {len(chosen)}")


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
    survived = list(survivors(sample, options.jobs))
    for mutation, result in survived:
        sys.stdout.write(f"\n{mutation.operator_name}, line {mutation.start_pos[0]}\n{result.diff}\n")
    sys.stdout.write(f"\n{len(survived)} of {len(sample)} mutants survived ({len(every)} in all)\n")
    sys.exit(1 if survived else 0)


if __name__ == "__main__":
    main()
