"""Mutate every rendered rule, run the unit tests that are rendered for it, and report the mutants that survived.

`python -m tests.monitoring.mutation` mutates all rules; `--every 20` takes a sample of the mutants.
"""

import argparse
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import yaml

from mlmetrics.catalog import OPERATIONS
from mlmetrics.monitoring.loading import load
from mlmetrics.monitoring.operations import metrics_in_use
from mlmetrics.monitoring.prometheus import files as prometheus_files
from tests.monitoring.mutants import mutants, wait_mutants
from tests.monitoring.tools import PROMTOOL, only_alerts, run_tool

CONFIG = Path(__file__).parents[2] / "mlmetrics.toml"


@dataclass(frozen=True)
class Mutant:
    """A rule file with one rule changed, and what was changed."""

    file: str
    rule: str
    change: str
    document: dict[str, Any]
    tests: Mapping[str, str]


def all_mutants() -> Iterator[Mutant]:
    """Return every mutant of every rule of the repository's configuration, with all that mlmetrics can record."""
    config = replace(load(CONFIG), operations=OPERATIONS, metrics=metrics_in_use(OPERATIONS))
    tests = {Path(name).name: text for name, text in prometheus_files.test_files(config).items()}
    for name, text in sorted(prometheus_files.server_files(config).items()):
        if name.startswith("rules/"):
            yield from _of_file(Path(name).name, yaml.safe_load(text), tests)


def _of_file(file: str, document: dict[str, Any], tests: Mapping[str, str]) -> Iterator[Mutant]:
    for group_index, group in enumerate(document["groups"]):
        for index, rule in enumerate(group["rules"]):
            own = {name: tests[name] for name in sorted(tests) if fnmatch(name, _tests_of(file, group, rule))}
            for change, changed in _of_rule(rule):
                rules = [*group["rules"][:index], changed, *group["rules"][index + 1 :]]
                groups = list(document["groups"])
                groups[group_index] = {**group, "rules": rules}
                name = rule.get("alert") or f"{rule['record']}{rule.get('labels', '')}"
                mutated = {"groups": groups}
                # The tests look at no other alerts, nor at drift of other metrics, and to evaluate all takes longest.
                if "alert" in rule:
                    alerts = {each.get("alert", "") for each in rules}
                    mutated = only_alerts(mutated, {each for each in alerts if each.startswith(name)})
                elif file == "drift.yml":
                    mutated = {"groups": [groups[group_index]]}
                yield Mutant(file, name, change, mutated, own)


def _of_rule(rule: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for change, expression in mutants(rule["expr"]):
        yield change, {**rule, "expr": expression}
    yield from wait_mutants(rule)


def _tests_of(file: str, group: dict[str, Any], rule: dict[str, Any]) -> str:
    """Return the pattern of the unit tests that may notice a change in a rule."""
    name = file.removesuffix(".yml")
    if name == "alerts":
        return f"{rule['alert']}*.test.yml"
    if name == "fleet":
        return "fleet.test.yml"
    if name == "cost":
        return f"cost-{rule['record'].rpartition('increase')[2]}.test.yml"
    if name == "drift":
        return f"drift-{group['name'].split(': ')[1]}.test.yml"
    return f"{name}.{rule.get('labels', {}).get('short', 'ratios')}.test.yml"


def survives(mutant: Mutant) -> bool:
    """Tell whether all unit tests pass on a mutant."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {mutant.file: yaml.safe_dump(mutant.document), **mutant.tests}.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        code, _ = run_tool(PROMTOOL, "test", "rules", *mutant.tests, folder=Path(folder))
    return code == 0


def survivors(chosen: Iterable[Mutant], workers: int = 2) -> tuple[list[Mutant], Counter[str]]:
    """Return the mutants that no unit test noticed, and how many were tried by file."""
    chosen = list(chosen)
    with ThreadPoolExecutor(workers) as pool:
        alive = [mutant for mutant, lives in zip(chosen, pool.map(survives, chosen), strict=True) if lives]
    return alive, Counter(mutant.file for mutant in chosen)


def sample(every: int, seed: int = 4) -> list[Mutant]:
    """Return one mutant in `every`, the same ones in each run."""
    everything = list(all_mutants())
    return random.Random(seed).sample(everything, max(1, len(everything) // every))  # noqa: S311 - no secret


def main() -> int:
    """Print the score; exit 1 if a mutant survived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="take one mutant in so many")
    alive, tried = survivors(sample(parser.parse_args().every))
    for mutant in alive:
        sys.stdout.write(f"survived: {mutant.file} {mutant.rule}: {mutant.change}\n")
    for file, count in sorted(tried.items()):
        lost = sum(mutant.file == file for mutant in alive)
        sys.stdout.write(f"{file:45} {count - lost:5} of {count:5} noticed\n")
    total = tried.total()
    sys.stdout.write(f"{'score':45} {total - len(alive):5} of {total:5} = {1 - len(alive) / total:.1%}\n")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
