"""Errors that arrive inside a response: with status 200, or in a stream that had begun well.

The error type is what the provider calls it, if that is short enough to be a label; never a message.
"""

import re
from typing import Any

from mlmetrics.responses.fields import Fields, fields
from mlmetrics.responses.said import Said

HTTP_FAILURES = range(400, 600)
"""Statuses of responses that are failures."""
UNNAMED = "error"
_SHORT = re.compile(r"[A-Za-z0-9_.-]{1,60}")
_NAMES = ("type", "status", "code")
_MOST = 10**9


def fail(said: Said, *names: Any) -> None:
    """Keep that the response failed, by the first of these names that is a short one; the first failure stays."""
    if said.failure is None:
        said.failure = next(filter(None, map(_short, names)), UNNAMED)


def fail_by(said: Said, error: Fields) -> None:
    """Keep that the response failed, with the error that it tells."""
    fail(said, *(error.get(each) for each in _NAMES))


def failed(body: Fields, said: Said) -> bool:
    """Keep the error of a payload, if it is one.

    `{"error": {…}}` is sent by most; `{"object": "error", …}` by vLLM and SGLang; `{"error_code": …}` by
    FastChat, whose other chunks have the code 0; `{"error": "…", "error_type": …}` by TGI.
    """
    error = body.get("error")
    if error is not None:
        told = fields(error)
        if "message" in told or any(each in told for each in _NAMES):
            fail_by(said, told)
            return True
        if type(error) is str and type(body.get("error_type")) is str:
            fail(said, body["error_type"])
            return True
    code = body.get("error_code")
    if type(code) is int and code and "text" in body:
        fail(said, code)
        return True
    kind = body.get("object")
    if type(kind) is str and kind == "error":
        fail_by(said, body)
        return True
    return False


def _short(value: Any) -> str | None:
    """Return a name that can be a label."""
    if type(value) is int and 0 <= value < _MOST:
        return str(value)
    return value if type(value) is str and value != UNNAMED and _SHORT.fullmatch(value) else None
