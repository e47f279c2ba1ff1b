"""`mlmetrics init`: the first run, further runs, `--diff`, questions, and wrong input."""

import json
import os
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft7Validator

from mlmetrics.cli.root import main
from mlmetrics.monitoring.schema import SCHEMA_PATH

APP = "from fastapi import FastAPI\napp = FastAPI()\n"
ALERTS = "monitoring/prometheus/rules/alerts.yml"
BOARD = "monitoring/grafana/dashboards/mlmetrics-performance.json"


def run(*arguments: object, answers: str = "") -> Result:
    """Run the command."""
    return CliRunner().invoke(main, ["init", *map(str, arguments)], input=answers)


def snapshot(root: Path) -> dict[str, bytes]:
    """Return every file of a folder."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@contextmanager
def as_somebody_else(project: Path, closed: Path) -> Iterator[None]:
    """Act as a user who may write everywhere in a project except in one of its folders."""
    nobody = 65534
    for folder in (project, *(path for path in project.rglob("*") if path.is_dir())):
        folder.chmod(0o755 if folder == closed else 0o777)
    if os.geteuid() != 0:
        closed.chmod(0o555)
    before = os.geteuid()
    os.seteuid(nobody if before == 0 else before)
    try:
        yield
    finally:
        os.seteuid(before)
        closed.chmod(0o755)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project of one file."""
    root = tmp_path / "corner-shop"
    root.mkdir()
    (root / "main.py").write_text(APP)
    return root


class TestFirstRun:
    """The first run prints and proposes."""

    def test_prints_the_lines_to_add(self, project: Path) -> None:
        """The lines name the file, the place, the service and the package to install."""
        printed = run(project).stdout
        assert "corner-shop: main.py, below line 2" in printed
        assert '    instrument(app, service_name="corner-shop")' in printed
        assert "pip install '.[fastapi]' in a checkout" in printed
        assert "pip install 'dist/mlmetrics_toolkit-" in printed

    def test_knows_what_is_instrumented(self, project: Path) -> None:
        """An application that has the lines already keeps its name, and nothing is said about its code."""
        (project / "main.py").write_text(
            f'from mlmetrics import instrument\n{APP}instrument(app, service_name="till")\n'
        )
        printed = run(project).stdout
        assert "  till  127.0.0.1:8000" in printed
        assert "Add to the code" not in printed

    def test_takes_the_name_from_a_configured_variable_no_further(self, project: Path) -> None:
        """If only the running program knows the name, the name of the folder is used."""
        (project / "main.py").write_text(f"from mlmetrics import instrument\n{APP}instrument(app, service_name=NAME)\n")
        printed = run(project).stdout
        assert "  corner-shop  127.0.0.1:8000" in printed
        assert "Add to the code" not in printed

    def test_flags_instead_of_what_is_found(self, project: Path) -> None:
        """Services that are given by name are used as they are, on this machine or another."""
        assert 0 == run(project, "--service", "billing=8001", "--service", "search=10.0.0.7:8001").exit_code
        text = (project / "mlmetrics.toml").read_text()
        assert 'targets = ["127.0.0.1:8001"]' in text
        assert 'targets = ["10.0.0.7:8001"]' in text
        assert "corner-shop" not in text.partition("[[service]]")[2]

    def test_asks(self, project: Path) -> None:
        """Names and ports are asked for, with proposals as defaults; an application named '-' is left out."""
        (project / "admin.py").write_text("import fastapi\nadmin = fastapi.FastAPI(title='Admin')\n")
        done = run(project, "--ask", answers="-\ntill\n8055\n-\n")
        assert 0 == done.exit_code, done.output
        assert "FastAPI application in admin.py" in done.stdout
        text = (project / "mlmetrics.toml").read_text()
        assert ('name = "till"' in text, "127.0.0.1:8055" in text, "admin" in text) == (True, True, False)

    def test_ports_are_made_up_apart(self, project: Path) -> None:
        """Applications without a known port get different ports, and none that the monitoring uses."""
        for index in range(4):
            (project / f"part{index}.py").write_text(APP)
        services = json.loads(run(project, "--json").stdout)["services"]
        ports = {int(service["target"].rpartition(":")[2]) for service in services}
        assert 5 == len(ports)
        assert not ports & {3001, 9090, 9093, 9100}

    def test_title(self, project: Path) -> None:
        """The title is that of the main dashboard, with any characters."""
        assert 0 == run(project, "--title", 'Prix "été" \\ 100 %').exit_code
        assert 'Prix "été" \\ 100 %' == json.loads((project / BOARD).read_text())["title"]

    def test_names_the_schema(self, project: Path) -> None:
        """The first line names the schema that is written, so that editors complete and check the keys."""
        assert 0 == run(project).exit_code
        first = (project / "mlmetrics.toml").read_text().splitlines()[0]
        schema = project / first.removeprefix("#:schema ")
        assert "#:schema ./monitoring/mlmetrics.schema.json" == first
        assert SCHEMA_PATH.read_bytes() == schema.read_bytes()
        valid = Draft7Validator(json.loads(schema.read_text()))
        assert valid.is_valid(tomllib.loads((project / "mlmetrics.toml").read_text()))


