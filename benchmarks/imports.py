"""Measures the time of `import mlmetrics`, and of importing the three packages that it depends on."""

import json
import os
import subprocess
import sys
import tempfile
from itertools import repeat
from pathlib import Path

from benchmarks.results import Row, medians
from benchmarks.timing import NotTheSameError, ratio

ROOT = Path(__file__).parents[1]
STATEMENTS = {"ours": "import mlmetrics", "theirs": "import prometheus_client, structlog, wrapt"}
HEAVY = {"anthropic", "fastapi", "grafana_foundation_sdk", "openai", "opentelemetry", "pydantic", "starlette", "yaml"}
PROGRAM = """
import json, sys, time
sys.modules["rich"] = None  # which structlog loads where it is installed: that would hide what we add
start = time.process_time_ns()
{statement}
spent = time.process_time_ns() - start
print(json.dumps([spent, sorted({{name.partition(".")[0] for name, module in sys.modules.items() if module}})]))
"""


def measure_imports(rounds: int) -> list[Row]:
    """Measure both imports in new processes, one after the other."""
    times: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    with tempfile.TemporaryDirectory() as compiled:
        for name in STATEMENTS:
            _import(name, compiled)  # writes the compiled modules
        for _ in repeat(None, rounds):
            for name in STATEMENTS:
                times[name].append(_import(name, compiled))
    note = f"Not imported: {', '.join(sorted(HEAVY))}."
    return [Row("import/time", ratio(times["ours"], times["theirs"]), "ms", medians(**times), note)]


def _import(name: str, compiled: str) -> float:
    environ = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-c", PROGRAM.format(statement=STATEMENTS[name])]
    done = subprocess.run(  # noqa: S603 (our program)
        command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True
    )
    spent, modules = json.loads(done.stdout)
    if name == "ours" and (loaded := HEAVY.intersection(modules)):
        raise NotTheSameError(f"import mlmetrics loads {', '.join(sorted(loaded))}")
    return float(spent / 1e6)
