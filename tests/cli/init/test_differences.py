"""`mlmetrics init --check` and `--force`, names of jobs in edited files, and `mlmetrics render` in such a project."""

import os
import tempfile
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from mlmetrics.cli.root import main
from tests.cli.init.projects import PLAIN, write
from tests.cli.init.test_init import ALERTS, as_somebody_else, run, snapshot

PROMETHEUS = "monitoring/prometheus/prometheus.yml"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project of one service, with its monitoring."""
    root = tmp_path / "shop"
    write(root, {"till.py": PLAIN + "import uvicorn\nuvicorn.run(app, port=8301)\n"})
    assert 0 == run(root).exit_code
    return root


def render(root: Path, *arguments: str) -> Result:
    """Run `mlmetrics render` in a folder."""
    before = Path.cwd()
    os.chdir(root)
    try:
        return CliRunner().invoke(main, ["render", *arguments])
    finally:
        os.chdir(before)


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text that is in a file."""
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


class TestCheck:
    """`--check` writes nothing and exits with 1 if something differs."""

    @pytest.mark.parametrize("command", [run, render])
    def test_up_to_date(self, project: Path, command: object) -> None:
        """After a run everything is up to date, for both commands."""
        before = snapshot(project)
        done = run(project, "--check") if command is run else render(project, "--check")
        assert (0, "up to date\n") == (done.exit_code, done.stdout)
        assert before == snapshot(project)

    def test_before_the_first_run(self, tmp_path: Path) -> None:
        """Without monitoring, everything differs, and nothing is written."""
        write(tmp_path, {"till.py": PLAIN})
        done = run(tmp_path, "--check")
        assert 1 == done.exit_code
        assert "out of date: mlmetrics.toml\n" in done.stdout
        assert ["till.py"] == list(snapshot(tmp_path))

    def test_new_port(self, project: Path) -> None:
        """A port that has changed in the code is a difference."""
        edit(project / "till.py", "8301", "8302")
        before = snapshot(project)
        done = run(project, "--check")
        assert 1 == done.exit_code
        assert f"out of date: mlmetrics.toml\nout of date: {PROMETHEUS}\n" == done.stdout
        assert before == snapshot(project)
        assert 1 == run(project, "--check", "--json").exit_code

    def test_edited_configuration(self, project: Path) -> None:
        """The configuration may be edited; what is rendered from it must fit."""
        edit(project / "mlmetrics.toml", "8301", "8302")
        assert f"out of date: {PROMETHEUS}\n" == run(project, "--check").stdout
        run(project)
        assert (0, "up to date\n") == (run(project, "--check").exit_code, run(project, "--check").stdout)

    def test_edited_file(self, project: Path) -> None:
        """A rendered file that was edited is a difference until ours is taken back."""
        (project / ALERTS).write_text("groups: []\n")
        done = run(project, "--check")
        assert (1, f"out of date: {ALERTS}, edited by you; --force takes ours back\n") == (done.exit_code, done.stdout)
        assert 0 == run(project, "--force", ALERTS).exit_code
        assert 0 == run(project, "--check").exit_code


