"""`mlmetrics check`: can alerts fire on live services, do panels show data, do anybody's files ask for what is there.

Exit codes: 0 no error was found, 1 an error was found, 2 a page could not be read or the check could not run.
"""

import json
from collections.abc import Iterable, Sequence
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
from mlmetrics.monitoring.verify.checks import check_pages, check_prometheus, page_losses
from mlmetrics.monitoring.verify.files.check import Files, check_files
from mlmetrics.monitoring.verify.finding import Finding
from mlmetrics.monitoring.verify.pages import Pages, read_pages
from mlmetrics.monitoring.verify.panel_queries import SLOW_MILLISECONDS, panel_findings, query_panels, results_text

_EXISTING = click.Path(path_type=Path, dir_okay=False, exists=True)
_SEVERAL = ("--rules", "--dashboard")


class CheckCommand(click.Command):
    """A command whose options for files take several, as a shell writes them for `--rules rules/*.yml`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, the option written again before each further file."""
        return super().parse_args(ctx, list(_repeated(args)))


def _repeated(arguments: Iterable[str]) -> Iterable[str]:
    option, first = "", False
    for argument in arguments:
        if argument.startswith("-"):
            option, first = argument if argument in _SEVERAL else "", True
        elif option and not argument.startswith(("http://", "https://")):
            if not first:
                yield option
            first = False
        else:
            option = ""
        yield argument


@click.command(cls=CheckCommand)
@click.argument("urls", metavar="[URL]...", nargs=-1)
@config_option
@click.option(
    "--rules", metavar="FILE...", type=_EXISTING, multiple=True, help="Check these rule files, whoever wrote them."
)
@click.option(
    "--dashboard", "dashboards", metavar="FILE...", type=_EXISTING, multiple=True, help="Check these dashboards."
)
@click.option(
    "--target-label",
    "target_labels",
    metavar="NAME",
    multiple=True,
    help="With files: a label that Prometheus adds.",
)
@click.option("--prometheus", metavar="URL", help="Also ask a running Prometheus.")
@alertmanager_option
@send_test_option
@severity_option
@click.option("--panels", is_flag=True, help="Also run the query of every panel there.")
@click.option("--by-name", is_flag=True, help="With --panels: every value instead of All.")
@click.option(
    "--slow",
    "slow_milliseconds",
    type=float,
    default=SLOW_MILLISECONDS,
    show_default=True,
    metavar="MILLISECONDS",
    help="With --panels: a query that takes longer is an error.",
)
@click.option("--strict", is_flag=True, help="Treat notes as errors.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def check(
    *,
    urls: tuple[str, ...],
    config_path: Path,
    rules: tuple[Path, ...],
    dashboards: tuple[Path, ...],
    target_labels: tuple[str, ...],
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
    """Check the /metrics pages at URLs: alerts that can never fire, lost measurements, labels with too many values.

    With --rules or --dashboard those files are checked instead of the project's own: the metrics and labels that their
    queries ask for, bucket bounds, and comparisons that can never be true.

    Exit codes: 0 no error was found, 1 an error was found, 2 a page could not be read or the check could not run.
    """
    files = Files(rules, dashboards, frozenset(target_labels))
    if not (urls or prometheus or alertmanager):
        raise click.UsageError("give the URL of a /metrics page, or --prometheus URL, or --alertmanager URL")
    _refuse_useless_options(files, prometheus, alertmanager, panels=panels, send_test=send_test)
    pages = attempt(lambda: read_pages(urls))
    findings = [*pages.unreachable, *pages.other]
    if files:
        findings += attempt(lambda: _files_findings(files, pages, prometheus, quiet=as_json))
    else:
        config = attempt(lambda: load(config_path))
        findings += attempt(lambda: _findings(config, pages, prometheus))
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
        _print(findings, several=len(urls) > 1)
    if pages.unreachable:
        raise click.exceptions.Exit(2)
    if any(strict or finding.level == "error" for finding in findings):
        raise click.exceptions.Exit(1)


def _refuse_useless_options(
    files: Files, prometheus: str | None, alertmanager: str | None, *, panels: bool, send_test: bool
) -> None:
    """Raise if `--panels`, `--send-test` or `--alertmanager` would have no effect."""
    if send_test and alertmanager is None:
        raise click.UsageError("--send-test sends an alert to an Alertmanager; give --alertmanager URL too")
    if panels and prometheus is None:
        raise click.UsageError("--panels runs queries on a Prometheus; give --prometheus URL too")
    if panels and files:
        raise click.UsageError("--panels runs the project's own dashboards; leave it out with --rules and --dashboard")
    if alertmanager is not None and files:
        raise click.UsageError("--alertmanager is about the project's own alerts; leave it out with files")


def _findings(config: Config, pages: Pages, prometheus: str | None) -> list[Finding]:
    return [
        *check_pages(config, pages.read),
        *(check_prometheus(config, prometheus) if prometheus else []),
    ]


def _files_findings(files: Files, pages: Pages, prometheus: str | None, *, quiet: bool) -> list[Finding]:
    """Return what is wrong with files; without a page that could be read, nothing is known to check them by."""
    if not pages.read and prometheus is None:
        return []
    report = check_files(files, pages.read, prometheus)
    if not quiet:
        click.echo(f"{report.rules} rules and {report.queries} queries of dashboards were read")
    return [*page_losses(pages.read), *report.findings]


def _print(findings: Sequence[Finding], *, several: bool) -> None:
    for finding in sorted(findings, key=lambda finding: (finding.level, finding.kind)):
        colour = "red" if finding.level == "error" else None
        level = click.style(f"{finding.level:5}", fg=colour)
        where = f" ({finding.url})" if several and finding.url not in {"", finding.subject} else ""
        click.echo(f"{level}  {finding.kind:11}  {finding.subject}: {finding.text}{where}")
    errors = sum(finding.level == "error" for finding in findings)
    click.echo(f"{errors} errors, {len(findings) - errors} notes")
