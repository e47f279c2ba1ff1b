"""The files that Prometheus and Alertmanager read: their tools accept them, and promtool tests the rules."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.loading import parse
from mlmetrics.monitoring.prometheus import files as prometheus_files
from mlmetrics.monitoring.prometheus.files import server_files
from mlmetrics.monitoring.rules.alerts import DEFAULTS
from tests.monitoring.configurations import CONFIGURATIONS, ONE_SERVICE
from tests.monitoring.tools import AMTOOL, PROMTOOL, only_alerts, rule_files, run_tool, write

ALERTS = "rules/alerts.yml"
every_configuration = pytest.mark.parametrize("name", CONFIGURATIONS)


def beside_one_alert(files: Mapping[str, str], tests: Mapping[str, str]) -> dict[str, str]:
    """Return the unit tests, those of an alert on a file of its rules alone, and these files.

    promtool evaluates all rules that a test names, at each of its steps, and looks at those of one alert.
    """
    document = yaml.safe_load(files[ALERTS])
    written = dict(tests)
    for test, text in tests.items():
        names = set(re.findall(r"alertname: (\w+)", text))
        if Path(ALERTS).name in yaml.safe_load(text.partition("evaluation_interval")[0])["rule_files"]:
            own = Path(ALERTS).with_name(f"{Path(test).stem}.alert.yml")
            written[test] = text.replace(f"- {Path(ALERTS).name}\n", f"- {own.name}\n", 1)
            written[str(own)] = yaml.safe_dump(only_alerts(document, names))
    return written


class TestServerFiles:
    """`server_files` returns the files that Prometheus and Alertmanager read."""

    @every_configuration
    @pytest.mark.parametrize("scale", [1, 1 / 60])
    def test_prometheus_and_alertmanager_accept_it(self, name: str, scale: float, tmp_path: Path) -> None:
        """The tools promtool and amtool accept the files, with all lint checks."""
        files = server_files(CONFIGURATIONS[name].scaled(scale))
        write(files, tmp_path)
        checks = (
            (PROMTOOL, ["check", "rules", "--lint=all", "--lint-fatal", *rule_files(files)]),
            (PROMTOOL, ["check", "config", "prometheus.yml"]),
            (AMTOOL, ["check-config", "alertmanager.yml"]),
        )
        for tool, arguments in checks:
            code, output = run_tool(tool, *arguments, folder=tmp_path)
            assert code == 0, output

    def test_a_disabled_alert_is_gone(self) -> None:
        """A disabled alert has neither a rule nor a unit test."""
        config = parse(ONE_SERVICE + "[alert.SlowScrape]\nenabled = false\n")
        assert "SlowScrape" not in server_files(config)["rules/alerts.yml"]
        assert "rules/SlowScrape.test.yml" not in prometheus_files.test_files(config)

    def test_pushed_metrics_keep_their_job(self) -> None:
        """The labels that a job has pushed under are kept; the gateway's own do not take their place."""
        document = yaml.safe_load(server_files(CONFIGURATIONS["clusters"])["prometheus.yml"])
        (job,) = (each for each in document["scrape_configs"] if each["job_name"] == "pushgateway")
        assert job["honor_labels"] is True
        assert [{"targets": ["pushgateway:9091"]}] == job["static_configs"]
        assert "pushgateway" not in server_files(CONFIGURATIONS["one service"])["prometheus.yml"]

    def test_scaled_rules_have_scaled_windows(self) -> None:
        """Windows and waits of scaled rules are multiplied by the scale."""
        rules = server_files(CONFIGURATIONS["shipped"].scaled(1 / 60))["rules/alerts.yml"]
        assert "fastapi_request_duration_seconds_count[5s]" in rules
        assert "[5m]" not in rules

    @every_configuration
    def test_holds_no_unit_tests(self, name: str) -> None:
        """The files do not contain the unit tests, which are rendered on request."""
        assert not [file for file in server_files(CONFIGURATIONS[name]) if ".test." in file]


class TestTestFiles:
    """`test_files` returns the unit tests of the rules."""

    @every_configuration
    def test_pass_on_the_rules_beside_them(self, name: str, tmp_path: Path) -> None:
        """The rendered unit tests pass on the rendered rules."""
        files, tests = server_files(CONFIGURATIONS[name]), prometheus_files.test_files(CONFIGURATIONS[name])
        # One service records everything: there, all rules are evaluated on the series of every test.
        write(files | (tests if name == "one service" else beside_one_alert(files, tests)), tmp_path)
        code, output = run_tool(PROMTOOL, "test", "rules", *tests, folder=tmp_path)
        assert code == 0, output

    def test_every_alert_fires_and_resolves(self) -> None:
        """Every alert has unit tests in which it fires, resolves and is silent; the Watchdog only fires."""
        files = prometheus_files.test_files(CONFIGURATIONS["one service"])  # which records everything
        for name in DEFAULTS:
            document = yaml.safe_load(files[f"rules/{name}.test.yml"])
            cases = [[bool(each.get("exp_alerts")) for each in test["alert_rule_test"]] for test in document["tests"]]
            assert any(any(firing) for firing in cases), f"{name} never fires"
            assert name == "Watchdog" or any(True in each and not each[-1] for each in cases), f"{name} never resolves"
            assert name == "Watchdog" or any(not any(firing) for firing in cases), f"{name} is never silent"

    def test_every_rule_file_is_tested(self) -> None:
        """Each file of rules has a unit test that names it."""
        config = CONFIGURATIONS["shipped"]
        documents = [yaml.safe_load(text) for text in prometheus_files.test_files(config).values()]
        tested = {f"rules/{name}" for document in documents for name in document["rule_files"]}
        assert set(rule_files(server_files(config))) == tested

    def test_are_refused_for_scaled_rules(self) -> None:
        """The tests are written for real time, so there are none for scaled rules."""
        with pytest.raises(ConfigurationError, match=r"time scale = 0\.5: expected 1"):
            prometheus_files.test_files(CONFIGURATIONS["one service"].scaled(0.5))
