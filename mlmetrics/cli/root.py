"""`mlmetrics` on the command line: one group, each command in a file of its own, loaded when it is asked for."""

import sys
from importlib import import_module

from mlmetrics.cli.extras import is_installed, told_without
from mlmetrics.version import __version__

try:
    import click
except ImportError:
    sys.exit(f"mlmetrics: {told_without('cli')}")

COMMANDS = {
    "check": "mlmetrics.cli.check",
    "init": "mlmetrics.cli.init.command",
    "live": "mlmetrics.cli.live",
    "plan": "mlmetrics.cli.plan",
    "render": "mlmetrics.cli.render",
    "run": "mlmetrics.cli.run.command",
}
NEEDS_CLICK_ONLY = {"run"}
"""A server on which it is installed need not have the rest of the extra, and `run` stays in memory beside it."""


class Commands(click.Group):
    """A group that loads a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click gives it)
        """Return the names of all commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 (as above)
        """Return the command of this name; without the extra that it needs, one that says so."""
        if cmd_name not in COMMANDS:
            return None
        extra = "live" if cmd_name == "live" else "cli"
        if cmd_name not in NEEDS_CLICK_ONLY and not is_installed(extra):
            return _command_without(extra, cmd_name)
        command: click.Command = getattr(import_module(COMMANDS[cmd_name]), cmd_name)
        return command


def _command_without(extra: str, name: str) -> click.Command:
    """Return a command that ends the program with one line, whatever its arguments are."""
    return click.Command(
        name,
        callback=lambda: sys.exit(f"mlmetrics: {told_without(extra)}"),
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        add_help_option=False,
        short_help=f"Needs the extra `{extra}`.",
    )


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="mlmetrics-toolkit")
def main() -> None:
    """Write the monitoring of ML services, and check that it works.

    Exit codes: 0 success, 1 something is wrong or out of date, 2 the command could not run.
    """


if __name__ == "__main__":
    main()
