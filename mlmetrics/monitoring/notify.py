"""`[notify]`: who is told of alerts. The kinds of receivers have the keys that they have in Alertmanager.

A secret stands in the file itself or, better, in a file of its own that only Alertmanager reads. No secret
of `[notify]` is ever printed: `reading` leaves values out of its messages, and `masked` leaves them out of differences.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Any, ClassVar, Literal, Self, get_args
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    SecretStr,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from mlmetrics.monitoring.labels import LONGEST_ADDRESS, is_label_value
from mlmetrics.monitoring.reading import HIDDEN, Expects, Flag, Section, key

Kind = Literal["slack", "email", "pagerduty", "opsgenie", "webhook"]
KINDS: tuple[Kind, ...] = get_args(Kind)
PLACES = ("page", "ticket", "watchdog")
_LAST_PORT = 65_535
_ADDRESS = "an address that begins with http:// or https://"
_TEXT = f"a text of 1 to {LONGEST_ADDRESS} printable characters without '{{{{' (Alertmanager expands those)"
_FILE = "the absolute path of a file, such as /etc/alertmanager/secrets/slack: Alertmanager reads it, where it runs"
_MAIL = "a mail address such as team@example.org"
_SMARTHOST = "the mail server as host:port, such as smtp.example.org:587"


def _text(text: str) -> str:
    if not is_label_value(text, LONGEST_ADDRESS):
        raise ValueError(_TEXT)
    return text


def _address(text: str) -> str:
    try:
        parts = urlsplit(_text(text))
        known = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known:
        raise ValueError(_ADDRESS)
    return text


def _file(text: str) -> str:
    if not PurePosixPath(_text(text)).is_absolute():
        raise ValueError(_FILE)
    return text


def _mail(text: str) -> str:
    if not all(re.fullmatch(r"[^@,]*[^@\s,]@[^@\s,]+", each.strip()) for each in _text(text).split(",")):
        raise ValueError(_MAIL)
    return text


def _smarthost(text: str) -> str:
    host, _, port = _text(text).rpartition(":")
    if not (host and "/" not in host and port.isdecimal() and 0 < int(port) <= _LAST_PORT):
        raise ValueError(_SMARTHOST)
    return text


def _secret_text(secret: SecretStr) -> SecretStr:
    _text(secret.get_secret_value())
    return secret


def _secret_address(secret: SecretStr) -> SecretStr:
    _address(secret.get_secret_value())
    return secret


Line = Annotated[str, AfterValidator(_text), Expects(_TEXT)]
Address = Annotated[str, AfterValidator(_address), Expects(_ADDRESS)]
SecretFile = Annotated[str, AfterValidator(_file), Expects(_FILE)]
Secret = Annotated[SecretStr, AfterValidator(_secret_text), Expects(_TEXT)]
SecretAddress = Annotated[SecretStr, AfterValidator(_secret_address), Expects(_ADDRESS)]


class Receiver(Section):
    """Where messages go. `credential` names the key of the secret; with `_file`, that of its file."""

    credential: ClassVar[str]
    needs_credential: ClassVar[bool] = True

    @property
    def literal(self) -> SecretStr | None:
        """The secret, if it stands in the configuration."""
        found: SecretStr | None = getattr(self, self.credential)
        return found

    @property
    def file(self) -> str | None:
        """The path of the secret's file, if it stands in one."""
        found: str | None = getattr(self, f"{self.credential}_file")
        return found

    @model_validator(mode="after")
    def _check_secret(self) -> Self:
        if self.literal is not None and self.file is not None:
            raise ValueError(f"either {self.credential} or {self.credential}_file, not both")
        if self.needs_credential and self.literal is None and self.file is None:
            raise ValueError(f'{self.credential}_file = "/path/of/a/file", or {self.credential} itself')
        return self


class Slack(Receiver):
    """An incoming webhook of Slack."""

    credential = "api_url"

    api_url: SecretAddress | None = key("Address of the incoming webhook: a secret.", default=None)
    api_url_file: SecretFile | None = key("File that holds this address.", default=None)
    channel: Line | None = key("Channel, such as #alerts, where the webhook leaves a choice.", default=None)


class Email(Receiver):
    """Mail through an SMTP server, with STARTTLS; on port 465 with TLS from the start."""

    credential = "auth_password"
    needs_credential = False

    to: Annotated[str, AfterValidator(_mail), Expects(_MAIL)] = key("Address of the reader; several with commas.")
    sender: Annotated[str, AfterValidator(_mail), Expects(_MAIL)] = key("Address of the sender.", name="from")
    smarthost: Annotated[str, AfterValidator(_smarthost), Expects(_SMARTHOST)] = key("Mail server, as host:port.")
    auth_username: Line | None = key("Name to log in with; without one, nobody logs in.", default=None)
    auth_password: Secret | None = key("Password to log in with: a secret.", default=None)
    auth_password_file: SecretFile | None = key("File that holds this password.", default=None)
    require_tls: Flag = key("Whether to refuse a mail server without STARTTLS.", default=True)

    @model_validator(mode="after")
    def _check_login(self) -> Self:
        if (self.auth_username is None) != (self.literal is None and self.file is None):
            raise ValueError("both auth_username and a password (auth_password_file or auth_password), or neither")
        return self