class TestPyproject:
    """A project whose `pyproject.toml` has the table `[tool.mlmetrics]`."""

    TABLE = '[[tool.mlmetrics.service]]\nname = "till"\ntargets = ["127.0.0.1:8009"]\n'

    def test_is_followed(self, project: Path) -> None:
        """The monitoring is written from the table, and no second configuration is written."""
        (project / "pyproject.toml").write_text(self.TABLE)
        assert 0 == run(project).exit_code
        assert "till" in (project / ALERTS).read_text()
        assert not (project / "mlmetrics.toml").exists()
        assert self.TABLE == (project / "pyproject.toml").read_text()

    def test_is_not_written_to(self, project: Path) -> None:
        """Options that would change the table are refused."""
        (project / "pyproject.toml").write_text(self.TABLE)
        done = run(project, "--title", "Another")
        assert 2 == done.exit_code
        assert (
            "pyproject.toml: holds [tool.mlmetrics], and --service, --leave-out, --title, --notify and --url would "
            "overwrite that" in done.output
        )
        assert not (project / "monitoring").exists()

    def test_clash_of_ports_names_the_file(self, project: Path) -> None:
        """A value in the table that cannot work is an error that names the file."""
        (project / "pyproject.toml").write_text(self.TABLE.replace("8009", "9090"))
        done = run(project)
        assert 2 == done.exit_code
        assert "pyproject.toml: port 9090 is used by prometheus and by till" in done.output


