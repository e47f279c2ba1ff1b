"""Shared by several commands: the option for the configuration, and the printing of errors in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from mlmetrics.cli.errors import CommandError
from mlmetrics.errors import MLMetricsError
from mlmetrics.monitoring.loading import find_configuration

_Result = TypeVar("_Result")


config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=find_configuration,
    show_default="mlmetrics.toml, or [tool.mlmetrics] in pyproject.toml",
    help="The configuration to read.",
)


def attempt(work: Callable[[], _Result]) -> _Result:
    """Return the result of a function; an error of mlmetrics is printed in one line, with exit code 2."""
    try:
        return work()
    except MLMetricsError as error:
        raise CommandError(str(error)) from error
