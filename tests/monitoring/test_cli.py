"""`mlmetrics` on the command line: what it prints, and its exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from fastapi import FastAPI

from mlmetrics.cli.root import main
from tests.monitoring.configurations import ONE_SERVICE
from tests.servers import ThreadServer


@pytest.fixture
def config(tmp_path: Path) -> str:
    """Write a small configuration."""
    path = tmp_path / "mlmetrics.toml"
    path.write_text(ONE_SERVICE)
    return str(path)


def run(*arguments: str) -> tuple[int, str]:
    """Return the exit code and the output of a command."""
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, result.output


class TestRender:
    """`mlmetrics render`."""

    def test_writes_then_checks(self, config: str, tmp_path: Path) -> None:
        """What was written is up to date, until somebody edits it."""
        place = ("--config", config, "--output", str(tmp_path / "out"))
        assert 0 == run("render", *place)[0]
        assert (0, "up to date\n") == run("render", *place, "--check")
        (tmp_path / "out" / "prometheus.yml").write_text("edited")
        code, output = run("render", *place, "--check")
        assert 1 == code
        assert "out of date" in output

    def test_kubernetes_labels(self, config: str, tmp_path: Path) -> None:
        """Labels from the command line reach the resources."""
        form = ("--format", "kubernetes", "--label", "release=prom")
        assert 0 == run("render", "--config", config, "--output", str(tmp_path / "k8s"), *form)[0]
        assert "release: prom" in (tmp_path / "k8s" / "mlmetrics-alerts.yaml").read_text()

    def test_finds_the_table_in_pyproject(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where `mlmetrics.toml` is missing, `[tool.mlmetrics]` is read without being asked for."""
        monkeypatch.chdir(tmp_path)
        table = ONE_SERVICE.replace("[[service]]", "[[tool.mlmetrics.service]]")
        (tmp_path / "pyproject.toml").write_text(table)
        assert 0 == run("render")[0]
        assert "job_name: solo" in (tmp_path / "prometheus" / "prometheus.yml").read_text()
        assert (0, "up to date\n") == run("render", "--check", "--config", "pyproject.toml")

    def test_no_configuration_at_all(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without either file, the one that is missed is named."""
        monkeypatch.chdir(tmp_path)
        code, output = run("render")
        assert 2 == code
        assert "mlmetrics.toml: cannot be read" in output

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("--config", "nowhere.toml"), "nowhere.toml: cannot be read"),
            (("--time-scale", "7"), "time scale = 7.0"),
            (("--format", "kubernetes", "--label", "release"), "expected NAME=VALUE"),
        ],
    )
    def test_mistakes_write_nothing(self, config: str, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
        """A mistake is told in one line, with exit code 2, before anything is written."""
        code, output = run("render", "--config", config, "--output", str(tmp_path / "out"), *arguments)
        assert 2 == code
        assert words in output
        assert not (tmp_path / "out").exists()


class TestCheck:
    """`mlmetrics check`."""

    def test_json_and_exit_code(self, config: str) -> None:
        """A page without our metrics has notes only; strictly that is a failure."""
        with ThreadServer(FastAPI()) as server:
            page = f"{server.url}/openapi.json"
            code, output = run("check", page, "--config", config, "--json")
        assert 1 == code
        assert "malformed" in {finding["kind"] for finding in json.loads(output)}

    def test_nothing_to_look_at(self, config: str) -> None:
        """Without a page and without a Prometheus there is nothing to check."""
        code, output = run("check", "--config", config)
        assert 2 == code
        assert "give the URL" in output

    def test_unreachable(self, config: str) -> None:
        """A service that does not answer is exit code 2, not a finding."""
        code, output = run("check", "http://127.0.0.1:1/metrics", "--config", config)
        assert 2 == code
        assert "cannot be read" in output


class TestMain:
    """The program itself."""

    def test_help_fits_one_screen(self) -> None:
        """The help of the program names its commands within 24 lines of 80 columns."""
        done = subprocess.run(
            [sys.executable, "-m", "mlmetrics.cli", "--help"], capture_output=True, text=True, check=True
        )
        lines = done.stdout.splitlines()
        assert len(lines) <= 24
        assert max(map(len, lines)) <= 80
        assert {"render", "check"} <= set(done.stdout.split())
