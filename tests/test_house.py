"""The rules of the house that no linter checks: exports, imports, lengths, errors, and what users are told."""

import ast
import importlib
import json
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONGEST_MODULE = 300
SHOWN = {".ci", ".github", ".gitignore"}
NOT_OURS = {"__pycache__", "build", "dist", "node_modules"}
IMPORTED = """
import json, sys
import prometheus_client, structlog, wrapt
before = set(sys.modules)
import mlmetrics
mlmetrics.MLMetrics
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""
LOADED = """
import json, pkgutil, sys
from importlib import import_module

def everything_in(package):
    for module in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
        if not module.name.endswith("__main__"):  # which runs the program
            import_module(module.name)

CODE
print(json.dumps([name for name in sys.modules if name.startswith("mlmetrics.")]))
"""
BENEATH_ALL = {"catalog", "errors", "interruption", "switch", "version"}
"""The modules that the runtime and monitoring share."""
REFUSED = {
    "the plain name, another project's": re.compile(r"pip install (?:-\S+ )*['\"]?mlmetrics(?!-toolkit)\b"),
    "a release that no registry has": re.compile(
        r"pip install (?:-\S+ )*['\"]?mlmetrics-toolkit\b(?!(?:\[[\w,]*\])? @ file:)"
    ),
    "a path of one machine": re.compile(r"(?<![\w.~])/(?:work|root|home/\w+|tmp/w)/"),
    "a package registry": re.compile(
        r"\b(?:py(?:pi|thonhosted)|(?:registry\.)?npm(?:js)|deb\.(?:debian))\.(?:org|com)\b|--(?:extra-)?index[-]url|[/]simple[/]"
    ),
}


def files(folder: Path = ROOT) -> Iterator[Path]:
    """Yield the files of the repository, without what commands leave behind."""
    for path in sorted(folder.iterdir()):
        if path.name in NOT_OURS or (path.name.startswith(".") and path.name not in SHOWN):
            continue
        yield from files(path) if path.is_dir() else (path,)


def text_of(path: Path) -> str:
    """Return the text of `path`, or an empty text if it is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def test_exports() -> None:
    """Every exported name exists, and the list is sorted and without duplicates."""
    package = importlib.import_module("mlmetrics")
    assert sorted(set(package.__all__)) == list(package.__all__)
    assert not [name for name in package.__all__ if not hasattr(package, name)]


def test_imports_nothing_but_its_base_dependencies() -> None:
    """The runtime loads the standard library and the base dependencies, no framework and no SDK."""
    done = subprocess.run([sys.executable, "-c", IMPORTED], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"mlmetrics"} == set(json.loads(done.stdout)) - sys.stdlib_module_names - {"prometheus_client"}


def test_records_without_file_locks() -> None:
    """Where there is no `fcntl`, as on Windows, one process records; with a directory for several, it says so."""
    code = """
import asyncio, os, sys
import prometheus_client, prometheus_client.multiprocess, structlog, wrapt
sys.platform = "win32"
sys.modules["fcntl"] = None
import mlmetrics
os.environ["PROMETHEUS_MULTIPROC_DIR"] = "."
mlmetrics.track_inference(model="m")(len)("")
print(prometheus_client.generate_latest().decode())
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert 'mlmetrics_recording_errors_total{where="workers"} 1.0' in done.stdout
    assert 'ml_inference_total{model="m",operation="",outcome="success",service="default"} 1.0' in done.stdout
    assert "Windows" in done.stderr


def rooms_loaded(code: str) -> set[str]:
    """Return the rooms of the package that a new process has loaded after running `code`."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED.replace("CODE", code)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {name.split(".")[1] for name in json.loads(done.stdout)}


def test_the_package_loads_nothing_before_it_is_asked() -> None:
    """`import mlmetrics` alone loads only the version, and `dir` still lists the public names."""
    assert {"version"} == rooms_loaded("import mlmetrics\nassert set(mlmetrics.__all__) <= set(dir(mlmetrics))")


@pytest.mark.parametrize(("room", "also"), [("cli", {"live", "workers"}), ("live", set()), ("monitoring", set())])
def test_rendering_loads_nothing_of_the_runtime(room: str, also: set[str]) -> None:
    """Rules, the command line and the live page load nothing that records; `run` asks who holds a file."""
    rooms = {*BENEATH_ALL, room, "monitoring", *also}
    assert {room} < rooms_loaded(f"everything_in('mlmetrics.{room}')") <= rooms