class TestForce:
    """`--force FILE` takes ours back."""

    def test_only_the_named_files(self, project: Path) -> None:
        """Named files are written anew, other edited ones are left alone."""
        for name in (ALERTS, PROMETHEUS, "monitoring/docker-compose.yml"):
            (project / name).write_text("{}\n")
        done = run(project, "--force", ALERTS, "--force", PROMETHEUS)
        assert f"updated: {PROMETHEUS}\nupdated: {ALERTS}\n" in done.stdout
        assert "edited by you, not changed: monitoring/docker-compose.yml" in done.stdout
        assert "{}\n" != (project / ALERTS).read_text()
        assert "{}\n" == (project / "monitoring/docker-compose.yml").read_text()

    def test_path_from_the_current_folder(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file may be named from the current folder or by its whole path."""
        monkeypatch.chdir(project.parent)
        for given in (Path("shop") / ALERTS, project / ALERTS):
            (project / ALERTS).write_text("{}\n")
            assert f"updated: {ALERTS}\n" in run("shop", "--force", given).stdout

    def test_configuration(self, project: Path) -> None:
        """The configuration too, even if it is half edited; answers stay."""
        run(project, "--service", "till=8399")
        (project / "mlmetrics.toml").write_text("[[service]\n")
        assert 2 == run(project).exit_code
        assert 0 == run(project, "--force", "mlmetrics.toml").exit_code
        assert "127.0.0.1:8399" in (project / "mlmetrics.toml").read_text()

    @pytest.mark.parametrize("name", ["till.py", "monitoring/nothing.yml", "../other.yml", "monitoring"])
    def test_other_files(self, project: Path, name: str) -> None:
        """A file that is not ours is refused, and nothing is written."""
        (project / ALERTS).write_text("{}\n")
        before = snapshot(project)
        done = run(project, "--force", ALERTS, "--force", name)
        assert 2 == done.exit_code
        assert "expected a file that `mlmetrics init` writes" in done.output
        assert before == snapshot(project)


class TestJobs:
    """The name of a job is the same in an edited `prometheus.yml` and in the rules, or that is said."""

    @pytest.mark.parametrize("command", ["init", "render", "check"])
    def test_renamed_job(self, project: Path, command: str) -> None:
        """Every command says which job only one of the two knows, and what to do."""
        edit(project / PROMETHEUS, "job_name: till", "job_name: cash-desk")
        done = {
            "init": lambda: run(project),
            "render": lambda: render(project),
            "check": lambda: run(project, "--check"),
        }[command]()
        assert (1 if command == "check" else 0) == done.exit_code
        assert f"not settled: {PROMETHEUS}, edited by you, scrapes the job cash-desk, which" in done.stderr
        assert "not till, which it names" in done.stderr
        assert f"`mlmetrics init --force {PROMETHEUS}`" in done.stderr

    def test_renamed_service(self, project: Path) -> None:
        """So does a service that was renamed while `prometheus.yml` is edited."""
        (project / PROMETHEUS).write_text((project / PROMETHEUS).read_text() + "# Mine\n")
        assert "scrapes" not in run(project).stderr
        edit(project / "mlmetrics.toml", '"till"', '"cash-desk"')
        assert "scrapes the job till, which the configuration does not name, and not cash-desk" in run(project).stderr

    def test_edited_rules(self, project: Path) -> None:
        """Rules that were edited and speak of another job are said too."""
        (project / ALERTS).write_text((project / ALERTS).read_text() + "# Mine\n")
        edit(project / "mlmetrics.toml", '"till"', '"cash-desk"')
        assert f"{ALERTS}, edited by you, has rules about the job till" in run(project).stderr

    def test_jobs_of_the_monitoring_itself(self, project: Path) -> None:
        """A job for Prometheus itself may be added."""
        (project / PROMETHEUS).write_text((project / PROMETHEUS).read_text() + "- job_name: prometheus\n")
        assert [] == [line for line in run(project).stderr.splitlines() if "scrapes" in line]

    def test_half_edited(self, project: Path) -> None:
        """A `prometheus.yml` that is not YAML is said with the line."""
        (project / PROMETHEUS).write_text("global: [\n")
        assert f"{PROMETHEUS}, edited by you, is not YAML (line 2)" in run(project).stderr


class TestRender:
    """`mlmetrics render` in a project of `mlmetrics init`."""

    def test_does_what_init_does(self, project: Path) -> None:
        """It writes to the folder that the configuration names, follows the code and leaves edited files alone."""
        (project / ALERTS).write_text("groups: []\n")
        edit(project / "till.py", "8301", "8302")
        done = render(project)
        assert 0 == done.exit_code, done.output
        assert f"edited by you, not changed: {ALERTS}" in done.stdout
        assert "127.0.0.1:8302" in (project / PROMETHEUS).read_text()
        after = snapshot(project)
        assert {"till.py", "mlmetrics.toml", "monitoring"} == {path.name for path in project.iterdir()}
        assert 0 == run(project).exit_code
        assert after == snapshot(project)

    def test_project_with_a_table_in_pyproject(self, tmp_path: Path) -> None:
        """The folder of the first run is found again without a key."""
        table = '[[tool.mlmetrics.service]]\nname = "till"\ntargets = ["127.0.0.1:8009"]\n'
        write(tmp_path, {"till.py": PLAIN, "pyproject.toml": table})
        run(tmp_path)
        edit(tmp_path / "pyproject.toml", "8009", "8010")
        assert 0 == render(tmp_path).exit_code
        assert "8010" in (tmp_path / PROMETHEUS).read_text()
        assert not (tmp_path / "prometheus").exists()

    def test_another_folder(self, project: Path) -> None:
        """The folder in the configuration decides."""
        edit(project / "mlmetrics.toml", '"monitoring"\n', '"ops/watch"\n')
        assert 0 == render(project).exit_code
        assert "127.0.0.1:8301" in (project / "ops/watch/prometheus/prometheus.yml").read_text()
        assert (0, "up to date\n") == (render(project, "--check").exit_code, render(project, "--check").stdout)

    @pytest.mark.parametrize("folder", ["/etc/monitoring", "../monitoring", "a/../../b", "./monitoring", "."])
    def test_folder_that_cannot_be(self, project: Path, folder: str) -> None:
        """A folder outside of the project is refused, and nothing is written."""
        edit(project / "mlmetrics.toml", 'output = "monitoring"', f'output = "{folder}"')
        before = snapshot(project)
        done = render(project)
        assert 2 == done.exit_code
        assert f"project.output = '{folder}': expected a folder" in done.output
        assert before == snapshot(project)

    def test_one_target(self, project: Path) -> None:
        """One target leaves the files of the others as they are."""
        edit(project / "till.py", "8301", "8302")
        edit(project / "mlmetrics.toml", "8301", "8302")
        before = snapshot(project)
        assert 0 == render(project, "--target", "grafana").exit_code
        assert before == snapshot(project)
        assert 0 == render(project, "--target", "prometheus").exit_code
        assert [PROMETHEUS] == [
            name for name, text in snapshot(project).items() if before[name] != text and ".json" not in name
        ]

    def test_kubernetes_once_is_kubernetes_always(self, project: Path) -> None:
        """Manifests that were asked for are kept up to date, and not removed by the next run."""
        assert 0 == render(project, "--target", "kubernetes").exit_code
        monitor = project / "monitoring/kubernetes/pod-monitor.yaml"
        assert "till" in monitor.read_text()
        edit(project / "mlmetrics.toml", '"till"', '"cash-desk"')
        assert 0 == run(project).exit_code
        assert "cash-desk" in monitor.read_text()

    def test_options(self, project: Path) -> None:
        """Tests of rules and remote write are rendered into the same place; a folder that is given is another."""
        assert 0 == render(project, "--tests", "--remote-write", "http://victoria/api/v1/write").exit_code
        assert "victoria" in (project / PROMETHEUS).read_text()
        tests = project / "monitoring/prometheus/rules/ServiceDown.test.yml"
        assert tests.exists()
        assert 0 == render(project).exit_code
        assert not tests.exists()
        assert 0 == render(project, "--target", "prometheus", "--output", "elsewhere").exit_code
        assert (project / "elsewhere/prometheus.yml").is_file()

    def test_from_another_folder(self, project: Path, tmp_path: Path) -> None:
        """The configuration that is named says where its project is."""
        edit(project / "till.py", "8301", "8302")
        assert 0 == render(tmp_path, "--config", "shop/mlmetrics.toml").exit_code
        assert "127.0.0.1:8302" in (project / PROMETHEUS).read_text()
        assert ["shop"] == [path.name for path in tmp_path.iterdir()]

    def test_headers_name_a_command_that_works(self, project: Path) -> None:
        """The command in the first line of rendered files, in runbooks and in the configuration works there."""
        assert "run `mlmetrics render`" in (project / ALERTS).read_text().splitlines()[0]
        assert "`mlmetrics render`" in (project / "monitoring/runbooks/ServiceDown.md").read_text()
        assert "`mlmetrics render --check`" in (project / "mlmetrics.toml").read_text()
        assert 0 == render(project, "--check").exit_code

    def test_folder_that_is_not_writable(self) -> None:
        """A folder that is not writable is named, and nothing is written anywhere."""
        with tempfile.TemporaryDirectory() as name:
            project = Path(name)
            write(project, {"till.py": PLAIN})
            run(project)
            edit(project / "mlmetrics.toml", "8000", "8001")
            before = snapshot(project)
            with as_somebody_else(project, project / "monitoring/prometheus"):
                done = render(project)
            assert 2 == done.exit_code
            assert f"{Path('monitoring/prometheus')}: cannot be written" in done.output
            assert before == snapshot(project)

    @pytest.mark.parametrize("text", ["[[service]\n", "[project]\nname = 'x\n", "\x00", "[project]\noutput = 7\n"])
    def test_half_edited_configuration(self, project: Path, text: str) -> None:
        """A configuration that cannot be read is named, by both commands, and nothing is written."""
        (project / "mlmetrics.toml").write_text(text)
        before = snapshot(project)
        for done in (run(project), render(project), run(project, "--check")):
            assert 2 == done.exit_code, done.output
            assert "mlmetrics.toml: " in done.output
        assert before == snapshot(project)

    def test_half_edited_pyproject(self, tmp_path: Path) -> None:
        """A `pyproject.toml` that is half written is not passed over for a new configuration."""
        write(tmp_path, {"till.py": PLAIN, "pyproject.toml": "[[tool.mlmetrics.service]\nname = 'till'\n"})
        done = run(tmp_path)
        assert 2 == done.exit_code
        assert "pyproject.toml: not TOML" in done.output
        assert not (tmp_path / "mlmetrics.toml").exists()


def test_rules_of_a_guess_are_unit_tested(tmp_path: Path) -> None:
    """The rule of a guess has a unit test beside that of confirmed services, and is a warning."""
    write(tmp_path, {"till.py": PLAIN, "store.py": PLAIN + "import uvicorn\nuvicorn.run(app, port=8302)\n"})
    run(tmp_path)
    assert 0 == render(tmp_path, "--tests").exit_code
    rules = tmp_path / "monitoring/prometheus/rules"
    assert {"ServiceDown.test.yml", "ServiceDown-guess.test.yml"} == {path.name for path in rules.glob("ServiceDown*")}
    (group,) = yaml.safe_load((rules / "alerts.yml").read_text())["groups"]
    found = {rule["labels"]["severity"]: rule for rule in group["rules"] if rule["alert"] == "ServiceDown"}
    assert {"critical", "warning"} == set(found)
    assert 'job=~"store"' in found["critical"]["expr"]
    assert 'job=~"till"' in found["warning"]["expr"]
    assert "guessed by `mlmetrics init`" in found["warning"]["annotations"]["description"]
