"""`mlmetrics check`: what it prints, and its exit codes."""

import json
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
    """Return the exit code and the output of the command."""
    result = CliRunner().invoke(main, ["check", *arguments])
    return result.exit_code, result.output


def test_json_and_exit_code(config: str) -> None:
    """A page without our metrics has notes only; a malformed page has errors and exit code 1."""
    with ThreadServer(FastAPI()) as server:
        page = f"{server.url}/openapi.json"
        code, output = run(page, "--config", config, "--json")
    assert 1 == code
    assert "malformed" in {finding["kind"] for finding in json.loads(output)}


def test_nothing_to_look_at(config: str) -> None:
    """Without a page and without a Prometheus there is nothing to check."""
    code, output = run("--config", config)
    assert 2 == code
    assert "give the URL" in output


def test_unreachable(config: str) -> None:
    """A service that does not answer gives exit code 2, not a finding."""
    code, output = run("http://127.0.0.1:1/metrics", "--config", config)
    assert 2 == code
    assert "cannot be read" in output
