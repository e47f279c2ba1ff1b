"""Who is told of alerts: the flag `--notify`, the question on a terminal, and `[notify]` as it is written."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import click
from pydantic import SecretStr

from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.loading import load
from mlmetrics.monitoring.notify import KINDS, PLACES, Kind, Receivers
from mlmetrics.monitoring.reading import HIDDEN, Section, read
from mlmetrics.monitoring.text import toml_value

NOTIFY_HELP = (
    "Who is told of alerts: [page:|ticket:|watchdog:]KIND=VALUE[,KEY=VALUE...], such as "
    "slack=/etc/alertmanager/secrets/slack. Without a place: of critical alerts and of all others."
)
_NOBODY = "-"
# The key that the first value stands for, by kind: with `_file` where the value is a path.
_MAIN: dict[Kind, str] = {
    "slack": "api_url",
    "email": "to",
    "pagerduty": "routing_key",
    "opsgenie": "api_key",
    "webhook": "url",
}
_QUESTIONS: dict[Kind, str] = {
    "slack": "file with the address of the incoming webhook, or the address",
    "email": "mail address",
    "pagerduty": "file with the integration key, or the key",
    "opsgenie": "file with the API key, or the key",
    "webhook": "address, or a file with it",
}
Table = dict[str, Any]


class _Flags(Section):
    """The section as it stands in a file, so that messages hide its values."""

    notify: Receivers


def chosen_receivers(flags: Sequence[str], present: Path, ask: Callable[[], list[str]]) -> Receivers:
    """Return whom the flags name, else who is told already, else whom the user names.

    Args:
        flags: the values of `--notify`.
        present: the configuration that is replaced, if it is there.
        ask: returns such values; it may ask the user.

    Raises:
        ConfigurationError: A value cannot work.
    """
    if flags:
        return parse_receivers(flags)
    try:
        kept = load(present).receivers
    except ConfigurationError:  # there is none, or it is half edited and replaced
        kept = Receivers()
    return kept if any(kept.named()) else parse_receivers(ask())


def parse_receivers(flags: Sequence[str]) -> Receivers:
    """Return the receivers that values of `--notify` name.

    Raises:
        ConfigurationError: A value has another form, or cannot work.
    """
    places: dict[str, Table] = {}
    for flag in flags:
        place, kind, table = _parsed(flag)
        for name in (place,) if place else ("page", "ticket"):
            places.setdefault(name, {})[kind] = table
    try:
        return read(_Flags, {"notify": places}).notify
    except ConfigurationError as error:
        raise ConfigurationError(f"--notify: {error}") from error


def _parsed(flag: str) -> tuple[str, str, Table]:
    head, equals, rest = flag.partition("=")
    place, _, kind = head.rpartition(":")
    if not equals or kind not in KINDS or place not in ("", *PLACES):
        raise ConfigurationError(
            f"--notify = {head if kind in KINDS else HIDDEN}: expected [PLACE:]KIND=VALUE, "
            f"KIND one of {', '.join(KINDS)}, PLACE one of {', '.join(PLACES)}; "
            "for example slack=/etc/alertmanager/secrets/slack"
        )
    value, *pairs = rest.split(",")
    more = [pair.partition("=") for pair in pairs]
    if not all(key and sign for key, sign, _ in more):
        raise ConfigurationError(f"--notify = {head}=...: expected KEY=VALUE after each comma, such as channel=#alerts")
    key = _MAIN[kind]
    main = f"{key}_file" if value.startswith("/") and kind != "email" else key
    return place, kind, {main: value, **{key: _value(text) for key, _, text in more}}


def _value(text: str) -> object:
    return text == "true" if text in ("true", "false") else text


def ask_receivers() -> list[str]:
    """Ask on the terminal who is told of alerts, and return the answer as values of `--notify`."""
    kinds = click.Choice([*get_args(Kind), _NOBODY])
    kind = click.prompt(f"Who is told of alerts? ('{_NOBODY}' is nobody)", type=kinds, default=_NOBODY)
    if kind == _NOBODY:
        return []
    words = [click.prompt(f"  {_QUESTIONS[kind]}")]
    if kind == "email":
        words += [
            f"{key}={click.prompt(f'  {question}')}"
            for key, question in (("from", "mail address of the sender"), ("smarthost", "mail server, as host:port"))
        ]
        if name := click.prompt("  name to log in with (empty: none)", default="", show_default=False):
            words += [f"auth_username={name}", f"auth_password_file={click.prompt('  file with the password')}"]
    return [f"{kind}={','.join(words)}"]


def notify_text(receivers: Receivers) -> str:
    """Return the section `[notify]` in TOML; if nobody is told, as a comment that says how to change that."""
    if not any(receivers.named()):
        return (
            "# NOBODY IS TOLD of alerts until receivers stand here, or `mlmetrics init --notify ...` writes them:\n"
            "# [notify.page]                     # critical alerts\n"
            '# slack = { api_url_file = "/etc/alertmanager/secrets/slack" }\n'
            "# [notify.ticket]                   # all other alerts\n"
            '# email = { to = "team@example.org", from = "alerts@example.org", smarthost = "smtp.example.org:25" }'
        )
    lines = []
    for path, receiver in receivers.named():
        lines += ["", f"[{path}]"]
        for name, field in type(receiver).model_fields.items():
            value = getattr(receiver, name)
            if value is not None and value != field.default:
                text = value.get_secret_value() if isinstance(value, SecretStr) else value
                lines.append(f"{field.validation_alias or name} = {toml_value(text)}")
    return "\n".join(lines[1:])
