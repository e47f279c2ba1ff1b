"""How a command says that it could not be done; apart from the other options, which load what reads configurations."""

import click


class CannotWork(click.ClickException):
    """An error that is printed in one line, with exit code 2."""

    exit_code = 2
