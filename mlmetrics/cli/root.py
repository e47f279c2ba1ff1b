"""`mlmetrics` on the command line: one group, each command in a file of its own."""

import sys

from mlmetrics.version import __version__, install_command

try:
    import click
    import grafana_foundation_sdk  # noqa: F401 - as below
    import pydantic  # noqa: F401 - as below
    import yaml  # noqa: F401 - imported here, so that its absence is reported in one line
except ImportError:
    sys.exit(f"mlmetrics: the command line needs the extra `cli`: {install_command('cli')}")

from mlmetrics.cli.check import check
from mlmetrics.cli.init.command import init
from mlmetrics.cli.plan import plan
from mlmetrics.cli.render import render


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="mlmetrics-toolkit")
def main() -> None:
    """Write the monitoring of ML services, and check that it works.

    Exit codes: 0 success, 1 something is wrong or out of date, 2 the command could not run.
    """


main.add_command(init)
main.add_command(render)
main.add_command(check)
main.add_command(plan)

if __name__ == "__main__":
    main()
