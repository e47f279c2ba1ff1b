"""The bearer token without which no metrics are given: as a text, or in a file that may change while it is in use."""

import hmac
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry

from mlmetrics.errors import ConfigurationError
from mlmetrics.interruption import interrupted
from mlmetrics.recording.collector import store_for

File = str | os.PathLike[str]
"""The path of a file."""
LONGEST_BYTES = 4096
FIRST, LAST = 0x21, 0x7E
"""The visible characters of ASCII."""
EXPECTED = "expected a token of letters, digits and punctuation of ASCII, without spaces"


class Token:
    """A secret that a scraper must show; its own text is never shown.

    Args:
        token: the secret itself.
        token_file: a file with the secret alone, read now and at each scrape, so that it can be replaced.

    Raises:
        ConfigurationError: both were given, the file cannot be read, or what was given is no token.
    """

    __slots__ = ("_file", "_secret")

    def __init__(self, token: str | None, token_file: File | None) -> None:
        if token is not None and token_file is not None:
            raise ConfigurationError("token=... and token_file=... were both given; expected one of them")
        self._secret = read(token_file) if token_file is not None else checked(token, "token")
        # The program may go to another folder later.
        self._file = None if token_file is None else Path(token_file).absolute()

    def admits(self, authorization: Sequence[bytes], registry: CollectorRegistry) -> bool:
        """Whether the values of the header `Authorization` show the token, compared in constant time."""
        if len(authorization) != 1:
            return False
        scheme, _, shown = authorization[0].partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(shown.strip(), self._current(registry))

    def _current(self, registry: CollectorRegistry) -> bytes:
        """Return the secret as it stands in the file now; if it cannot be read there, the last one."""
        if self._file is not None:
            try:
                self._secret = read(self._file)
            except ConfigurationError as problem:
                store_for(registry).failed("token", problem)
        return self._secret


def token_of(token: str | None, token_file: File | None) -> Token | None:
    """Return the token that was declared; None if none was."""
    return None if token is None and token_file is None else Token(token, token_file)


def read(path: File) -> bytes:
    """Return the token that stands alone in a file, without the white space around it."""
    name = f"token_file={path!r}"
    try:
        content = contents(Path(path))
    except (OSError, TypeError, ValueError) as error:
        if interrupted(error):
            raise
        raise ConfigurationError(f"{name}: cannot be read ({error}); expected a file with a token alone") from error
    return checked(content.strip(), name)


def contents(path: Path) -> bytes:
    """Return what stands in a file, as much of it as a token may be long and one byte more."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError("it is no regular file")  # a pipe would be waited for
    with path.open("rb") as file:
        return file.read(LONGEST_BYTES + 1)


def checked(token: object, name: str) -> bytes:
    """Return a token as bytes, or say what is wrong with it, without showing it."""
    if isinstance(token, str):
        token = token.encode("utf-8", "surrogatepass")
    if not isinstance(token, bytes):
        raise ConfigurationError(f"{name}: got an object of type {type(token).__name__}; {EXPECTED}")
    if not token:
        raise ConfigurationError(f"{name}: it is empty; {EXPECTED}. Leave it out if everybody may read the metrics")
    if len(token) > LONGEST_BYTES:
        raise ConfigurationError(f"{name}: it is longer than {LONGEST_BYTES} bytes; {EXPECTED}")
    place = next((place for place, byte in enumerate(token) if not FIRST <= byte <= LAST), None)
    if place is not None:
        raise ConfigurationError(f"{name}: a header cannot carry its byte {place}, counted from 0; {EXPECTED}")
    return token
