"""The connection to a Pushgateway: its address, who asks, and whom TLS trusts, all checked before anything is sent."""

import base64
import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypedDict
from urllib.parse import SplitResult, urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, build_opener

from mlmetrics.errors import ConfigurationError, shown

FilePath = str | os.PathLike[str]
TLS_FILES = ("ca_file", "cert_file", "key_file")


class ConnectionOptions(TypedDict, total=False):
    """How a Pushgateway is asked, in the words of Prometheus's own configuration."""

    basic_auth: tuple[str, str] | None
    bearer_token: str | None
    ca_file: FilePath | None
    cert_file: FilePath | None
    key_file: FilePath | None
    insecure_skip_verify: bool


@dataclass(frozen=True, slots=True)
class Gateway:
    """A Pushgateway that can be asked: its address, the headers that say who asks, and what opens connections."""

    address: str
    headers: Mapping[str, str]
    opener: OpenerDirector


class _Stay(HTTPRedirectHandler):
    """Follows no redirect: urllib would turn a push into a GET, and take the credentials to another host."""

    def redirect_request(self, *_: Any) -> None:
        """Return no request; the redirect is then an error."""


def connect(gateway: str, options: ConnectionOptions) -> Gateway:
    """Check address and options, and prepare what they say; no connection is opened yet.

    Raises:
        ConfigurationError: they are not possible, contradict each other, or name a file that cannot be read.
    """
    address = _address(gateway)
    headers = _authorization(options.get("basic_auth"), options.get("bearer_token"))
    _check_tls(address, options)
    handlers = [HTTPSHandler(context=_trust(options))] if address.scheme == "https" else []
    return Gateway(address.geturl().rstrip("/"), headers, build_opener(_Stay, *handlers))


def _address(gateway: str) -> SplitResult:
    """Return the address in its parts, `http` where it names no scheme, as prometheus_client reads it."""
    expected = "expected host:port or an address such as https://push.example.org:9091"
    # An address may hold a password, so it is not shown before that has been ruled out.
    if isinstance(gateway, str) and "@" in gateway:
        raise ConfigurationError(
            f"gateway: {expected}, without user and password; pass these as basic_auth=(user, password)"
        )
    try:
        parts = urlsplit(gateway if "://" in gateway else f"http://{gateway}")
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except (AttributeError, TypeError, ValueError):  # no text, or a port that is no number
        known = False
    if not known or parts.query or parts.fragment or not gateway.isprintable() or " " in gateway:
        raise ConfigurationError(f"gateway={shown(gateway)}: {expected}")
    return parts


def _authorization(basic_auth: tuple[str, str] | None, bearer_token: str | None) -> dict[str, str]:
    """Return the header that says who asks. No message shows a password or a token."""
    if basic_auth is not None and bearer_token is not None:
        raise ConfigurationError("basic_auth and bearer_token were both given; a request carries only one of them")
    if bearer_token is not None:
        if not isinstance(bearer_token, str) or not bearer_token.isascii() or not bearer_token.isprintable():
            raise ConfigurationError("bearer_token: expected printable ASCII text without line breaks")
        if not bearer_token or " " in bearer_token:
            raise ConfigurationError("bearer_token: expected the token alone; it is empty or holds a space")
        return {"Authorization": f"Bearer {bearer_token}"}
    if basic_auth is None:
        return {}
    if not isinstance(basic_auth, tuple) or [str, str] != [type(part) for part in basic_auth]:
        raise ConfigurationError("basic_auth: expected a user and a password, both texts: basic_auth=(user, password)")
    user, password = basic_auth
    if not user or ":" in user:
        raise ConfigurationError(f"basic_auth: the user is {user!r}; expected a name without ':'")
    encoded = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
    return {"Authorization": f"Basic {encoded}"}


def _check_tls(address: SplitResult, options: ConnectionOptions) -> None:
    """Refuse options of TLS where there is none, and those that contradict each other."""
    given = [name for name in (*TLS_FILES, "insecure_skip_verify") if options.get(name)]
    if given and address.scheme != "https":
        raise ConfigurationError(f"{given[0]} needs TLS, and {address.geturl()} has none; expected an https:// address")
    if {"ca_file", "insecure_skip_verify"} <= set(given):
        raise ConfigurationError("ca_file and insecure_skip_verify contradict each other; leave one of them out")
    if "key_file" in given and "cert_file" not in given:
        raise ConfigurationError("key_file without cert_file: a key is of use only with its certificate")


def _trust(options: ConnectionOptions) -> ssl.SSLContext:
    """Whom TLS trusts, and the certificate that is shown to the gateway."""
    ca_file, cert_file, key_file = options.get("ca_file"), options.get("cert_file"), options.get("key_file")
    with _readable("ca_file", ca_file):
        context = ssl.create_default_context(cafile=ca_file)
    if cert_file is not None:
        with _readable("cert_file", cert_file):
            # An empty password refuses an encrypted key; without one, OpenSSL would ask on the terminal.
            context.load_cert_chain(cert_file, key_file, password="")
    if options.get("insecure_skip_verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@contextmanager
def _readable(name: str, path: object) -> Iterator[None]:
    """Turn what OpenSSL says of a file into an error that names the option."""
    try:
        yield
    except (OSError, TypeError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ConfigurationError(f"{name}={shown(path)}: {error}; expected a readable PEM file") from error
