"""The built wheel, installed into an environment of its own, away from the sources."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INSPECT = """
import importlib.metadata, importlib.resources, sys
import mlmetrics
assert mlmetrics.__file__.startswith(sys.prefix), mlmetrics.__file__
for name in mlmetrics.__all__:
    getattr(mlmetrics, name)
print(importlib.metadata.metadata("mlmetrics-toolkit")["Name"])
print(importlib.resources.files("mlmetrics").joinpath("py.typed").is_file())
"""


def run(*command: str | Path, cwd: Path) -> str:
    """Run `command`, and return what it printed; fail with its errors where it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from the source distribution, as a release does."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel with its base dependencies only, and return the interpreter that has it."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    options = ("--quiet", "--disable-pip-version-check", "--constraint", ROOT / "constraints.txt")
    run(python, "-m", "pip", "install", *options, wheel, cwd=folder)
    return python


class TestWheel:
    """The wheel of `mlmetrics-toolkit`."""

    def test_holds_the_package_and_nothing_beside_it(self, wheel: Path) -> None:
        """No test, example or script is installed next to the package."""
        with zipfile.ZipFile(wheel) as archive:
            top = {name.partition("/")[0] for name in archive.namelist()}
        assert {"mlmetrics", wheel.name.partition("-py3")[0] + ".dist-info"} == top

    def test_holds_the_rendered_configuration(self, wheel: Path) -> None:
        """The configuration for Prometheus and Grafana is inside the package, file by file."""
        folders = (ROOT / "prometheus", ROOT / "grafana")
        rendered = [path.relative_to(ROOT) for folder in folders for path in folder.rglob("*") if path.is_file()]
        with zipfile.ZipFile(wheel) as archive:
            held = set(archive.namelist())
        assert not [path for path in rendered if f"mlmetrics/monitoring/{path}" not in held]

    def test_works_without_extras(self, python: Path) -> None:
        """With the base dependencies alone every public name is there, and the package says that it is typed."""
        assert ["mlmetrics-toolkit", "True"] == run(python, "-c", INSPECT, cwd=python.parent).split()

    def test_brings_in_no_framework(self, python: Path) -> None:
        """Neither FastAPI nor pydantic is installed or imported by the base package."""
        code = "import mlmetrics, sys; print(*sorted({'fastapi', 'pydantic', 'starlette'} & set(sys.modules)))"
        assert "" == run(python, "-c", code, cwd=python.parent).strip()
        installed = run(python, "-m", "pip", "list", "--format", "freeze", cwd=python.parent).lower()
        assert not [name for name in ("fastapi", "pydantic", "starlette") if f"{name}==" in installed]
