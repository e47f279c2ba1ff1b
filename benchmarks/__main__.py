"""Run the benchmarks, print the table of results, and write them as JSON."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import (
    answers,
    calls,
    failures,
    greedy,
    imports,
    live,
    memory,
    models,
    modules,
    numbers,
    pages,
    plain,
    requests,
    scrapes,
    served,
    telemetry,
    threads,
    websockets,
    workers,
)
from benchmarks.machine import describe
from benchmarks.results import TARGETS, Missing, Results, Row
from benchmarks.table import terminal
from benchmarks.timing import NotTheSameError

RESULTS = Path(__file__).with_name("results.json")
QUICK = 5
"""`--quick` divides the number of rounds by this."""
LEAST_ROUNDS = 3
Measure = Callable[[int], Sequence[Row | Missing]]

GROUPS: dict[str, tuple[Measure, int]] = {
    "call": (calls.measure_calls, 120),
    "autometrics": (calls.measure_autometrics, 60),
    "coroutine": (calls.measure_coroutines, 120),
    "label": (calls.measure_labels, 120),
    "timer": (calls.measure_timers, 120),
    "failure": (failures.measure_failures, 120),
    "plain": (plain.measure_plain, 60),
    "number": (numbers.measure_numbers, 30),
    "chunk": (calls.measure_chunks, 120),
    "async_chunk": (calls.measure_async_chunks, 120),
    "answer": (answers.measure_answers, 120),
    "watch": (models.measure_models, 120),
    "otel": (telemetry.measure_telemetry, 120),
    "forward": (modules.measure_modules, 120),
    "request": (requests.measure_requests, 40),
    "websocket": (websockets.measure_websockets, 120),
    "scrape": (scrapes.measure_scrapes, 9),
    "scrape_p99": (scrapes.measure_scrape_p99, 7),
    "threads": (threads.measure_threads, 31),
    "memory": (memory.measure_memory, 1),
    "page": (pages.measure_pages, 1),
    "import": (imports.measure_imports, 15),
    "served": (served.measure_served, 8),
    "greedy": (greedy.measure_greedy, 6),
    "workers": (workers.measure_workers, 120),
    "live": (live.measure_live, 450),
    "traced": (failures.measure_traced, 120),  # the last: from then on the program has a tracer
}
"""What is measured together, and in how many rounds."""


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options that the user gave."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", metavar="NAME", action="append", choices=GROUPS, help=", ".join(GROUPS))
    parser.add_argument("--rounds", type=int, help="rounds of every measurement")
    parser.add_argument("--quick", action="store_true", help=f"a {QUICK}th of the rounds")
    parser.add_argument("--json", type=Path, metavar="PATH", help="where to write (results.json after a full run)")
    return parser.parse_args(arguments)


def rounds_of(name: str, asked: argparse.Namespace) -> int:
    """Return the number of rounds of a group."""
    usual = GROUPS[name][1]
    if asked.rounds:
        return int(asked.rounds)
    return max(LEAST_ROUNDS, usual // QUICK) if asked.quick else usual


def measure(names: Sequence[str], asked: argparse.Namespace) -> Results:
    """Measure these groups; a failed check becomes a row of its own."""
    results = Results(describe())
    for name in names:
        sys.stderr.write(f"measuring {name}\n")
        try:
            found = GROUPS[name][0](rounds_of(name, asked))
        except NotTheSameError as problem:
            found = [Missing(row, str(problem), wrong=True) for row in TARGETS if row.startswith(f"{name}/")]
        for row in found:
            (results.rows if isinstance(row, Row) else results.missing).append(row)  # type: ignore[arg-type]  # by kind
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 1 if the sides of a comparison did not record the same."""
    asked = options(arguments)
    results = measure(asked.only or list(GROUPS), asked)
    sys.stdout.write(terminal(results))
    whole = not (asked.only or asked.quick or asked.rounds)
    if path := asked.json or (RESULTS if whole else None):
        results.save(path)
    return int(any(missing.wrong for missing in results.missing))


if __name__ == "__main__":
    sys.exit(main())