class PagerDuty(Receiver):
    """An integration of PagerDuty of the type Events API v2."""

    credential = "routing_key"

    routing_key: Secret | None = key("Integration key: a secret.", default=None)
    routing_key_file: SecretFile | None = key("File that holds this key.", default=None)
    url: Address | None = key("Address of the events API, where it is not the usual one.", default=None)


class Opsgenie(Receiver):
    """An API integration of Opsgenie."""

    credential = "api_key"

    api_key: Secret | None = key("Key of the integration: a secret.", default=None)
    api_key_file: SecretFile | None = key("File that holds this key.", default=None)
    api_url: Address | None = key("Address of the API, where it is not https://api.opsgenie.com/.", default=None)


class Webhook(Receiver):
    """Any address; Alertmanager sends its JSON there. A place that is an address in quotes is one of these."""

    credential = "url"

    url: SecretAddress | None = key("Address: a secret.", default=None)
    url_file: SecretFile | None = key("File that holds this address; needs Alertmanager 0.26.", default=None)


# The values of credentials and places, in TOML and in YAML: a text in quotes, or the rest of the line.
_SECRET = re.compile(
    rf"""\b((?:{"|".join((*(each.credential for each in Receiver.__subclasses__()), *PLACES))})["']?\s*[=:][ \t]+)"""
    r"""("(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[^\s{|].*)"""
)


@dataclass(frozen=True, slots=True)
class OrAddress:
    """Annotates a place: an address in quotes is a webhook there, and an empty text is nobody."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Have texts become tables before the place is checked."""
        return core_schema.no_info_before_validator_function(self._table, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Describe both forms."""
        return {"anyOf": [{"type": "string"}, handler(schema)]}

    def _table(self, value: object) -> object:
        if not isinstance(value, str):
            return value
        return {"webhook": {"url": _address(value)}} if value else {}


class Switch(Section):
    """The receiver of an alert that always fires: a dead man's switch, which alarms when it hears nothing."""

    webhook: Webhook | None = key("The webhook that is called every 5 minutes.", default=None)

    @property
    def receivers(self) -> dict[Kind, Receiver]:
        """The receivers by kind, in the order of `KINDS`."""
        found = ((kind, getattr(self, kind, None)) for kind in KINDS)
        return {kind: receiver for kind, receiver in found if receiver is not None}


class Place(Switch):
    """The receivers of one severity: each of them gets every message."""

    slack: Slack | None = key("An incoming webhook of Slack.", default=None)
    email: Email | None = key("Mail through an SMTP server.", default=None)
    pagerduty: PagerDuty | None = key("An integration of PagerDuty.", default=None)
    opsgenie: Opsgenie | None = key("An integration of Opsgenie.", default=None)
    webhook: Webhook | None = key("Any address, which gets Alertmanager's JSON.", default=None)


class Receivers(Section):
    """Whom Alertmanager tells. Each place is a table of receivers by kind, or the address of a webhook in quotes."""

    page: Annotated[Place, OrAddress()] = key("Who is told of critical alerts.", default_factory=Place)
    ticket: Annotated[Place, OrAddress()] = key("Who is told of all other alerts.", default_factory=Place)
    watchdog: Annotated[Switch, OrAddress()] = key(
        "What is told of the alert Watchdog, which always fires: a webhook.", default_factory=Switch
    )

    @property
    def places(self) -> dict[str, Switch]:
        """The places by name."""
        return {name: getattr(self, name) for name in PLACES}

    def named(self) -> Iterator[tuple[str, Receiver]]:
        """Yield every receiver after the path of its table."""
        for name, place in self.places.items():
            for kind, receiver in place.receivers.items():
                yield f"notify.{name}.{kind}", receiver

    def files(self) -> list[str]:
        """Return the paths of all files with secrets, each once."""
        return sorted({receiver.file for _, receiver in self.named() if receiver.file is not None})


def untold(receivers: Receivers) -> str:
    """Return the sentence that says of which alerts nobody is told; empty if somebody is told of each."""
    page, ticket = bool(receivers.page.receivers), bool(receivers.ticket.receivers)
    if page and ticket:
        return ""
    if not page and not ticket:
        return "NOBODY IS TOLD of any alert: [notify] names no receiver for page and none for ticket"
    which, place = ("alerts that are not critical", "ticket") if page else ("critical alerts", "page")
    return f"NOBODY IS TOLD of {which}: [notify] names no receiver for {place}"


def masked(text: str) -> str:
    """Return a text of a configuration, or a difference of two, without what may be a secret of `[notify]`.

    >>> masked('slack = { api_url = "https://hooks.example.org/T0", channel = "#ml" }')
    'slack = { api_url = ***, channel = "#ml" }'
    """
    return _SECRET.sub(rf"\1{HIDDEN}", text)
