"""`mlmetrics check`: checks that alerts can fire on a live service, and that panels show data."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from mlmetrics.cli.check_alertmanager import (
    alertmanager_findings,
    alertmanager_option,
    send_test_option,
    severity_option,
    tested,
)
from mlmetrics.cli.options import attempt, config_option
from mlmetrics.monitoring.config import Config, Severity
from mlmetrics.monitoring.loading import load
from mlmetrics.monitoring.verify.checks import Finding, check_page, check_prometheus
from mlmetrics.monitoring.verify.panel_queries import SLOW_MILLISECONDS, panel_findings, query_panels, results_text


@click.command()
@click.argument("url", required=False)
@config_option
@click.option("--prometheus", metavar="URL", help="Also check the targets and rules of a running Prometheus.")
@alertmanager_option
@send_test_option
@severity_option
@click.option("--panels", is_flag=True, help="Also run the query of every panel on that Prometheus, as Grafana does.")
@click.option("--by-name", is_flag=True, help="With --panels: select every value of a variable instead of All.")
@click.option(
    "--slow",
    "slow_milliseconds",
    type=float,
    default=SLOW_MILLISECONDS,
    show_default=True,
    metavar="MILLISECONDS",
    help="With --panels: a query that takes longer is an error.",
)
@click.option("--strict", is_flag=True, help="Treat notes, such as absent metrics, as errors.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def check(
    *,
    url: str | None,
    config_path: Path,
    prometheus: str | None,
    alertmanager: str | None,
    send_test: bool,
    severity: Severity,
    panels: bool,
    by_name: bool,
    slow_milliseconds: float,
    strict: bool,
    as_json: bool,
) -> None:
    """Check the /metrics page at URL: alerts that can never fire, labels with too many values, malformed samples.

    Exit codes: 0 no error was found, 1 an error was found, 2 the check could not run.
    """
    if url is None and prometheus is None and alertmanager is None:
        raise click.UsageError("give the URL of a /metrics page, or --prometheus URL, or --alertmanager URL")
    if send_test and alertmanager is None:
        raise click.UsageError("--send-test sends an alert to an Alertmanager; give --alertmanager URL too")
    if panels and prometheus is None:
        raise click.UsageError("--panels runs queries on a Prometheus; give --prometheus URL too")
    config = attempt(lambda: load(config_path))
    findings = attempt(lambda: _findings(config, url, prometheus))
    findings += attempt(lambda: alertmanager_findings(config, alertmanager))
    if send_test and alertmanager is not None:
        findings += attempt(lambda: tested(config, alertmanager, severity, quiet=as_json))
    if panels and prometheus is not None:
        results = query_panels(config, prometheus, by_name=by_name)
        findings += panel_findings(results, slow_milliseconds)
        if not as_json:
            click.echo(results_text(results))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _print(findings)
    if any(strict or finding.level == "error" for finding in findings):
        raise click.exceptions.Exit(1)


def _findings(config: Config, url: str | None, prometheus: str | None) -> list[Finding]:
    return [
        *(check_page(config, url) if url else []),
        *(check_prometheus(config, prometheus) if prometheus else []),
    ]


def _print(findings: Sequence[Finding]) -> None:
    for finding in sorted(findings, key=lambda finding: (finding.level, finding.kind)):
        colour = "red" if finding.level == "error" else None
        level = click.style(f"{finding.level:5}", fg=colour)
        click.echo(f"{level}  {finding.kind:11}  {finding.subject}: {finding.text}")
    errors = sum(finding.level == "error" for finding in findings)
    click.echo(f"{errors} errors, {len(findings) - errors} notes")
