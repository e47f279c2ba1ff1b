"""Runs in the environment of autometrics: measures its decorator and the floor, and prints the times as JSON."""

import json
import sys

from autometrics import autometrics, init
from prometheus_client import REGISTRY

from benchmarks.floor import calling, floor_sides, noop
from benchmarks.timing import Side, interleave


def recorded() -> float:
    """Return the number of calls of `noop` that autometrics has counted."""
    return sum(
        sample.value
        for family in REGISTRY.collect()
        for sample in family.samples
        if sample.name == "function_calls_total"
        and sample.labels["function"] == noop.__qualname__
        and sample.labels["result"] == "ok"
    )


def main(rounds: int) -> None:
    """Measure and print."""
    init(tracker="prometheus", service_name="benchmark")
    theirs = Side("autometrics", calling(autometrics(noop)), recorded)
    json.dump(interleave([*floor_sides(), theirs], rounds), sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]))
