"""Addresses that a user gives: which are of HTTP, which name the same page, and which authorities are trusted there."""

import re
import ssl
import urllib.parse

from mlmetrics.errors import ConfigurationError

_PORTS = {"http": 80, "https": 443}


def checked(url: str, expected: str) -> str:
    """Return an address with its scheme, which is HTTP where none is given.

    Raises:
        ConfigurationError: It is no address of HTTP.
    """
    full = url if "://" in url else f"http://{url}"
    try:
        parts = urllib.parse.urlsplit(full)
        is_good = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        is_good = False
    if not is_good or any(character.isspace() or not character.isprintable() for character in full):
        raise ConfigurationError(f"URL = {url!r}: {expected}")
    return full


def instance_of(url: str) -> str:
    """Return host and port, as Prometheus names an instance."""
    parts = urllib.parse.urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}:{parts.port or _PORTS[parts.scheme]}"


def page_of(url: str) -> tuple[str, str]:
    """Return what addresses of the same page have in common.

    >>> page_of("http://localhost:5051") == page_of("http://127.0.0.1:5051/metrics")
    True
    """
    parts = urllib.parse.urlsplit(url)
    place = re.sub(r"^localhost:", "127.0.0.1:", instance_of(url))
    path = "/metrics" if parts.path in ("", "/") else parts.path
    return f"{parts.scheme}://{place}", f"{path}?{parts.query}"


def trusting(ca_file: str) -> ssl.SSLContext:
    """Return what trusts the authorities of the system, and those of a file.

    Raises:
        ConfigurationError: The file has no certificates.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:  # those of TLS too
        raise ConfigurationError(f"{ca_file}: expected a file of certificates in PEM ({error})") from error
    if ca_file:
        context.load_default_certs()
    return context
