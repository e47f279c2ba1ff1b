"""What `init` and `render` say of the receivers and links of alerts that they have written."""

from collections.abc import Iterator
from pathlib import Path

import click

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.notify import KINDS, Receivers, Webhook, untold


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


def notes(receivers: Receivers) -> Iterator[str]:
    """Yield what a user should know of the secrets: those that stand in rendered files, and files that lack."""
    for path, receiver in receivers.named():
        name = f"{path}.{receiver.credential}"
        if receiver.literal is not None and not isinstance(receiver, Webhook):  # many a webhook has no secret
            yield f"{name} is a secret that stands in rendered files; {name}_file keeps it out of them"
        if isinstance(receiver, Webhook) and receiver.file is not None:
            yield f"{name}_file needs Alertmanager 0.26 or later; earlier ones refuse the file alertmanager.yml"
        if receiver.file is not None and (problem := _problem(Path(receiver.file))):
            yield f"{name}_file = {receiver.file}: {problem}"


def _problem(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return "no such file on this machine; Alertmanager needs it where it runs"
    except OSError:
        return ""  # for Alertmanager alone to read
    if not content.strip():
        return "is empty; expected the secret"
    if content.endswith(b"\n"):
        return "ends with a line break, which old versions of Alertmanager take for a part of the secret"
    return ""
