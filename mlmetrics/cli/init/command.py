"""`mlmetrics init`: add the monitoring to a project."""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from mlmetrics.cli.init.instructions import instructions, lines_for, place_of
from mlmetrics.cli.init.planning import ProjectPlan, plan_project
from mlmetrics.cli.init.proposal import Proposal, parse_service
from mlmetrics.cli.init.receivers import NOTIFY_HELP, ask_receivers, chosen_receivers
from mlmetrics.cli.notify_advice import advice, echo_advice
from mlmetrics.cli.options import attempt
from mlmetrics.monitoring.deploy.compose import LOOPBACK, PORTS
from mlmetrics.monitoring.notify import masked
from mlmetrics.monitoring.output import Change, write

_WORDS = {"new": "new", "updated": "updated", "removed": "removed", "edited": "edited by you, not changed"}
_COLOURS = {"new": "green", "updated": "yellow", "removed": "red", "edited": "cyan"}
ALERTMANAGER = f"http://{LOOPBACK}:{PORTS['alertmanager']}"
# If more files than this have the same status, they are counted and not listed.
_MAX_LISTED = 12


@click.command()
@click.argument("directory", type=click.Path(path_type=Path), default=".")
@click.option(
    "--service", "named", multiple=True, metavar="NAME=[HOST:]PORT", help="A service; replaces those that are found."
)
@click.option("--title", help="The title of the main dashboard.")
@click.option("--notify", "notified", multiple=True, metavar="KIND=VALUE", help=NOTIFY_HELP)
@click.option("--ask/--no-ask", default=None, help="Ask for names and ports; the default is to ask on a terminal.")
@click.option("--diff", "only_diff", is_flag=True, help="Write nothing; print what would change.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def init(
    *,
    directory: Path,
    named: tuple[str, ...],
    title: str | None,
    notified: tuple[str, ...],
    ask: bool | None,
    only_diff: bool,
    as_json: bool,
) -> None:
    """Write mlmetrics.toml and the folder monitoring/ into the FastAPI project at DIRECTORY.

    A second run updates the files that the first run wrote, but not those that were edited since.
    Exit codes: 0 success, 2 the command could not run, and nothing was written.
    """
    asking = not as_json and (sys.stdin.isatty() if ask is None else ask)
    questions = ask_receivers if asking else list
    plan = attempt(
        lambda: plan_project(
            directory,
            named,
            title,
            _ask if asking else list,
            lambda present: chosen_receivers(notified, present, questions),
            notified=bool(notified),
        )
    )
    if not only_diff:
        attempt(lambda: write(directory, plan.changes, plan.manifest))
    if as_json:
        click.echo(json.dumps(_as_data(plan), indent=2))
    elif only_diff:
        _print_diff(plan.changes)
    else:
        _print_changes(plan.changes)
        click.echo(f"\n{instructions(plan.services, plan.config)}")
        if any(plan.config.receivers.named()):
            click.echo(f"\nTry the receivers:\n\n    mlmetrics check --alertmanager {ALERTMANAGER} --send-test\n")
        echo_advice(plan.config)


def _ask(found: Sequence[Proposal]) -> list[Proposal]:
    """Ask for the name and the port of each application; an application named '-' is left out."""
    chosen = []
    for each in found:
        click.echo(f"FastAPI application in {each.app.path if each.app else '?'}")
        name = click.prompt("  service name ('-' leaves it out)", default=each.name)
        if name != "-":
            port = click.prompt("  port", default=each.target.rpartition(":")[2])
            chosen.append(_named(name, port, each))
    return chosen


def _named(name: str, port: str, proposal: Proposal) -> Proposal:
    named = parse_service(f"{name}={port}")
    return Proposal(named.name, named.target, proposal.app)


def _as_data(plan: ProjectPlan) -> dict[str, object]:
    services = [
        {"name": each.name, "target": each.target, "where": place_of(each), "lines": lines_for(each)}
        for each in plan.services
    ]
    return {
        "services": services,
        "files": {change.name: change.status for change in plan.changes},
        "notes": list(advice(plan.config)),
    }


def _print_changes(changes: Sequence[Change]) -> None:
    counts = Counter(change.status for change in changes)
    for change in changes:
        if change.status == "edited" or (change.status != "unchanged" and counts[change.status] <= _MAX_LISTED):
            click.echo(f"{click.style(_WORDS[change.status], fg=_COLOURS[change.status])}: {change.name}")
    click.echo(", ".join(f"{count} {status}" for status, count in sorted(counts.items())))


def _print_diff(changes: Sequence[Change]) -> None:
    for change in changes:
        if change.status != "unchanged":
            click.echo(click.style(f"{change.name}: {_WORDS[change.status]}", bold=True))
            click.echo(masked(change.diff()), nl=False)
    if all(change.status == "unchanged" for change in changes):
        click.echo("nothing would change")
