"""The error of a command that could not run."""

import click


class CommandError(click.ClickException):
    """An error that is printed in one line, with exit code 2."""

    exit_code = 2
