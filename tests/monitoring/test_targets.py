"""The committed files of every target are what is rendered now, and the servers accept them."""

import subprocess
import sys
from pathlib import Path

import pytest

from mlmetrics.monitoring.loading import load
from mlmetrics.monitoring.output import has_rendered_header, plan
from mlmetrics.monitoring.targets import FOLDERS, TARGETS, Target, obsolete_files, project_files, target_files
from tests.programs import find_program

ROOT = Path(__file__).parents[2]
CONFIG = load(ROOT / "mlmetrics.toml")
RENDER = """
import json
from mlmetrics.monitoring.targets import TARGETS, project_files
from tests.monitoring.configurations import CONFIGURATIONS
print(json.dumps([project_files(config, TARGETS, tests=True) for config in CONFIGURATIONS.values()]))
"""


class TestCommitted:
    """What stands at the top of the repository."""

    @pytest.mark.parametrize("target", TARGETS)
    def test_is_up_to_date(self, target: Target) -> None:
        """Every rendered file is committed as it is rendered now, and none is left over."""
        folder = ROOT / FOLDERS[target]
        changes = plan(folder, target_files(CONFIG, target), has_rendered_header, obsolete_files(folder, target))
        assert {"unchanged"} == {change.fate for change in changes}, changes

    def test_grafana_has_nothing_else(self) -> None:
        """The folder `grafana` holds what the configuration renders, and nothing else."""
        held = {str(path.relative_to(ROOT / "grafana")) for path in (ROOT / "grafana").rglob("*") if path.is_file()}
        assert set(target_files(CONFIG, "grafana")) == held

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


class TestFiles:
    """`target_files` and `project_files`."""

    def test_each_target_stands_in_its_folder(self) -> None:
        """The files of a project are those of its targets, each in the target's folder."""
        files = project_files(CONFIG, TARGETS)
        assert {"prometheus", "grafana", "kubernetes", "docker-compose.yml", ".env.example"} == {
            name.partition("/")[0] for name in files
        }
        assert files["prometheus/prometheus.yml"] == target_files(CONFIG, "prometheus")["prometheus.yml"]

    def test_unit_tests_of_rules_on_request(self) -> None:
        """Unit tests of rules stand beside them if they are asked for."""
        plain, tested = target_files(CONFIG, "prometheus"), target_files(CONFIG, "prometheus", tests=True)
        assert not [name for name in plain if ".test." in name]
        assert "rules/ServiceDown.test.yml" in tested
        assert plain.items() < tested.items()

    def test_same_bytes_in_every_process(self) -> None:
        """Rendering does not depend on the order in which a process hashes texts."""
        texts = {
            subprocess.run(
                [sys.executable, "-c", RENDER],
                cwd=ROOT,
                env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
                capture_output=True,
                check=True,
            ).stdout
            for seed in ("1", "2")
        }
        assert 1 == len(texts)
