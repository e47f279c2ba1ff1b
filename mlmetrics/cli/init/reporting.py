"""How planned changes are told: in lines, as differences, as JSON; `mlmetrics render` tells them in the same way."""

import json
from collections import Counter
from collections.abc import Sequence

import click

from mlmetrics.cli.init.instructions import lines_for, place_of
from mlmetrics.cli.init.planning import ProjectPlan
from mlmetrics.monitoring.output import Change, Status

_WORDS: dict[Status, str] = {
    "new": "new",
    "updated": "updated",
    "removed": "removed",
    "edited": "edited by you, not changed",
}
_COLOURS: dict[Status, str] = {"new": "green", "updated": "yellow", "removed": "red", "edited": "cyan"}
# If more files than this have the same status, they are counted and not listed.
_MAX_LISTED = 12


def json_text(plan: ProjectPlan) -> str:
    """Return a plan as JSON."""
    services = [
        {
            "name": each.name,
            "target": each.target,
            "confirmed": each.confirmed,
            "why": each.why,
            "where": place_of(each),
            "instrumented": bool(each.app and each.app.instrumented),
            "lines": lines_for(each),
        }
        for each in plan.services
    ]
    files = {change.name: change.status for change in plan.changes if change.status != "skipped"}
    return json.dumps({"services": services, "files": files, "problems": plan.problems}, indent=2)


def print_changes(changes: Sequence[Change]) -> None:
    """Print the files that are written, removed or left alone, and how many there are of each kind."""
    counts: Counter[Status] = Counter(change.status for change in changes if change.status != "skipped")
    for change in changes:
        listed = change.status in _WORDS and counts[change.status] <= _MAX_LISTED
        if change.status == "edited" or listed:
            click.echo(f"{click.style(_WORDS[change.status], fg=_COLOURS[change.status])}: {change.name}")
    click.echo(", ".join(f"{count} {status}" for status, count in sorted(counts.items())))


def print_diff(changes: Sequence[Change]) -> None:
    """Print the difference that each change makes."""
    pending = [change for change in changes if change.status in _WORDS]
    for change in pending:
        click.echo(click.style(f"{change.name}: {_WORDS[change.status]}", bold=True))
        click.echo(change.diff(), nl=False)
    if not pending:
        click.echo("nothing would change")


def print_problems(plan: ProjectPlan) -> None:
    """Print what is not written or does not fit, to standard error."""
    for problem in plan.problems:
        click.echo(f"{click.style('not settled', fg='red', bold=True)}: {problem}", err=True)


def report_differences(plan: ProjectPlan) -> None:
    """Print the files that are out of date.

    Raises:
        click.exceptions.Exit: There is one; the exit code is 1.
    """
    for change in plan.differences:
        edited = ", edited by you; --force takes ours back" if change.status == "edited" else ""
        click.echo(f"out of date: {change.name}{edited}")
    if plan.differences:
        raise click.exceptions.Exit(1)
    click.echo("up to date")
