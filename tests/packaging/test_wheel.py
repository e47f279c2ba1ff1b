"""The built wheel, installed into an environment of its own, away from the sources."""

import os
import re
import signal
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import httpx
import pytest

from tests.programs import find_program

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
RECORD = """
import mlmetrics, prometheus_client
labels = {"service": "default", "model": "m", "operation": "", "outcome": "success"}
stream = mlmetrics.track_inference(model="m")(lambda: map(str, [1, 2]))()
assert ["1", "2"] == list(stream)
print(prometheus_client.REGISTRY.get_sample_value("ml_inference_total", labels))
"""
COMMAND = re.compile(r"pip install '([^']+)'")


def run(*command: str | Path, cwd: Path) -> str:
    """Run `command`, and return what it printed; fail with its errors where it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from the source distribution, as a release does."""
    folder = tmp_path_factory.mktemp("checkout") / "dist"
    folder.mkdir()
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel with its base dependencies only, and return the interpreter that has it."""
    python = environment(tmp_path_factory.mktemp("installed"))
    install(python, wheel, constraints=ROOT / "constraints.txt")
    return python


def environment(folder: Path) -> Path:
    """Make an environment in a folder, and return its interpreter."""
    venv.create(folder / "venv", with_pip=True)
    return folder / "venv" / "bin" / "python"


def install(python: Path, what: str | Path, *, constraints: Path, cwd: Path = ROOT) -> None:
    """Install with pip, at the versions that a file says."""
    options = ("--quiet", "--disable-pip-version-check", "--no-compile", "--constraint", constraints)
    run(python, "-m", "pip", "install", *options, what, cwd=cwd)


class TestWheel:
    """The wheel of `mlmetrics-toolkit`."""

    def test_holds_the_package_and_nothing_beside_it(self, wheel: Path) -> None:
        """No test, example or script is installed with the package."""
        with zipfile.ZipFile(wheel) as archive:
            top = {name.partition("/")[0] for name in archive.namelist()}
        assert {"mlmetrics", wheel.name.partition("-py3")[0] + ".dist-info"} == top

    def test_holds_nothing_unread(self, wheel: Path) -> None:
        """Besides modules, the wheel contains only data that code or documentation uses."""
        with zipfile.ZipFile(wheel) as archive:
            names = [Path(name) for name in archive.namelist() if name.startswith("mlmetrics/")]
        data = {path for path in names if path.suffix != ".py" and path.name != "py.typed"}
        monitoring = Path("mlmetrics", "monitoring")
        schema = monitoring / "mlmetrics.schema.json"
        shipped = {monitoring / "shipped" / name for name in ("rules", "dashboards", "runbooks")}
        assert schema in data
        templates = {monitoring / "deploy" / "templates", monitoring / "runbooks" / "own"}
        page = Path("mlmetrics", "live", "static")
        assert {*templates, *shipped, page} == {path.parent for path in data - {schema}}

    @pytest.mark.parametrize("page", ["alerts.md", "dashboards.md"])
    def test_documented_way_to_the_rules(self, python: Path, tmp_path: Path, page: str) -> None:
        """The documented command copies rules that promtool accepts, dashboards and runbooks."""
        (command,) = re.findall(r"^cp -r .+$", (ROOT / "docs" / page).read_text(), re.MULTILINE)
        path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-c", command],  # noqa: S607 - a shell, as readers have it
            cwd=tmp_path,
            env={**os.environ, "PATH": path, "PYTHONPATH": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        assert 0 == done.returncode, done.stderr
        (copied,) = tmp_path.iterdir()
        rules = sorted((copied / "rules").glob("*.yml"))
        assert ["alerts.yml", "cost.yml", "drift.yml", "fleet.yml"] == [rule.name for rule in rules]
        run(find_program("promtool", package="prometheus"), "check", "rules", *rules, cwd=tmp_path)
        assert 5 == len(list((copied / "dashboards").glob("*.json")))
        named = set(re.findall(r"runbook_url: (\S+)", rules[0].read_text()))
        assert len(named) > 10
        assert not [runbook for runbook in named if not (copied / runbook).is_file()]

    def test_works_without_extras(self, python: Path) -> None:
        """With only the base dependencies every public name exists, and the package is typed."""
        assert ["mlmetrics-toolkit", "True"] == run(python, "-c", INSPECT, cwd=python.parent).split()

    def test_brings_in_no_framework(self, python: Path) -> None:
        """Neither FastAPI nor pydantic is installed or imported by the base package."""
        code = "import mlmetrics, sys; print(*sorted({'fastapi', 'pydantic', 'starlette'} & set(sys.modules)))"
        assert "" == run(python, "-c", code, cwd=python.parent).strip()
        installed = run(python, "-m", "pip", "list", "--format", "freeze", cwd=python.parent).lower()
        assert not [name for name in ("fastapi", "pydantic", "starlette") if f"{name}==" in installed]


class TestWithoutTheExtra:
    """Without the extra `cli`, what needs it says so, and how to install it."""

    def told_by_export_baseline(self, python: Path) -> str:
        """Return the error of `export_baseline`, which is one of ours and an ImportError."""
        arguments = "[0.5], 'baseline.yml', labels={'service': 's', 'matcher': 'm'}"
        code = f"import mlmetrics\ntry: mlmetrics.export_baseline({arguments})\n"
        code += "except mlmetrics.MissingExtraError as error: print(isinstance(error, ImportError), error)"
        return run(python, "-c", code, cwd=python.parent)

    def told_by_the_command_line(self, python: Path) -> str:
        """Return the error message of `mlmetrics`."""
        program = python.with_name("mlmetrics")
        done = subprocess.run([program, "init"], cwd=python.parent, capture_output=True, text=True, check=False)
        assert (1, "") == (done.returncode, done.stdout)
        assert 1 == len(done.stderr.splitlines())
        return done.stderr

    def test_is_told(self, python: Path) -> None:
        """Both print the same commands, and nothing is written."""
        baseline, command_line = self.told_by_export_baseline(python), self.told_by_the_command_line(python)
        assert baseline.startswith("True export_baseline needs PyYAML")
        assert COMMAND.findall(baseline) == COMMAND.findall(command_line) != []
        assert not python.with_name("baseline.yml").exists()

    def test_works_as_told(self, python: Path, wheel: Path, tmp_path: Path) -> None:
        """Each printed command installs the extra, in a checkout and next to a built wheel."""
        checkout, built = COMMAND.findall(self.told_by_the_command_line(python))
        fresh = environment(tmp_path)
        for what, folder in ((checkout, ROOT), (built, wheel.parents[1])):
            install(fresh, what, constraints=ROOT / "constraints.txt", cwd=folder)
            assert "up to date" in run(fresh.with_name("mlmetrics"), "render", "--check", cwd=ROOT)
            run(fresh, "-m", "pip", "uninstall", "--quiet", "--yes", "mlmetrics-toolkit", "pyyaml", cwd=tmp_path)


class TestLivePage:
    """The wheel with the extra `live`, and nothing of the tests."""

    def test_is_served(self, wheel: Path, tmp_path: Path) -> None:
        """`mlmetrics live` shows a page, whose files are in the wheel."""
        python = environment(tmp_path)
        install(python, f"{wheel}[live]", constraints=ROOT / "constraints.txt", cwd=tmp_path)
        command = [str(python.with_name("mlmetrics")), "live", "localhost:1", "--port", "0", "--no-open"]
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as program:
            try:
                assert program.stdout is not None
                (address,) = re.findall(r"http://\S+", program.stdout.readline())
                page = httpx.get(address, trust_env=False).text
                files = set(re.findall(r'(?:src|href)="(static/[^"]+)"', page))
                assert {".css", ".js", ".svg"} == {Path(file).suffix for file in files}
                assert {200} == {httpx.get(address + file, trust_env=False).status_code for file in files}
            finally:
                program.send_signal(signal.SIGINT)
        assert 0 == program.returncode


class TestLowestVersions:
    """The wheel with the oldest dependencies that it declares."""

    def test_records(self, wheel: Path, tmp_path: Path) -> None:
        """The package can be imported, and records, with the lowest version of each base dependency."""
        lowest = tmp_path / "lowest.txt"
        lowest.write_text(run(sys.executable, ROOT / "scripts" / "lowest.py", cwd=ROOT))
        python = environment(tmp_path)
        install(python, wheel, constraints=lowest)
        assert "1.0" == run(python, "-c", RECORD, cwd=tmp_path).strip()
        installed = run(python, "-m", "pip", "list", "--format", "freeze", cwd=tmp_path)
        assert "wrapt==2.0.0" in installed.splitlines()
