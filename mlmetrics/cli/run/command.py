"""The command `mlmetrics run`: which directory the server gets, and what the caller is told."""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import click

from mlmetrics.cli.errors import CommandError
from mlmetrics.cli.run.page import live_page_beside
from mlmetrics.cli.run.private import (
    PrivateDirectory,
    UnusableDirectoryError,
    check_directory,
    parents,
    remove_leftovers,
)
from mlmetrics.cli.run.wrapped import holding_signals, run_wrapped
from mlmetrics.workers.directory import VARIABLE

NOT_EXECUTABLE, NOT_FOUND = 126, 127
"""What shells answer for a command that they cannot start."""


@click.command(context_settings={"allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option(
    "--directory",
    "parent",
    type=click.Path(path_type=Path),
    help="Where to make the private directory; by default in memory (/dev/shm, $XDG_RUNTIME_DIR), else in $TMPDIR.",
)
@click.option("--live", "has_page", is_flag=True, help="Open the live page beside it (extra `live`).")
def run(*, command: tuple[str, ...], parent: Path | None, has_page: bool) -> None:
    """Run COMMAND, a server of several processes, so that each of them answers scrapes for all.

    Their metrics meet in a private directory, which is removed at the end. If PROMETHEUS_MULTIPROC_DIR is set, the
    directory that it names is used instead, and kept.

    Example: mlmetrics run -- uvicorn app:app --workers 4

    With --live, a page in the browser shows what COMMAND records, at the address that is printed once it listens:
    mlmetrics run --live -- uvicorn app:app --reload

    Signals are handed on to COMMAND. The exit code is that of COMMAND; 128 + n if signal n has ended it, 127 if it is
    not found, 126 if it cannot be executed, 2 if the directory cannot be used.
    """
    given = os.environ.get(VARIABLE)
    if given and parent is not None:
        raise click.UsageError(f"{VARIABLE} names a directory already ({given}): unset it, or leave out --directory")
    try:
        with holding_signals(), live_page_beside() if has_page else nullcontext():  # until the directory is removed
            code = _run_in_given(command, Path(given)) if given else _run_in_private(command, parent)
    except UnusableDirectoryError as error:
        raise CommandError(str(error)) from error
    raise click.exceptions.Exit(code)


def _run_in_given(command: Sequence[str], directory: Path) -> int:
    check_directory(directory)
    _tell(f"{VARIABLE} is set: {directory} is used, and kept at the end")
    return _started(command, os.environ)


def _run_in_private(command: Sequence[str], parent: Path | None) -> int:
    places = tuple(parents()) if parent is None else (parent,)
    for place in places:
        remove_leftovers(place)
    directory = _made_in(places)
    try:
        os.set_inheritable(directory.lock, True)  # noqa: FBT003 (its signature)
        return _started(command, {**os.environ, VARIABLE: str(directory.path)})
    finally:
        if not directory.end():
            _tell(f"{directory.path} is kept: processes of the server still run; the next `mlmetrics run` removes it")


def _made_in(places: Iterable[Path]) -> PrivateDirectory:
    """Return a private directory in the first of these places where one can be made."""
    problem = UnusableDirectoryError("there is no directory that can be written, such as /tmp; give one by --directory")
    for place in places:
        try:
            return PrivateDirectory(place)
        except UnusableDirectoryError as error:
            problem = error
    raise problem


def _started(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run the command; the exit code is that of a shell."""
    try:
        return run_wrapped(command, environment)
    except FileNotFoundError:
        beside = Path(sys.executable).with_name(command[0])
        _tell(f"{command[0]}: command not found{f'; there is {beside}' if beside.is_file() else ''}")
        return NOT_FOUND
    except OSError as error:
        _tell(f"{command[0]}: cannot be executed: {error.strerror}")
        return NOT_EXECUTABLE


def _tell(text: str) -> None:
    click.echo(f"mlmetrics run: {text}", err=True)
