"""The rules and dashboards in the wheel: up to date, without names of the example, for any service."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from examples.recruiting.addresses import SERVICES
from mlmetrics.monitoring.loading import load
from mlmetrics.monitoring.output import read_text
from tests.monitoring.shipped import FOLDER, shipped_files
from tests.monitoring.tools import PROMTOOL, run_tool
from tests.programs import find_program
from tests.promql import selectors

ROOT = Path(__file__).parents[2]
FILES = shipped_files()


def series(values: dict[str, str], job: str) -> list[dict[str, str]]:
    """Return input series of one instance of a job."""
    return [{"series": f'{name}{{job="{job}",instance="a:1"}}', "values": text} for name, text in values.items()]


def firing(
    tmp_path: Path, inputs: list[dict[str, str]], alert: str, minute: int, expected: list[dict[str, Any]]
) -> str:
    """Return promtool's error message if other alerts than the expected ones fire."""
    test = {
        "interval": "1m",
        "input_series": inputs,
        "alert_rule_test": [{"eval_time": f"{minute}m", "alertname": alert, "exp_alerts": expected}],
    }
    rules = str(FOLDER / "rules" / "alerts.yml")
    (tmp_path / "a.test.yml").write_text(yaml.safe_dump({"rule_files": [rules], "tests": [test]}))
    code, output = run_tool(PROMTOOL, "test", "rules", "a.test.yml", folder=tmp_path)
    return output if code else ""


def expected_alert(job: str, alert: str, summary: str, description: str) -> dict[str, Any]:
    """Return the alert of a job as promtool expects it."""
    rule = next(
        rule for rule in yaml.safe_load(FILES["rules/alerts.yml"])["groups"][0]["rules"] if rule["alert"] == alert
    )
    labels = {"severity": rule["labels"]["severity"], "job": job, "service": job}
    return {
        "exp_labels": labels if alert == "ServiceDown" else {**labels, "instance": "a:1"},
        "exp_annotations": {**rule["annotations"], "summary": summary, "description": description},
    }


class TestFiles:
    """The files in the package."""

    def test_is_up_to_date(self) -> None:
        """The folder holds what is rendered now, and nothing else."""
        held = {str(path.relative_to(FOLDER)): read_text(path) for path in FOLDER.rglob("*") if path.is_file()}
        assert FILES == held

    def test_names_nothing_of_the_example(self) -> None:
        """No service, objective or title of the example is in a rule, a dashboard or a runbook."""
        example = load(ROOT / "mlmetrics.toml")
        names = {service.name for service in SERVICES if service.name != "api"}
        names |= {objective.name for objective in example.objectives} | {example.name, example.title, "localhost"}
        runbooks = {path.name: path.read_text() for path in (ROOT / "docs" / "runbooks").glob("*.md")}
        found = [(file, name) for file, text in {**FILES, **runbooks}.items() for name in names if name in text]
        assert [] == found

    def test_matches_no_job_by_name(self) -> None:
        """Rules match no job by name, and panels only by the variable; there are no panels of hosts."""
        rules = [
            rule["expr"]
            for name, text in FILES.items()
            if name.startswith("rules/")
            for group in yaml.safe_load(text)["groups"]
            for rule in group["rules"]
        ]
        boards = [json.loads(text) for name, text in FILES.items() if name.startswith("dashboards/")]
        queries = [
            target["expr"] for board in boards for panel in board["panels"] for target in panel.get("targets", [])
        ]
        matchers = {match for query in [*rules, *queries] for each in selectors(query) for match in each.matchers}
        assert {("job", "=~", "$job")} == {match for match in matchers if match[0] == "job"}

    def test_all_jobs_are_those_of_mlmetrics(self) -> None:
        """The variable `job` offers jobs that run mlmetrics, and All stands for these only."""
        names = [name for name in FILES if name.startswith("dashboards/")]
        assert 5 == len(names)
        for name in names:
            variables = {each["name"]: each for each in json.loads(FILES[name])["templating"]["list"]}
            assert "label_values(mlmetrics_build_info, job)" == variables["job"]["query"]["query"]
            assert "allValue" not in variables["job"]

    def test_runbooks_stand_beside_them(self) -> None:
        """Each alert names a runbook that the wheel ships."""
        rules = yaml.safe_load(FILES["rules/alerts.yml"])["groups"][0]["rules"]
        named = {Path(rule["annotations"]["runbook_url"]) for rule in rules}
        assert {Path("runbooks")} == {path.parent for path in named}
        assert not [path for path in named if not (ROOT / "docs" / path).is_file()]


class TestRules:
    """The rules, run by promtool."""

    def test_promtool_accepts_them(self) -> None:
        """The rules pass the checks of promtool, with all lint checks."""
        promtool = find_program("promtool", package="prometheus")
        files = [str(path) for path in sorted((FOLDER / "rules").glob("*.yml"))]
        command = [promtool, "check", "rules", "--lint=all", "--lint-fatal", *files]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert 0 == done.returncode, done.stdout + done.stderr

    @pytest.mark.parametrize("up", ["1 1 0+0x10", "1 1 stale"], ids=["down", "no longer scraped"])
    def test_service_down(self, tmp_path: Path, up: str) -> None:
        """A service that has run mlmetrics is reported, whether it is down or no longer scraped."""
        inputs = series({"up": up, "mlmetrics_build_info": "1 1 stale"}, "shop")
        expected = expected_alert(
            "shop",
            "ServiceDown",
            "shop is down",
            "No instance of shop answers its scrapes, or none is configured any more.",
        )
        assert "" == firing(tmp_path, inputs, "ServiceDown", 8, [expected])
        assert "" == firing(tmp_path, inputs, "ServiceDown", 1, [])

    def test_instance_down(self, tmp_path: Path) -> None:
        """One instance of a service is reported."""
        inputs = series({"up": "1 1 0+0x10", "mlmetrics_build_info": "1 1 stale"}, "shop")
        expected = expected_alert("shop", "InstanceDown", "a:1 of shop is down", "a:1 does not answer its scrapes.")
        assert "" == firing(tmp_path, inputs, "InstanceDown", 9, [expected])

    def test_slow_scrape(self, tmp_path: Path) -> None:
        """A slow scrape of a service is reported."""
        inputs = series({"mlmetrics_build_info": "1+0x10", "up": "1+0x10", "scrape_duration_seconds": "3+0x10"}, "shop")
        expected = expected_alert("shop", "SlowScrape", "a:1 of shop is slow to scrape", "Its last scrape took 3 s.")
        assert "" == firing(tmp_path, inputs, "SlowScrape", 8, [expected])

    @pytest.mark.parametrize("alert", ["ServiceDown", "InstanceDown", "SlowScrape"])
    def test_other_programs_are_left_alone(self, tmp_path: Path, alert: str) -> None:
        """No alert fires for a job that never ran mlmetrics."""
        inputs = series({"up": "0+0x10", "scrape_duration_seconds": "60+0x10"}, "other")
        inputs += series(
            {"up": "1+0x10", "mlmetrics_build_info": "1+0x10", "scrape_duration_seconds": "0.1+0x10"}, "shop"
        )
        assert "" == firing(tmp_path, inputs, alert, 9, [])
