"""Rendered rules as Kubernetes resources, and writing rendered files."""

from pathlib import Path

import pytest
import yaml

from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.deploy.prometheus_rule import kubernetes_files
from mlmetrics.monitoring.output import write_files
from mlmetrics.monitoring.prometheus.files import plain_files
from tests.monitoring.configurations import CONFIGURATIONS


class TestKubernetesFiles:
    """`kubernetes_files` returns the same rules as resources."""

    def test_resources_hold_the_rules_and_the_labels(self) -> None:
        """The operator's selector finds the rules by labels of the configuration and of the command."""
        config = CONFIGURATIONS["clusters"]
        resource = yaml.safe_load(kubernetes_files(config, {"tier": "gold"})["mlmetrics-alerts.yaml"])
        assert "PrometheusRule" == resource["kind"]
        assert "monitoring" == resource["metadata"]["namespace"]
        assert {"release": "prometheus", "tier": "gold"}.items() <= resource["metadata"]["labels"].items()
        assert yaml.safe_load(plain_files(config)["rules/alerts.yml"]) == resource["spec"]


class TestWriteFiles:
    """`write_files` writes all or nothing."""

    def test_writes_then_has_nothing_to_do(self, tmp_path: Path) -> None:
        """The second time nothing has changed."""
        files = plain_files(CONFIGURATIONS["one service"])
        assert sorted(files) == write_files(files, tmp_path)
        assert [] == write_files(files, tmp_path)

    def test_removes_what_is_no_longer_rendered(self, tmp_path: Path) -> None:
        """Rules of an objective that was taken out go; a file of the user's stays."""
        files = plain_files(CONFIGURATIONS["clusters"])
        write_files(files, tmp_path)
        mine = tmp_path / "rules" / "mine.yml"
        mine.write_text("groups: []\n")
        del files["rules/objective-2-almost-always.yml"]
        assert ["rules/objective-2-almost-always.yml"] == write_files(files, tmp_path)
        assert mine.exists()

    def test_nothing_half_written(self, tmp_path: Path) -> None:
        """An error while writing leaves the folder as it was."""
        write_files({"a.yml": "old"}, tmp_path)
        with pytest.raises(ConfigurationError, match="cannot be written"):
            write_files({"a.yml": "new", "a.yml/b.yml": "cannot be, a.yml is a file"}, tmp_path)
        assert ["a.yml"] == [path.name for path in tmp_path.iterdir()]
        assert "old" == (tmp_path / "a.yml").read_text()

    def test_folder_that_is_a_file(self, tmp_path: Path) -> None:
        """A folder that cannot be made is named."""
        (tmp_path / "taken").write_text("")
        with pytest.raises(ConfigurationError, match="taken: cannot be written"):
            write_files({"a.yml": ""}, tmp_path / "taken")
