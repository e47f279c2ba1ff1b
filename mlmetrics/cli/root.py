"""`mlmetrics` on the command line: one group, each command in a file of its own, loaded when it is asked for."""

import sys
from importlib import import_module
from importlib.util import find_spec

from mlmetrics.version import __version__, install_command

WITHOUT_EXTRA = f"mlmetrics: the command line needs the extra `cli`: {install_command('cli')}"
try:
    import click
except ImportError:
    sys.exit(WITHOUT_EXTRA)

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
OF_EXTRA = ("grafana_foundation_sdk", "promql_parser", "pydantic", "yaml")
OF_LIVE = (*OF_EXTRA, "starlette", "uvicorn")
WITHOUT_LIVE = f"mlmetrics: the live page needs the extra `live`: {install_command('live')}"


class Commands(click.Group):
    """A group that loads a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click gives it)
        """Return the names of all commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 (as above)
        """Return the command of this name; without the extra that it needs, the program ends with one line."""
        if cmd_name not in COMMANDS:
            return None
        if cmd_name == "live" and not all(find_spec(name) for name in OF_LIVE):
            sys.exit(WITHOUT_LIVE)
        if cmd_name not in NEEDS_CLICK_ONLY and not all(find_spec(name) for name in OF_EXTRA):
            sys.exit(WITHOUT_EXTRA)
        command: click.Command = getattr(import_module(COMMANDS[cmd_name]), cmd_name)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="mlmetrics-toolkit")
def main() -> None:
    """Write the monitoring of ML services, and check that it works.

    Exit codes: 0 success, 1 something is wrong or out of date, 2 the command could not run.
    """


if __name__ == "__main__":
    main()
