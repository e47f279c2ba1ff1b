"""What a series begins with is counted by three alerts; here is what their rendered unit tests cannot show."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlmetrics.catalog import OPERATIONS
from mlmetrics.monitoring.operations import metrics_in_use
from mlmetrics.monitoring.prometheus.files import server_files
from mlmetrics.monitoring.rules.alerts import enabled_alerts
from mlmetrics.monitoring.rules.conditions import Growth
from mlmetrics.monitoring.rules.promql import series_of
from tests.monitoring.configurations import CONFIGURATIONS
from tests.monitoring.tools import PROMTOOL, run_tool

ALERTS = ("FallbacksExhausted", "AuthenticationOrQuotaFailures", "ModelLoadFailed")
CONFIG = replace(CONFIGURATIONS["clusters"], operations=OPERATIONS, metrics=metrics_in_use(OPERATIONS))
TARGET = {**dict.fromkeys(CONFIG.grouping, "one"), "job": "a job", "instance": "one:80"}
OTHER = {**TARGET, **dict.fromkeys(CONFIG.grouping, "two")}
STEPS = 60


def counted(alert: str) -> dict[str, str]:
    """Return the name and the labels of a series that an alert counts."""
    (condition,) = (each.condition for each in enabled_alerts(CONFIG) if each.name == alert)
    assert isinstance(condition, Growth)
    sample = condition.samples[0]
    return {"__name__": sample.name, "service": "a service", "model": "a model", **sample.labels}


def firing(folder: Path, alert: str, series: dict[str, str]) -> str:
    """Return what promtool says if an alert fires at any minute."""
    (folder / "alerts.yml").write_text(server_files(CONFIG)["rules/alerts.yml"], encoding="utf-8")
    test: dict[str, Any] = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [{"eval_time": f"{minute}m", "alertname": alert} for minute in range(STEPS)],
    }
    document = {"rule_files": ["alerts.yml"], "evaluation_interval": "1m", "tests": [test]}
    (folder / "alerts.test.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    code, output = run_tool(PROMTOOL, "test", "rules", "alerts.test.yml", folder=folder)
    return output if code else ""


@pytest.mark.parametrize("alert", ALERTS)
class TestNotBegun:
    """Series that only look as if they had begun."""

    def test_new_labels_of_a_target(self, tmp_path: Path, alert: str) -> None:
        """A label that is added to all targets makes new series of everything that was counted long ago."""
        labels = counted(alert)
        name = labels.pop("__name__")
        series: dict[str, str] = {}
        for env, values in {"": "{0}x29 stale", "production": "_x30 {0}x30"}.items():
            target = {**TARGET, "env": env}
            series |= {
                series_of(name, {**target, **labels}): values.format(7),
                series_of("up", target): values.format(1),
            }
        assert "" == firing(tmp_path, alert, series)

    def test_a_target_of_the_same_name_elsewhere(self, tmp_path: Path, alert: str) -> None:
        """Samples of one cluster are missing; that the other one has an instance of this name tells nothing of it."""
        labels = counted(alert)
        name = labels.pop("__name__")
        series = {series_of("up", OTHER): "1x60"}
        series |= {
            series_of(name, {**TARGET, **labels}): "7x20 stale _x20 7x20",
            series_of("up", TARGET): "1x20 stale _x20 1x20",
        }
        assert "" == firing(tmp_path, alert, series)
