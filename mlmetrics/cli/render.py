"""`mlmetrics render`: write the files that Prometheus, Grafana, Docker Compose and Kubernetes read."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import click

from mlmetrics.cli.init.planning import Request, is_project, plan_project
from mlmetrics.cli.init.rendering import Rendering
from mlmetrics.cli.init.reporting import print_changes, print_problems, report_differences
from mlmetrics.cli.options import attempt, config_option
from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.loading import load
from mlmetrics.monitoring.output import Change, has_rendered_header, write
from mlmetrics.monitoring.output import plan as plan_changes
from mlmetrics.monitoring.remote_write import write_address
from mlmetrics.monitoring.targets import FOLDERS, TARGETS, Target, obsolete_files, project_files, target_files


@click.command()
@config_option
@click.option(
    "--target",
    type=click.Choice([*TARGETS, "all"]),
    default="all",
    show_default=True,
    help="What the files are for.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="The folder to write to. Default: that of `mlmetrics init`, else ./prometheus, ./grafana or ./kubernetes; "
    "for compose and all, the current folder.",
)
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit 1 if a file is out of date.")
@click.option("--tests", is_flag=True, help="Also write promtool's unit tests of the rules.")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="A label for the Kubernetes resources.")
@click.option("--remote-write", metavar="URL", help="Have Prometheus send every sample there, whatever the file says.")
@click.option(
    "--time-scale", type=float, default=1.0, show_default=True, help="Multiply every window and wait, for rehearsals."
)
def render(
    *,
    config_path: Path,
    target: Target | Literal["all"],
    output: Path | None,
    only_check: bool,
    tests: bool,
    labels: tuple[str, ...],
    remote_write: str | None,
    time_scale: float,
) -> None:
    """Write rules, dashboards and the files that start the servers, from the configuration.

    In a project of `mlmetrics init`, and without --output, this does what that command does when it is run again.
    Elsewhere, if a YAML file is in the way that mlmetrics did not render, nothing is written.
    """
    _refuse_useless_options(target, labels, time_scale, remote_write, tests=tests)
    if output is None and is_project(config_path):
        rendering = Rendering(
            None if target == "all" else target,
            attempt(lambda: _pairs(labels)),
            tests,
            lambda config: _with_options(config, time_scale, remote_write),
        )
        _render_project(config_path.parent, rendering, only_check=only_check)
        return
    directory = output or Path("" if target == "all" else FOLDERS[target])
    config = attempt(lambda: _configured(config_path, time_scale, remote_write))
    changes = attempt(lambda: _plan(config, target, directory, labels, tests=tests))
    pending = [change for change in changes if change.status != "unchanged"]
    if only_check:
        _report_stale(pending, directory)
        return
    attempt(lambda: _refuse_overwriting(pending, directory))
    attempt(lambda: write(directory, changes))
    for change in pending:
        click.echo(f"{'removed' if change.status == 'removed' else 'wrote'} {directory / change.name}")
    click.echo(f"{len(changes)} files, {len(pending)} changed")


def _render_project(directory: Path, rendering: Rendering, *, only_check: bool) -> None:
    """Do what `mlmetrics init` does when it is run again, without questions."""
    plan = attempt(lambda: plan_project(directory, Request(rendering=rendering)))
    print_problems(plan)
    if only_check:
        report_differences(plan)
        return
    attempt(lambda: write(directory, plan.changes, plan.manifest))
    print_changes(plan.changes)


def _configured(config_path: Path, time_scale: float, remote_write: str | None) -> Config:
    return _with_options(load(config_path), time_scale, remote_write)


def _with_options(config: Config, time_scale: float, remote_write: str | None) -> Config:
    """Return the configuration with what the options change in it."""
    config = config.scaled(time_scale)
    return config if remote_write is None else replace(config, remote_write=write_address(remote_write))


def _refuse_useless_options(
    target: str, labels: Sequence[str], time_scale: float, remote_write: str | None, *, tests: bool
) -> None:
    """Raise if an option would have no effect."""
    if labels and target not in ("kubernetes", "all"):
        raise click.UsageError("--label is for Kubernetes resources; expected --target kubernetes or all")
    if remote_write is not None and target not in ("prometheus", "all"):
        raise click.UsageError("--remote-write is for prometheus.yml; expected --target prometheus or all")
    if tests and (target not in ("prometheus", "all") or time_scale != 1):
        raise click.UsageError(
            "--tests is for rules in real time; expected --target prometheus or all, and no --time-scale"
        )


def _plan(
    config: Config, target: Target | Literal["all"], directory: Path, labels: Sequence[str], *, tests: bool
) -> list[Change]:
    pairs = _pairs(labels)
    if target == "all":
        files = project_files(config, TARGETS, labels=pairs, tests=tests)
        obsolete = [
            str(Path(FOLDERS[each], name))
            for each in TARGETS
            for name in obsolete_files(directory / FOLDERS[each], each)
        ]
    else:
        files = target_files(config, target, labels=pairs, tests=tests)
        obsolete = list(obsolete_files(directory, target))
    return plan_changes(directory, files, has_rendered_header, obsolete)


def _pairs(labels: Sequence[str]) -> dict[str, str]:
    for label in labels:
        name, equals, value = label.partition("=")
        if not (name and equals and value):
            raise ConfigurationError(f"--label = {label!r}: expected NAME=VALUE such as release=prometheus")
    return dict(label.split("=", 1) for label in labels)


def _report_stale(pending: Sequence[Change], directory: Path) -> None:
    for change in pending:
        click.echo(f"out of date: {directory / change.name}")
    if pending:
        raise click.exceptions.Exit(1)
    click.echo("up to date")


def _refuse_overwriting(pending: Sequence[Change], directory: Path) -> None:
    """Raise if a file that mlmetrics did not render would be overwritten; then nothing is written."""
    for change in pending:
        if change.status == "edited":
            raise ConfigurationError(
                f"{directory / change.name}: was not rendered by mlmetrics, and would be overwritten; "
                "move the file, or give another --output or --target; nothing was written"
            )
