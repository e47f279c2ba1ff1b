"""`mlmetrics check`: whether the alerts can do their work on a live service."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from mlmetrics.cli.options import attempt, config_option
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.loading import load
from mlmetrics.monitoring.verify.checks import Finding, check_page, check_prometheus


@click.command()
@click.argument("url", required=False)
@config_option
@click.option("--prometheus", metavar="URL", help="Also ask a running Prometheus for targets and rules.")
@click.option("--strict", is_flag=True, help="Take notes, such as metrics that are absent, for errors.")
@click.option("--json", "as_json", is_flag=True, help="Print a list that programs can read.")
def check(*, url: str | None, config_path: Path, prometheus: str | None, strict: bool, as_json: bool) -> None:
    """Read a live /metrics at URL: alerts that could never fire, labels that grow, what is malformed.

    Exits with 0 if all is well, 1 if something is wrong, 2 if it could not be looked at.
    """
    if url is None and prometheus is None:
        message = "give the URL of a /metrics page, or --prometheus URL, or both"
        raise click.UsageError(message)
    findings = attempt(lambda: _findings(load(config_path), url, prometheus))
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


def _print(findings: list[Finding]) -> None:
    for finding in sorted(findings, key=lambda finding: (finding.level, finding.kind)):
        colour = "red" if finding.level == "error" else None
        level = click.style(f"{finding.level:5}", fg=colour)
        click.echo(f"{level}  {finding.kind:11}  {finding.subject}: {finding.text}")
    errors = sum(finding.level == "error" for finding in findings)
    click.echo(f"{errors} errors, {len(findings) - errors} notes")
