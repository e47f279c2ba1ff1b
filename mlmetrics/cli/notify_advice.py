"""What `init` and `render` say of the receivers and links of alerts that they have written."""

from collections.abc import Iterator

import click

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.notify import KINDS, notes, untold


def echo_advice(config: Config) -> None:
    """Print the advice, of alerts that nobody is told of in red."""
    for text in advice(config):
        loud = text == untold(config.receivers)
        click.echo(click.style(f"\n{text}", fg="red", bold=True) if loud else f"note: {text}")


def advice(config: Config) -> Iterator[str]:
    """Yield of which alerts nobody is told, what to know of secrets, and that runbooks are no links."""
    if silence := untold(config.receivers):
        yield silence
        yield (
            f"receivers ({', '.join(KINDS)}) stand in mlmetrics.toml, under [notify.page] and [notify.ticket]; "
            "`mlmetrics init --notify KIND=VALUE` writes them"
        )
    yield from notes(config.receivers)
    if "://" not in config.runbooks:
        yield (
            f"alerts name their runbooks as {config.runbooks}/NAME.md, which no browser opens; set [project] runbooks "
            'to an address, such as "https://github.com/OWNER/NAME/blob/main/monitoring/runbooks"'
        )