def test_a_service_loads_nothing_of_monitoring() -> None:
    """All public names of the runtime together load no module of monitoring or of the command line."""
    code = """
import mlmetrics
for name in mlmetrics.__all__:
    if name != "export_baseline":
        getattr(mlmetrics, name)
for room in ("calls", "http", "jobs", "recording"):
    everything_in(f"mlmetrics.{room}")
"""
    loaded = rooms_loaded(code)
    assert {"calls", "http", "jobs", "recording", "toolkit"} < loaded
    assert set() == loaded & {"cli", "monitoring"}


def test_exposition_loads_nothing_of_http() -> None:
    """The modules that write text load no server, because a push needs none."""
    loaded = rooms_loaded("everything_in('mlmetrics.exposition')")
    beneath = {*BENEATH_ALL, "exposition", "pricing", "recording", "workers", "logs", "exemplars", "switch"}
    assert {"exposition", "recording"} < loaded <= beneath


def test_exports_are_kept() -> None:
    """A public name that was looked up once is an ordinary attribute of the package."""
    package = importlib.import_module("mlmetrics")
    missing = [name for name in package.__all__ if getattr(package, name) is not vars(package).get(name)]
    assert [] == missing


def test_unknown_names_are_refused() -> None:
    """A name that the package does not have raises the usual AttributeError."""
    with pytest.raises(AttributeError, match="module 'mlmetrics' has no attribute 'track_everything'"):
        _ = importlib.import_module("mlmetrics").track_everything


@pytest.mark.parametrize("name", ["track_inference", "PrometheusMiddleware", "configure"])
def test_exports_are_pickled(name: str) -> None:
    """A pickled public name can be loaded in a process that has not loaded the name before."""
    sent = pickle.dumps(getattr(importlib.import_module("mlmetrics"), name))
    code = f"import pickle; print(pickle.loads({sent!r}).__name__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert name == done.stdout.strip()


def test_import_contracts() -> None:
    """Imports between the folders follow the contracts in pyproject.toml."""
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_modules_are_short() -> None:
    """No module of the package is longer than the limit."""
    lengths = {path: len(text_of(path).splitlines()) for path in (ROOT / "mlmetrics").rglob("*.py")}
    assert ROOT / "mlmetrics" / "toolkit.py" in lengths
    assert not {str(path): length for path, length in lengths.items() if length > LONGEST_MODULE}


def test_modules_say_what_they_own() -> None:
    """Every module of the package opens with a docstring."""
    silent = [path for path in (ROOT / "mlmetrics").rglob("*.py") if not text_of(path).startswith('"""')]
    assert not silent


def named_messages(code: str) -> list[int]:
    """Return the lines where an exception is raised with a text that was given a name before."""
    found = []
    for function in ast.walk(ast.parse(code)):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            nodes = list(ast.walk(function))
            texts = {
                name.id
                for node in nodes
                if isinstance(node, ast.Assign) and isinstance(node.value, ast.JoinedStr | ast.Constant)
                for name in node.targets
                if isinstance(name, ast.Name)
            }
            raised = [node.exc for node in nodes if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)]
            found += [
                call.lineno
                for call in raised
                for argument in call.args
                if isinstance(argument, ast.Name) and argument.id in texts
            ]
    return found


def test_named_messages_are_found() -> None:
    """A text that has a name before it is raised is found; a text inside the `raise` is not, nor another value."""
    code = """
def refuse(number, name):
    if number < 0:
        message = f"{number} is negative"
        raise ValueError(message)
    if number > 9:
        raise ValueError(f"{number} is more than 9")
    raise LookupError(name)
"""
    assert [5] == named_messages(code)


def test_messages_stand_inside_their_raise() -> None:
    """No code gives an error message a name and raises it afterwards: the message stands inside the `raise`."""
    found = {path: named_messages(text_of(path)) for path in files() if path.suffix == ".py"}
    assert found
    assert {} == {str(path.relative_to(ROOT)): lines for path, lines in found.items() if lines}


@pytest.mark.parametrize("what", REFUSED)
def test_tells_nothing_that_is_wrong_elsewhere(what: str) -> None:
    """No file contains a path of one machine, a package registry, or the name of another project's package."""
    found = {path: REFUSED[what].search(text_of(path)) for path in files()}
    assert not {str(path.relative_to(ROOT)): match[0] for path, match in found.items() if match}


def test_constraints_pin_versions_only() -> None:
    """Every line of the constraints is an exact version, without an address."""
    lines = [line for line in text_of(ROOT / "constraints.txt").splitlines() if not line.startswith("#")]
    assert lines
    assert not [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.!+]+", line)]
