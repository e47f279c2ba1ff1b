"""What is rendered: accepted by Prometheus and Alertmanager, proven by promtool, the same bytes each time."""

from pathlib import Path

import pytest
import yaml

from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.deploy.prometheus_rule import kubernetes_files
from mlmetrics.monitoring.loading import parse
from mlmetrics.monitoring.output import stale_files, write_files
from mlmetrics.monitoring.prometheus.files import plain_files
from mlmetrics.monitoring.rules.alerts import DEFAULTS
from tests.monitoring.configurations import CONFIGURATIONS, ONE_SERVICE, ROOT
from tests.monitoring.tools import AMTOOL, PROMTOOL, rule_files, run_tool, unit_tests, write

every_configuration = pytest.mark.parametrize("name", CONFIGURATIONS)


class TestPlainFiles:
    """`plain_files` returns what Prometheus and Alertmanager read."""

    @every_configuration
    @pytest.mark.parametrize("scale", [1, 1 / 60])
    def test_prometheus_and_alertmanager_accept_it(self, name: str, scale: float, tmp_path: Path) -> None:
        """The tools of Prometheus and Alertmanager find no fault, lint included."""
        files = plain_files(CONFIGURATIONS[name].scaled(scale))
        write(files, tmp_path)
        checks = (
            (PROMTOOL, ["check", "rules", "--lint=all", "--lint-fatal", *rule_files(files)]),
            (PROMTOOL, ["check", "config", "prometheus.yml"]),
            (AMTOOL, ["check-config", "alertmanager.yml"]),
        )
        for tool, arguments in checks:
            code, output = run_tool(tool, *arguments, folder=tmp_path)
            assert code == 0, output

    @every_configuration
    def test_unit_tests_pass(self, name: str, tmp_path: Path) -> None:
        """Every alert fires, resolves and keeps silent as its rendered unit tests say."""
        files = plain_files(CONFIGURATIONS[name])
        write(files, tmp_path)
        code, output = run_tool(PROMTOOL, "test", "rules", *unit_tests(files), folder=tmp_path)
        assert code == 0, output

    @every_configuration
    def test_twice_the_same_bytes(self, name: str) -> None:
        """Rendering is deterministic."""
        assert plain_files(CONFIGURATIONS[name]) == plain_files(CONFIGURATIONS[name])

    def test_committed_files_are_up_to_date(self) -> None:
        """The folder prometheus/ is what mlmetrics.toml says."""
        assert [] == stale_files(plain_files(CONFIGURATIONS["shipped"]), ROOT / "prometheus")

    def test_every_alert_has_a_unit_test_that_fires_and_resolves(self) -> None:
        """No alert is left without a proof; only the Watchdog never ends."""
        files = plain_files(CONFIGURATIONS["shipped"])
        for name in DEFAULTS:
            document = yaml.safe_load(files[f"rules/{name}.test.yml"])
            looks = [[bool(look.get("exp_alerts")) for look in test["alert_rule_test"]] for test in document["tests"]]
            assert any(any(look) for look in looks), f"{name} never fires"
            assert name == "Watchdog" or any(True in look and not look[-1] for look in looks), f"{name} never resolves"
            assert name == "Watchdog" or any(not any(look) for look in looks), f"{name} is never silent"

    def test_a_disabled_alert_is_gone(self) -> None:
        """A rule that is switched off leaves neither rule nor proof."""
        files = plain_files(parse(ONE_SERVICE + "[alert.SlowScrape]\nenabled = false\n"))
        assert "SlowScrape" not in files["rules/alerts.yml"]
        assert "rules/SlowScrape.test.yml" not in files

    def test_scaled_rules_have_scaled_windows(self) -> None:
        """A rehearsal's windows and waits are shorter by the scale."""
        rules = plain_files(CONFIGURATIONS["shipped"].scaled(1 / 60))["rules/alerts.yml"]
        assert "fastapi_request_duration_seconds_count[5s]" in rules
        assert "[5m]" not in rules


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
        """A proof of an alert that was switched off goes; a file of the user's stays."""
        files = plain_files(CONFIGURATIONS["one service"])
        write_files(files, tmp_path)
        mine = tmp_path / "rules" / "mine.yml"
        mine.write_text("groups: []\n")
        del files["rules/SlowScrape.test.yml"]
        assert ["rules/SlowScrape.test.yml"] == write_files(files, tmp_path)
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
