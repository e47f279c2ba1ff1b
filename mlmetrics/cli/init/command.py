"""`mlmetrics init`: add the monitoring to a project."""

import sys
from pathlib import Path

import click

from mlmetrics.cli.init.instructions import instructions
from mlmetrics.cli.init.planning import Request, plan_project
from mlmetrics.cli.init.questions import ask as ask_about
from mlmetrics.cli.init.receivers import NOTIFY_HELP, ask_receivers
from mlmetrics.cli.init.reporting import json_text, print_changes, print_diff, print_problems, report_differences
from mlmetrics.cli.notify_advice import echo_advice
from mlmetrics.cli.options import attempt
from mlmetrics.monitoring.output import write


@click.command()
@click.argument("directory", type=click.Path(path_type=Path), default=".")
@click.option(
    "--service",
    "named",
    multiple=True,
    metavar="NAME=[HOST:]PORT",
    help="Settles the address of a service that is found; other names replace those that are found.",
)
@click.option("--leave-out", "left_out", multiple=True, metavar="NAME", help="Leave out a service that is found.")
@click.option("--title", help="The title of the main dashboard.")
@click.option(
    "--url", "urls", multiple=True, metavar="URL", help="The /metrics page of a running service; says what it records."
)
@click.option("--notify", "notified", multiple=True, metavar="KIND=VALUE", help=NOTIFY_HELP)
@click.option("--ask/--no-ask", default=None, help="Ask about guesses and clashes; the default is to, on a terminal.")
@click.option(
    "--force",
    "forced",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Overwrite this file although it was edited.",
)
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit 1 if a file is out of date.")
@click.option("--diff", "only_diff", is_flag=True, help="Write nothing; print what would change.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def init(
    *,
    directory: Path,
    named: tuple[str, ...],
    left_out: tuple[str, ...],
    title: str | None,
    urls: tuple[str, ...],
    notified: tuple[str, ...],
    ask: bool | None,
    forced: tuple[Path, ...],
    only_check: bool,
    only_diff: bool,
    as_json: bool,
) -> None:
    """Write mlmetrics.toml and the folder monitoring/ into the FastAPI project at DIRECTORY.

    A second run updates the files that the first run wrote, but not those that were edited since. Exit codes: 0
    success, 1 --check found a difference, 2 the command could not run, and nothing was written.
    """
    asking = not (as_json or only_check) and (sys.stdin.isatty() if ask is None else ask)
    request = Request(
        named,
        left_out,
        title,
        forced,
        notified,
        urls=urls,
        review=ask_about if asking else None,
        ask_receivers=ask_receivers if asking else None,
    )
    plan = attempt(lambda: plan_project(directory, request))
    if not (only_diff or only_check):
        attempt(lambda: write(directory, plan.changes, plan.manifest))
    if as_json:
        click.echo(json_text(plan))
    elif only_diff:
        print_diff(plan.changes)
    elif not only_check:
        print_changes(plan.changes)
        click.echo(f"\n{instructions(plan.services, plan.config, directory, is_kept=plan.is_kept)}")
        echo_advice(plan.config)
    if not as_json:
        print_problems(plan)
    if only_check and not as_json:
        report_differences(plan)
    elif only_check and plan.differences:
        raise click.exceptions.Exit(1)
