"""`mlmetrics render`: the files of each target, errors, and exit codes."""

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from mlmetrics.cli.root import main
from tests.monitoring.configurations import ONE_SERVICE, ROOT


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a small configuration, which is the current folder."""
    (tmp_path / "mlmetrics.toml").write_text(ONE_SERVICE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> tuple[int, str]:
    """Return the exit code and the output of the command."""
    result = CliRunner().invoke(main, ["render", *arguments])
    return result.exit_code, result.output


def entries_of(folder: Path) -> set[str]:
    """Return the files and folders at the top of a folder, except the configuration."""
    return {path.name for path in folder.iterdir()} - {"mlmetrics.toml"}


class TestTargets:
    """What each target writes, and where."""

    def test_all(self, project: Path) -> None:
        """By default every target is written in its folder; then all is up to date until a file is edited."""
        assert 1 == run("--check")[0]
        assert set() == entries_of(project)
        assert 0 == run()[0]
        assert {"prometheus", "grafana", "kubernetes", "docker-compose.yml", ".env.example"} == entries_of(project)
        assert (0, "up to date\n") == run("--check")
        for name in ("docker-compose.yml", "grafana/dashboards/mlmetrics-fleet.json", "kubernetes/pod-monitor.yaml"):
            text = (project / name).read_text()
            (project / name).write_text(f"{text}# Mine\n")
            assert (1, f"out of date: {name}\n") == run("--check")
            (project / name).write_text(text)

    @pytest.mark.parametrize(
        ("target", "files"),
        [
            ("prometheus", {"prometheus"}),
            ("grafana", {"grafana"}),
            ("kubernetes", {"kubernetes"}),
            ("compose", {"docker-compose.yml", ".env.example"}),
        ],
    )
    def test_one(self, project: Path, target: str, files: set[str]) -> None:
        """One target writes its own folder only, and is checked alone."""
        assert 0 == run("--target", target)[0]
        assert files == entries_of(project)
        assert (0, "up to date\n") == run("--target", target, "--check")
        assert 1 == run("--check")[0]

    def test_output(self, project: Path) -> None:
        """The files of one target go into the named folder; with `all`, each target has a folder in it."""
        assert 0 == run("--target", "prometheus", "--output", "etc")[0]
        assert {"prometheus.yml", "alertmanager.yml", "rules"} == entries_of(project / "etc")
        assert 0 == run("--output", "everything")[0]
        assert {"prometheus", "grafana", "kubernetes", "docker-compose.yml", ".env.example"} == entries_of(
            project / "everything"
        )

    def test_tests_on_request(self, project: Path) -> None:
        """Unit tests of rules are written with `--tests`, and removed by the next run without it."""
        rules = project / "prometheus" / "rules"
        assert 0 == run("--tests")[0]
        assert (rules / "ServiceDown.test.yml").is_file()
        assert 0 == run()[0]
        assert ["alerts.yml", "cost.yml", "drift.yml", "fleet.yml"] == sorted(path.name for path in rules.iterdir())

    def test_removes_what_is_no_longer_rendered(self, project: Path) -> None:
        """The rules of a removed objective are removed in both folders; the user's own rules are kept."""
        objective = '[[objective]]\nname = "o"\nservice = "solo"\noperation = "request"\ntarget = 0.99\n'
        (project / "mlmetrics.toml").write_text(ONE_SERVICE + objective)
        run()
        (project / "prometheus/rules/mine.yml").write_text("groups: []\n")
        (project / "mlmetrics.toml").write_text(ONE_SERVICE)
        _, output = run()
        assert "removed prometheus/rules/objective-1-o.yml\n" in output
        assert "removed kubernetes/mlmetrics-objective-1-o.yaml\n" in output
        assert "removed grafana/dashboards/mlmetrics-objectives.json\n" in output
        assert ["alerts.yml", "cost.yml", "drift.yml", "fleet.yml", "mine.yml"] == sorted(
            path.name for path in (project / "prometheus/rules").iterdir()
        )

    def test_removes_dashboards_of_what_is_no_longer_in_use(self, project: Path) -> None:
        """A dashboard without panels is removed; the user's own dashboards are kept."""
        run()
        (project / "grafana/dashboards/mine.json").write_text("{}")
        (project / "mlmetrics.toml").write_text("operation = []\n" + ONE_SERVICE)
        assert 0 == run()[0]
        assert ["mine.json", "mlmetrics-fleet.json", "mlmetrics-performance.json"] == sorted(
            path.name for path in (project / "grafana/dashboards").iterdir()
        )
        assert (0, "up to date\n") == run("--check")

    def test_time_scale(self, project: Path) -> None:
        """Windows and waits are multiplied by the scale."""
        run("--target", "prometheus", "--time-scale", "0.1")
        assert "[30s]" in (project / "prometheus/rules/alerts.yml").read_text()

    def test_kubernetes_labels(self, project: Path) -> None:
        """Every resource has the labels from the command line."""
        assert 0 == run("--target", "kubernetes", "--label", "release=prom", "--label", "a=b=c")[0]
        for name in ("mlmetrics-alerts.yaml", "pod-monitor.yaml", "dashboard-mlmetrics-fleet.yaml"):
            labels = yaml.safe_load((project / "kubernetes" / name).read_text())["metadata"]["labels"]
            assert {"release": "prom", "a": "b=c"}.items() <= labels.items()

    def test_repository_is_up_to_date(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The files that this repository commits are those that the command writes."""
        monkeypatch.chdir(ROOT)
        assert (0, "up to date\n") == run("--check")

    def test_finds_the_table_in_pyproject(self, project: Path) -> None:
        """If `mlmetrics.toml` is missing, `[tool.mlmetrics]` is read without an option."""
        (project / "mlmetrics.toml").unlink()
        (project / "pyproject.toml").write_text(ONE_SERVICE.replace("[[service]]", "[[tool.mlmetrics.service]]"))
        assert 0 == run()[0]
        assert "job_name: solo" in (project / "prometheus" / "prometheus.yml").read_text()
        assert (0, "up to date\n") == run("--check", "--config", "pyproject.toml")


class TestRefusals:
    """A mistake is an error of one line with exit code 2, and nothing is written."""

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("--config", "nowhere.toml"), "nowhere.toml: cannot be read"),
            (("--time-scale", "7"), "time scale = 7.0"),
            (("--target", "kubernetes", "--label", "release"), "expected NAME=VALUE"),
            (("--target", "compose", "--label", "a=b"), "expected --target kubernetes or all"),
            (("--target", "grafana", "--tests"), "expected --target prometheus or all"),
            (("--time-scale", "0.5", "--tests"), "no --time-scale"),
            (("--remote-write", "victoria:8428"), "url = 'victoria:8428': expected an http(s) address"),
            (("--target", "kubernetes", "--remote-write", "http://v/w"), "expected --target prometheus or all"),
            (("--target", "helm"), "'helm' is not one of"),
        ],
    )
    def test_mistakes(self, project: Path, arguments: tuple[str, ...], words: str) -> None:
        """Wrong values, and options without effect, are named together with what was expected."""
        code, output = run(*arguments)
        assert 2 == code
        assert words in output
        assert set() == entries_of(project)

    @pytest.mark.parametrize("name", ["docker-compose.yml", ".env.example", "prometheus/prometheus.yml"])
    def test_somebody_elses_file(self, project: Path, name: str) -> None:
        """A file that was not rendered is not overwritten, and nothing else is written."""
        path = project / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("# Mine\n")
        code, output = run()
        assert 2 == code
        assert f"{name}: was not rendered by mlmetrics" in output
        assert "# Mine\n" == path.read_text()
        assert {name.partition("/")[0]} == entries_of(project)
        assert f"out of date: {name}\n" in run("--check")[1]

    def test_no_configuration_at_all(self, project: Path) -> None:
        """Without both files, the error names `mlmetrics.toml`."""
        (project / "mlmetrics.toml").unlink()
        code, output = run()
        assert 2 == code
        assert "mlmetrics.toml: cannot be read" in output


class TestRemoteWrite:
    """`--remote-write`, and the key of the configuration that says the same."""

    URL = "http://victoria:8428/api/v1/write"

    def document(self) -> dict[str, object]:
        """Return what Prometheus reads."""
        found: dict[str, object] = yaml.safe_load(Path("prometheus/prometheus.yml").read_text())
        return found

    def test_option(self, project: Path) -> None:
        """Prometheus sends its samples to the address of the option, with a queue that is bounded."""
        assert 0 == run("--target", "prometheus", "--remote-write", self.URL)[0]
        queue = {"max_samples_per_send": 2000, "capacity": 10000, "max_shards": 30}
        assert [{"url": self.URL, "queue_config": queue}] == self.document()["remote_write"]
        assert 0 == run("--target", "prometheus")[0]
        assert "remote_write" not in self.document()

    def test_configuration(self, project: Path) -> None:
        """The key of the file does the same, and the option wins over it."""
        (project / "mlmetrics.toml").write_text(f'{ONE_SERVICE}[remote_write]\nurl = "{self.URL}"\n')
        assert 0 == run()[0]
        assert f"url: {self.URL}\n" in (project / "prometheus/prometheus.yml").read_text()
        assert 0 == run("--remote-write", "https://other/write")[0]
        assert "url: https://other/write\n" in (project / "prometheus/prometheus.yml").read_text()

    def test_members_of_a_pair_read_one_file(self, project: Path) -> None:
        """No label tells a member of the pair from the other: their samples are of the same series."""
        (project / "mlmetrics.toml").write_text('[project]\nexternal_labels = { cluster = "eu" }\n' + ONE_SERVICE)
        assert 0 == run("--remote-write", self.URL)[0]
        general = self.document()["global"]
        assert isinstance(general, dict)
        assert {"cluster": "eu"} == general["external_labels"]


class TestReceivers:
    """What is said of the receivers of alerts."""

    def test_nobody_is_told(self, project: Path) -> None:
        """If nobody is told of alerts, the output says so, also when nothing has changed, and `--check` does not."""
        for _ in range(2):
            assert "NOBODY IS TOLD of any alert" in run()[1]
        assert "NOBODY" not in run("--target", "kubernetes")[1]
        assert (0, "up to date\n") == run("--check")

    def test_secrets(self, project: Path) -> None:
        """A file that is missing is a note; a secret in the configuration is noted and not printed."""
        path = project / "mlmetrics.toml"
        path.write_text(
            f'{ONE_SERVICE}[notify.page]\nopsgenie = {{ api_key = "s3cret" }}\n'
            f'[notify.ticket]\nslack = {{ api_url_file = "{project}/none" }}\n'
        )
        code, output = run()
        assert 0 == code
        assert "none: no such file on this machine" in output
        assert "notify.page.opsgenie.api_key is a secret" in output
        assert "s3cret" not in output
        holders = [each.name for each in project.rglob("*") if each.is_file() and "s3cret" in each.read_text()]
        assert ["alertmanager.yml", "mlmetrics.toml"] == sorted(holders)
