"""The committed stack is what the code renders, and Prometheus and Alertmanager accept what it mounts."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlmetrics.monitoring.deploy import render
from mlmetrics.monitoring.grafana.provisioning import DASHBOARDS_PATH, DATASOURCE_UID
from mlmetrics.monitoring.loading import load
from mlmetrics.monitoring.output import stale_files
from tests.programs import find_program

ROOT = Path(__file__).parents[2]
CONFIG = load(ROOT / "mlmetrics.toml")


class TestCommitted:
    """What stands at the top of the repository."""

    @pytest.mark.parametrize("folder", [".", "kubernetes"])
    def test_is_up_to_date(self, folder: str) -> None:
        """Every rendered file is committed as it is rendered now."""
        assert [] == stale_files(render.committed_folders(CONFIG)[folder], ROOT / folder)

    def test_prometheus_accepts_its_mount(self) -> None:
        """What the composition mounts is a configuration with rules that promtool accepts."""
        promtool = find_program("promtool", package="prometheus")
        command = [promtool, "check", "config", str(ROOT / "prometheus" / "prometheus.yml")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert 0 == done.returncode, done.stderr

    def test_alertmanager_accepts_its_mount(self) -> None:
        """What the composition mounts is a configuration that amtool accepts."""
        amtool = find_program("amtool", package="prometheus-alertmanager")
        command = [amtool, "check-config", str(ROOT / "prometheus" / "alertmanager.yml")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert 0 == done.returncode, done.stderr


class TestProvisioning:
    """What Grafana finds when it starts."""

    def test_data_source(self) -> None:
        """One Prometheus, asked at the address that its container is told, windows fitting the scrapes."""
        source = provisioned("datasources/prometheus.yml")["datasources"][0]
        assert (DATASOURCE_UID, "prometheus", "$PROMETHEUS_URL") == (source["uid"], source["type"], source["url"])
        assert "15s" == source["jsonData"]["timeInterval"]

    def test_dashboards(self) -> None:
        """The folder is the one that the composition mounts, and nobody edits what is rendered."""
        provider = provisioned("dashboards/mlmetrics.yml")["providers"][0]
        composition = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
        assert f"./grafana/dashboards:{DASHBOARDS_PATH}:ro" in composition["services"]["grafana"]["volumes"]
        assert (DASHBOARDS_PATH, False) == (provider["options"]["path"], provider["allowUiUpdates"])


def provisioned(name: str) -> dict[str, Any]:
    """Return a provisioning file."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "grafana" / "provisioning" / name).read_text())
    return found


class TestCommand:
    """`python -m mlmetrics.monitoring.deploy.render`."""

    def test_writes_and_checks(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It writes what is missing, finds nothing to do then, and notices a change."""
        monkeypatch.chdir(tmp_path)
        arguments = ["--config", str(ROOT / "mlmetrics.toml")]
        assert 1 == render.main([*arguments, "--check"])
        assert 0 == render.main(arguments)
        assert 0 == render.main([*arguments, "--check"])
        (tmp_path / "docker-compose.yml").write_text("# Mine\n")
        capsys.readouterr()
        assert 1 == render.main([*arguments, "--check"])
        assert "out of date: docker-compose.yml\n" == capsys.readouterr().out
