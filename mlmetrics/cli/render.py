"""`mlmetrics render`: write what Prometheus and Alertmanager read."""

from pathlib import Path

import click

from mlmetrics.cli.options import attempt, config_option
from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.deploy.prometheus_rule import kubernetes_files
from mlmetrics.monitoring.loading import load
from mlmetrics.monitoring.output import stale_files, write_files
from mlmetrics.monitoring.prometheus.files import plain_files


@click.command()
@config_option
@click.option(
    "--output", type=click.Path(path_type=Path), default="prometheus", show_default=True, help="The folder to write to."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["plain", "kubernetes"]),
    default="plain",
    show_default=True,
    help="Plain files, or PrometheusRule resources.",
)
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="A label for the Kubernetes resources.")
@click.option(
    "--time-scale", type=float, default=1.0, show_default=True, help="Multiply every window and wait, for rehearsals."
)
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit 1 if a file is out of date.")
def render(
    config_path: Path, output: Path, form: str, labels: tuple[str, ...], *, time_scale: float, only_check: bool
) -> None:
    """Write rules and the configurations of Prometheus and Alertmanager."""
    files = attempt(lambda: _files(config_path, form, labels, time_scale))
    if only_check:
        _complain(stale_files(files, output), output)
        return
    changed = attempt(lambda: write_files(files, output))
    for name in changed:
        click.echo(f"{'wrote' if name in files else 'removed'} {output / name}")
    click.echo(f"{len(files)} files, {len(changed)} changed")


def _files(config_path: Path, form: str, labels: tuple[str, ...], time_scale: float) -> dict[str, str]:
    config = load(config_path).scaled(time_scale)
    return kubernetes_files(config, _pairs(labels)) if form == "kubernetes" else plain_files(config)


def _pairs(labels: tuple[str, ...]) -> dict[str, str]:
    for label in labels:
        name, equals, value = label.partition("=")
        if not (name and equals and value):
            message = f"--label = {label!r}: expected NAME=VALUE such as release=prometheus"
            raise ConfigurationError(message)
    return dict(label.split("=", 1) for label in labels)


def _complain(stale: list[str], output: Path) -> None:
    for name in stale:
        click.echo(f"out of date: {output / name}")
    if stale:
        raise click.exceptions.Exit(1)
    click.echo("up to date")
