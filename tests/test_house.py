"""The rules of the house that no linter knows: what is exported, imported, long, or told to users."""

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
BENEATH_ALL = {"catalog", "errors", "interruption", "version"}
"""The modules that the runtime and monitoring share."""
REFUSED = {
    "the plain name, another project's": re.compile(r"pip install (?:-\S+ )*['\"]?mlmetrics(?!-toolkit)\b"),
    "a release that no registry has": re.compile(
        r"pip install (?:-\S+ )*['\"]?mlmetrics-toolkit\b(?!(?:\[[\w,]*\])? @ file:)"
    ),
    "a path of one machine": re.compile(r"(?<![\w.~])/(?:work|root|home/\w+|tmp/w)/"),
    "a package registry": re.compile(
        r"\b(?:py(?:pi|thonhosted)|(?:registry\.)?npm(?:js)|deb\.(?:debian))\.(?:org|com)\b|--(?:extra-)?index-url|/simpl[e]/"
    ),
}


def files(folder: Path = ROOT) -> Iterator[Path]:
    """Yield the files of the repository, without what commands leave behind."""
    for path in sorted(folder.iterdir()):
        if path.name in NOT_OURS or (path.name.startswith(".") and path.name not in SHOWN):
            continue
        yield from files(path) if path.is_dir() else (path,)


def text_of(path: Path) -> str:
    """Return the text of `path`, empty where it is no text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def test_exports() -> None:
    """Every name that the package exports is there, and the list is sorted and free of doubles."""
    package = importlib.import_module("mlmetrics")
    assert sorted(set(package.__all__)) == list(package.__all__)
    assert not [name for name in package.__all__ if not hasattr(package, name)]


def test_imports_nothing_but_its_base_dependencies() -> None:
    """What records loads the standard library and the base dependencies, no framework and no SDK."""
    done = subprocess.run([sys.executable, "-c", IMPORTED], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"mlmetrics"} == set(json.loads(done.stdout)) - sys.stdlib_module_names


def rooms_loaded(code: str) -> set[str]:
    """Return the rooms of the package that a new process has loaded after running `code`."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED.replace("CODE", code)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {name.split(".")[1] for name in json.loads(done.stdout)}


def test_the_package_loads_nothing_before_it_is_asked() -> None:
    """`import mlmetrics` alone loads the version, no more; and knows its public names all the same."""
    assert {"version"} == rooms_loaded("import mlmetrics\nassert set(mlmetrics.__all__) <= set(dir(mlmetrics))")


@pytest.mark.parametrize("room", ["cli", "monitoring"])
def test_rendering_loads_nothing_of_the_runtime(room: str) -> None:
    """Whoever renders rules, by the command line or not, loads no module that records."""
    assert {room} < rooms_loaded(f"everything_in('mlmetrics.{room}')") <= {*BENEATH_ALL, "cli", "monitoring"}


def test_a_service_loads_nothing_of_monitoring() -> None:
    """Whoever takes all that records from the package loads no module of monitoring or of the command line."""
    code = """
import mlmetrics
for name in mlmetrics.__all__:
    if name != "export_baseline":
        getattr(mlmetrics, name)
for room in ("calls", "http", "recording"):
    everything_in(f"mlmetrics.{room}")
"""
    loaded = rooms_loaded(code)
    assert {"calls", "http", "recording", "toolkit"} < loaded
    assert set() == loaded & {"cli", "monitoring"}


def test_exposition_loads_nothing_of_http() -> None:
    """Text is written without a server: for a push, or for whoever shows the numbers otherwise."""
    loaded = rooms_loaded("everything_in('mlmetrics.exposition')")
    assert {"exposition", "recording"} < loaded <= {*BENEATH_ALL, "exposition", "recording", "logs", "exemplars"}


def test_exports_are_kept() -> None:
    """A public name is looked up once; after that the package has it like any other."""
    package = importlib.import_module("mlmetrics")
    missing = [name for name in package.__all__ if getattr(package, name) is not vars(package).get(name)]
    assert [] == missing


def test_unknown_names_are_refused() -> None:
    """A name that the package does not have is an AttributeError that says so, as of any module."""
    with pytest.raises(AttributeError, match="module 'mlmetrics' has no attribute 'track_everything'"):
        _ = importlib.import_module("mlmetrics").track_everything


@pytest.mark.parametrize("name", ["track_inference", "PrometheusMiddleware", "configure"])
def test_exports_are_pickled(name: str) -> None:
    """A public name goes to a process that has not loaded it, and is there what it is here."""
    sent = pickle.dumps(getattr(importlib.import_module("mlmetrics"), name))
    code = f"import pickle; print(pickle.loads({sent!r}).__name__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert name == done.stdout.strip()


def test_import_contracts() -> None:
    """Imports between the rooms run one way, as the contracts in pyproject.toml say."""
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_modules_are_short() -> None:
    """No module of the package has outgrown its room."""
    lengths = {path: len(text_of(path).splitlines()) for path in (ROOT / "mlmetrics").rglob("*.py")}
    assert ROOT / "mlmetrics" / "toolkit.py" in lengths
    assert not {str(path): length for path, length in lengths.items() if length > LONGEST_MODULE}


def test_modules_say_what_they_own() -> None:
    """Every module of the package opens with a docstring."""
    silent = [path for path in (ROOT / "mlmetrics").rglob("*.py") if not text_of(path).startswith('"""')]
    assert not silent


@pytest.mark.parametrize("what", REFUSED)
def test_tells_nothing_that_is_wrong_elsewhere(what: str) -> None:
    """No file names what holds on one machine only, or sends users to another project."""
    found = {path: REFUSED[what].search(text_of(path)) for path in files()}
    assert not {str(path.relative_to(ROOT)): match[0] for path, match in found.items() if match}


def test_constraints_pin_versions_only() -> None:
    """Every line of the constraints is an exact version, without an address."""
    lines = [line for line in text_of(ROOT / "constraints.txt").splitlines() if not line.startswith("#")]
    assert lines
    assert not [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.!+]+", line)]