class TestRunAgain:
    """A further run updates the files that it wrote, except those that were edited."""

    def test_changes_nothing(self, project: Path) -> None:
        """A second run finds nothing to do."""
        run(project)
        before = snapshot(project)
        assert run(project).stdout.splitlines()[0].endswith(" unchanged")
        assert before == snapshot(project)

    def test_leaves_edited_files_alone(self, project: Path) -> None:
        """An edited file is not changed and is named; the others are updated."""
        run(project)
        (project / ALERTS).write_text((project / ALERTS).read_text() + "# Mine\n")
        (project / "second.py").write_text(APP)
        edited = (project / ALERTS).read_text()
        done = run(project)
        assert f"edited by you, not changed: {ALERTS}" in done.stdout
        assert edited == (project / ALERTS).read_text()
        assert "second" in (project / BOARD).read_text()

    def test_takes_back_what_was_restored(self, project: Path) -> None:
        """A file whose edit was undone is updated again."""
        run(project)
        original = (project / ALERTS).read_text()
        (project / ALERTS).write_text("groups: []\n")
        run(project)
        (project / ALERTS).write_text(original)
        (project / "second.py").write_text(APP)
        assert "edited" not in run(project).stdout
        assert "second" in (project / ALERTS).read_text()

    def test_follows_the_edited_configuration(self, project: Path) -> None:
        """An edited `mlmetrics.toml` is not changed, and everything else is rendered from it."""
        run(project)
        path = project / "mlmetrics.toml"
        path.write_text(path.read_text().replace('"corner-shop"', '"till"'))
        done = run(project)
        assert "edited by you, not changed: mlmetrics.toml" in done.stdout
        assert "till" in (project / BOARD).read_text()
        assert 'service_name="till"' in done.stdout

    def test_commands_work_where_they_are_printed(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """They name the folder of the project from the current one, and the Alertmanager of the configuration."""
        monkeypatch.chdir(project)
        done = run("--notify", "webhook=http://127.0.0.1:8600/hook")
        assert "\n    cd monitoring && cp" in done.stdout
        assert "\n    mlmetrics render --check" in done.stdout
        assert "\n    mlmetrics check --alertmanager http://127.0.0.1:9093 --send-test" in done.stdout
        path = project / "mlmetrics.toml"
        path.write_text(path.read_text().replace("127.0.0.1:9093", "alerts.example.org:9093"))
        monkeypatch.chdir(project.parent)
        done = run("corner-shop")
        assert "\n    cd corner-shop/monitoring && cp" in done.stdout
        assert "\n    cd corner-shop && mlmetrics render --check" in done.stdout
        assert "cd corner-shop && mlmetrics check --alertmanager http://alerts.example.org:9093 " in done.stdout

    def test_removes_what_is_wanted_no_more(self, project: Path) -> None:
        """The rules of a removed objective are removed; a file of them that was edited is kept."""
        run(project)
        path = project / "mlmetrics.toml"
        plain = path.read_text()
        wanted = "\n".join(
            f'[[objective]]\nname = "o{i}"\nservice = "corner-shop"\noperation = "request"\ntarget = 0.99'
            for i in range(2)
        )
        path.write_text(f"{plain}\n{wanted}\n")
        run(project)
        rules = project / "monitoring/prometheus/rules"
        (rules / "objective-3-o1.yml").write_text("groups: []\n")
        path.write_text(f"{plain}\n# No objectives\n")
        done = run(project)
        assert "removed: monitoring/prometheus/rules/objective-2-o0.yml" in done.stdout
        assert {"objective-1-corner-shop-requests.yml", "objective-3-o1.yml"} == {
            each.name for each in rules.glob("objective-*")
        }

    def test_keeps_a_file_that_was_there(self, project: Path) -> None:
        """A file that this command never wrote is not changed."""
        (project / "monitoring").mkdir()
        (project / "monitoring/docker-compose.yml").write_text("services: {}\n")
        assert "edited by you, not changed: monitoring/docker-compose.yml" in run(project).stdout
        assert "services: {}\n" == (project / "monitoring/docker-compose.yml").read_text()


class TestDiff:
    """`--diff` shows and writes nothing."""

    def test_before_the_first_run(self, project: Path) -> None:
        """Before the first run, every file is shown as new, and none is written."""
        done = run(project, "--diff")
        assert "mlmetrics.toml: new" in done.stdout
        assert '+name = "corner-shop"' in done.stdout
        assert ["main.py"] == list(snapshot(project))

    def test_after_an_edit(self, project: Path) -> None:
        """The difference between an edited file and the rendered one is shown, and that the file is not changed."""
        run(project)
        assert "nothing would change\n" == run(project, "--diff").stdout
        (project / ALERTS).write_text((project / ALERTS).read_text() + "# Mine\n")
        done = run(project, "--diff")
        assert f"{ALERTS}: edited by you, not changed" in done.stdout
        assert "\n-# Mine\n" in done.stdout


class TestBadInput:
    """Wrong input is an error with a clear message and exit code 2, and nothing is written."""

    def refused(self, project: Path, *arguments: object) -> str:
        """Return the error message; fail if anything was written or changed."""
        before = snapshot(project) if project.is_dir() else {}
        done = run(project, *arguments)
        assert 2 == done.exit_code, done.output
        assert before == (snapshot(project) if project.is_dir() else {})
        assert 1 == len(done.output.splitlines()), done.output
        return done.output

    def test_no_application(self, tmp_path: Path) -> None:
        """Without an application there is nothing to monitor, which is an error."""
        (tmp_path / "main.py").write_text("print('hello')\n")
        assert "no FastAPI application found" in self.refused(tmp_path)

    @pytest.mark.parametrize("name", ["Mon Sérvice", "a b", "", "-x", "x" * 64, 'q"uote', "line\nbreak"])
    def test_name_that_nothing_can_carry(self, project: Path, name: str) -> None:
        """Names with spaces, accents or other characters are refused, with a name that is valid."""
        assert "service name" in self.refused(project, f"--service={name}=8000")

    def test_name_that_would_do(self, project: Path) -> None:
        """The message proposes the nearest name."""
        assert "'mon-service'" in self.refused(project, "--service=Mon Sérvice=8000")

    @pytest.mark.parametrize("text", ["billing", "billing=", "billing=http", "billing=0", "billing=70000", "8000"])
    def test_service_without_port(self, project: Path, text: str) -> None:
        """A text that is not NAME=PORT is refused."""
        assert "expected NAME=PORT" in self.refused(project, "--service", text)

    def test_ports_that_clash(self, project: Path) -> None:
        """Two services on one port are both named."""
        complaint = self.refused(project, "--service", "billing=8001", "--service", "search=8001")
        assert "port 8001 is used by billing and by search" in complaint

    def test_port_of_the_monitoring(self, project: Path) -> None:
        """A service on the port of Prometheus is refused, because Prometheus could not start."""
        assert "port 9090 is used by prometheus and by billing" in self.refused(project, "--service", "billing=9090")

    def test_names_that_clash(self, project: Path) -> None:
        """Two services with the same name are refused."""
        assert "different name" in self.refused(project, "--service", "billing=8001", "--service", "billing=8002")

    def test_half_edited_configuration(self, project: Path) -> None:
        """A configuration that is not valid TOML is named, and nothing is rendered from it."""
        run(project)
        path = project / "mlmetrics.toml"
        path.write_text(path.read_text() + '\n[[service]]\nname = "half\n')
        assert f"{path}: not TOML" in self.refused(project)

    def test_configuration_that_cannot_work(self, project: Path) -> None:
        """A wrong value is named with its key."""
        run(project)
        path = project / "mlmetrics.toml"
        path.write_text(path.read_text() + "\n[alert.HighAPIResponseTime]\nthreshold = 31\n")
        assert "alert.HighAPIResponseTime.threshold" in self.refused(project)

    def test_flags_against_an_edited_configuration(self, project: Path) -> None:
        """Options that would overwrite an edited configuration are refused."""
        run(project)
        path = project / "mlmetrics.toml"
        path.write_text(path.read_text() + "# Mine\n")
        assert "was edited" in self.refused(project, "--service", "billing=8001")

    def test_broken_manifest(self, project: Path) -> None:
        """A manifest that cannot be read is an error."""
        run(project)
        (project / "monitoring/.mlmetrics.json").write_text("{")
        assert ".mlmetrics.json: cannot be read" in self.refused(project)

    def test_file_in_the_way(self, project: Path) -> None:
        """If a file has the name of the folder, nothing is written, not even the configuration."""
        (project / "monitoring").write_text("A note\n")
        assert "cannot be written" in self.refused(project)

    @pytest.mark.parametrize("closed", [".", "monitoring", "monitoring/prometheus"])
    def test_folder_that_is_not_writable(self, closed: str) -> None:
        """A folder that is not writable is named, and nothing is written anywhere."""
        with tempfile.TemporaryDirectory() as name:
            project, folder = Path(name), Path(name) / closed
            folder.mkdir(parents=True, exist_ok=True)
            (project / "main.py").write_text(APP)
            with as_somebody_else(project, folder):
                assert f"{folder}: cannot be written" in self.refused(project)

    def test_no_such_folder(self, tmp_path: Path) -> None:
        """A folder that does not exist is named."""
        assert "is not a folder" in self.refused(tmp_path / "nowhere")
