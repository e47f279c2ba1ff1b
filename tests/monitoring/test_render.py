"""What is rendered: accepted by Prometheus and Alertmanager, proven by promtool, the same bytes each time."""

from pathlib import Path

import pytest
import yaml

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.loading import parse
from mlmetrics.monitoring.prometheus import files as prometheus_files
from mlmetrics.monitoring.prometheus.files import plain_files
from mlmetrics.monitoring.settings import DEFAULTS
from tests.monitoring.configurations import CONFIGURATIONS, ONE_SERVICE
from tests.monitoring.tools import AMTOOL, PROMTOOL, rule_files, run_tool, unit_tests, write

every_configuration = pytest.mark.parametrize("name", CONFIGURATIONS)


def with_tests(config: Config) -> dict[str, str]:
    """Return the rendered files with the unit tests of the rules."""
    return plain_files(config) | prometheus_files.test_files(config)


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
        files = with_tests(CONFIGURATIONS[name])
        write(files, tmp_path)
        code, output = run_tool(PROMTOOL, "test", "rules", *unit_tests(files), folder=tmp_path)
        assert code == 0, output

    @every_configuration
    def test_twice_the_same_bytes(self, name: str) -> None:
        """Rendering is deterministic."""
        assert plain_files(CONFIGURATIONS[name]) == plain_files(CONFIGURATIONS[name])

    def test_every_alert_has_a_unit_test_that_fires_and_resolves(self) -> None:
        """No alert is left without a proof; only the Watchdog never ends."""
        files = with_tests(CONFIGURATIONS["shipped"])
        for name in DEFAULTS:
            document = yaml.safe_load(files[f"rules/{name}.test.yml"])
            looks = [[bool(look.get("exp_alerts")) for look in test["alert_rule_test"]] for test in document["tests"]]
            assert any(any(look) for look in looks), f"{name} never fires"
            assert name == "Watchdog" or any(True in look and not look[-1] for look in looks), f"{name} never resolves"
            assert name == "Watchdog" or any(not any(look) for look in looks), f"{name} is never silent"

    def test_a_disabled_alert_is_gone(self) -> None:
        """A rule that is switched off leaves neither rule nor proof."""
        files = with_tests(parse(ONE_SERVICE + "[alert.SlowScrape]\nenabled = false\n"))
        assert "SlowScrape" not in files["rules/alerts.yml"]
        assert "rules/SlowScrape.test.yml" not in files

    def test_scaled_rules_have_scaled_windows(self) -> None:
        """A rehearsal's windows and waits are shorter by the scale."""
        rules = plain_files(CONFIGURATIONS["shipped"].scaled(1 / 60))["rules/alerts.yml"]
        assert "fastapi_request_duration_seconds_count[5s]" in rules
        assert "[5m]" not in rules
