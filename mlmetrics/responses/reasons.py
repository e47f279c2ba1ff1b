"""Why an attempt failed: the one place that makes a reason of an HTTP status, an error payload or an exception.

Only codes, types and classes are read, and never a message, which may repeat a prompt or a key.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from mlmetrics.errors import name_of_type
from mlmetrics.interruption import Tolerating, interrupted
from mlmetrics.responses.failures import HTTP_FAILURES
from mlmetrics.responses.fields import bases, fields
from mlmetrics.responses.said import text

AUTHENTICATION, BAD_REQUEST, CONNECTION, OTHER = "authentication", "bad_request", "connection", "other"
QUOTA, RATE_LIMIT, SERVER_ERROR, TIMEOUT = "quota", "rate_limit", "server_error", "timeout"

FIRST_OF_SERVER = 500
LONGEST_BODY_BYTES = 1 << 16
"""A longer body of an error is not read."""
_STATUSES = {
    401: AUTHENTICATION,
    402: QUOTA,
    403: AUTHENTICATION,
    407: AUTHENTICATION,
    408: TIMEOUT,
    429: RATE_LIMIT,
    504: TIMEOUT,
}
_NAMES = {
    AUTHENTICATION: ("authentication_error", "invalid_api_key", "permission_denied", "permission_error",
                     "unauthenticated", "unauthorized"),
    BAD_REQUEST: ("content_policy_violation", "context_length_exceeded", "failed_precondition", "invalid_argument",
                  "invalid_prompt", "invalid_request", "invalid_request_error", "model_not_found", "not_found",
                  "not_found_error", "request_too_large"),
    CONNECTION: ("connection_error",),
    QUOTA: ("billing_error", "billing_hard_limit_reached", "billing_not_active", "insufficient_quota",
            "quota_exceeded"),
    RATE_LIMIT: ("rate_limit", "rate_limit_error", "rate_limit_exceeded", "rate_limited", "resource_exhausted",
                 "too_many_requests"),
    SERVER_ERROR: ("api_error", "internal", "internal_error", "internal_server_error", "overloaded",
                   "overloaded_error", "server_error", "service_unavailable", "unavailable"),
    TIMEOUT: ("deadline_exceeded", "timeout", "timeout_error"),
}  # fmt: skip
_BY_NAME = {name: reason for reason, names in _NAMES.items() for name in names}
"""What providers call their errors, in lower case: OpenAI and Mistral by code, Anthropic by type, Gemini by status."""

_CLASSES = (
    (TIMEOUT, ("timeout", "deadlineexceeded")),
    (CONNECTION, ("connection", "connecterror", "connectorerror", "disconnected", "gaierror", "transporterror")),
)
"""Parts of the names of classes, which SDKs and HTTP clients share; an `APITimeoutError` is also a connection error."""

_DAY = "perday"
_WHERE = ("code", "type", "status")
_STATUS_FIELDS = ("status_code", "code", "http_status", "status")


def of_status(status: int) -> str | None:
    """Return the reason of an HTTP status; None if it is no failure."""
    if status not in HTTP_FAILURES:
        return None
    return _STATUSES.get(status) or (SERVER_ERROR if status >= FIRST_OF_SERVER else BAD_REQUEST)


def of_name(name: Any) -> str | None:
    """Return the reason of an error by what its provider calls it, or by its status as a text."""
    told = str(name) if type(name) is int else text(name) or ""
    return of_status(int(told)) if told.isdecimal() else _BY_NAME.get(told.lower())


def of_payload(payload: Any) -> str | None:
    """Return the reason that an error payload tells: `{"error": {…}}`, or what is in it, or a list of one."""
    if type(payload) is list and payload:
        payload = payload[0]
    told = fields(payload)
    inner = fields(told.get("error")) or told
    found = {of_name(inner.get(each)) for each in _WHERE} - {None}
    if QUOTA in found or (RATE_LIMIT in found and _daily(inner)):
        return QUOTA
    return next((each for each in map(of_name, map(inner.get, _WHERE)) if each is not None), None)


def of_both(status: int | None, payload: Any) -> str | None:
    """Return the reason by a status, or a payload where there is none; the payload says whether it is a quota."""
    by_payload = None if payload is None else of_payload(payload)
    if by_payload == QUOTA:
        return QUOTA
    return (None if status is None else of_status(status)) or by_payload


def of_error(error: BaseException) -> str:
    """Return why an attempt failed that raised; its own attributes may raise too, and are not trusted."""
    try:
        return _of_error(error)
    except Exception as other:  # any object may have been raised
        if interrupted(other):
            raise
        return OTHER


def of_inside(failure: str | None, error: BaseException | None) -> str | None:
    """Return why an attempt failed whose response had begun: an error inside of it, or a connection that broke.

    Args:
        failure: the error that the response told, if it did.
        error: what the call raised, if it did.

    What else a call raises by then, such as an answer that cannot be parsed, is no failure of the attempt.
    """
    if failure is not None:
        return of_name(failure) or (OTHER if error is None else of_error(error))
    reason = OTHER if error is None else of_error(error)
    return None if reason == OTHER else reason


def of_attempt(cause: Any, error: BaseException | None) -> str:
    """Return why an attempt failed, by its response, its exception, or a reason that is known.

    Args:
        cause: one of these.
        error: what the call raised by it, if it did.
    """
    if isinstance(cause, str):
        return cause
    if isinstance(cause, BaseException):
        return of_error(cause)
    status = getattr(cause, "status_code", None)
    reason = of_both(status, _body(cause)) or OTHER
    return QUOTA if error is not None and of_error(error) == QUOTA else reason


def _of_error(error: BaseException) -> str:
    names = [name_of_type(base).lower() for base in bases(type(error))]
    for reason, parts in _CLASSES:
        if any(part in name for name in names for part in parts):
            return reason
    told: Any = error
    status = next((number for number in (getattr(told, each, None) for each in _STATUS_FIELDS) if _is(number)), None)
    if status is None:
        status = getattr(getattr(told, "response", None), "status_code", None)
    payloads = [getattr(told, each, None) for each in ("body", "details")]
    found = [of_both(status if _is(status) else None, payload) for payload in (*payloads, fields(error))]
    return QUOTA if QUOTA in found else next(filter(None, found), OTHER)


def _is(status: Any) -> bool:
    """Return whether this is an HTTP status; an `HTTPStatus` is."""
    return isinstance(status, int) and status in HTTP_FAILURES


def _daily(error: Any) -> bool:
    """Return whether a limit of Gemini is one of a day, as the ids of the quotas that it names say."""
    ids = (fields(violation).get("quotaId") for violation in _violations(error.get("details")))
    return any(_DAY in (text(each) or "").lower() for each in ids)


def _violations(details: Any) -> Iterator[Any]:
    for detail in _listed(details):
        yield from _listed(fields(detail).get("violations"))


def _listed(value: Any) -> Iterable[Any]:
    return value if type(value) is list else ()


def _body(response: Any) -> Any:
    """Return the body of an error, if somebody has read it by now and it is JSON."""
    body = getattr(response, "_content", None)
    if isinstance(body, bytes) and len(body) <= LONGEST_BODY_BYTES:
        with Tolerating(ValueError, RecursionError):
            return json.loads(body)
    return None
