"""Why attempts failed: by status, by payload, by exception."""

from http import HTTPStatus
from typing import Any

import pytest

from mlmetrics.catalog.surroundings import REASONS
from mlmetrics.responses import reasons
from mlmetrics.responses.reasons import of_both, of_error, of_name, of_payload, of_status


def google(quota: str) -> dict[str, Any]:
    """Return the error of Gemini for a quota."""
    violation = {"quotaMetric": "any", "quotaId": quota}
    details = [{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}]
    return {"error": {"code": 429, "message": "any", "status": "RESOURCE_EXHAUSTED", "details": details}}


class ReadTimeoutError(OSError):
    """As HTTP clients name theirs."""


class ClientConnectorError(OSError):
    """As HTTP clients name theirs."""


class APIConnectionError(Exception):
    """As the SDKs name theirs."""


class APITimeoutError(APIConnectionError):
    """As the SDKs name theirs."""


class StatusError(Exception):
    """An error with fields, as those of the SDKs."""

    def __init__(self, **told: Any) -> None:
        super().__init__("any")
        vars(self).update(told)


class HostileError(Exception):
    """An error whose attributes raise."""

    @property
    def status_code(self) -> int:
        """Raise."""
        raise ZeroDivisionError


class TestOfStatus:
    """`of_status`."""

    @pytest.mark.parametrize(
        ("status", "reason"),
        [
            (200, None),
            (302, None),
            (400, "bad_request"),
            (401, "authentication"),
            (402, "quota"),
            (403, "authentication"),
            (404, "bad_request"),
            (408, "timeout"),
            (413, "bad_request"),
            (429, "rate_limit"),
            (499, "bad_request"),
            (500, "server_error"),
            (503, "server_error"),
            (504, "timeout"),
            (529, "server_error"),
            (600, None),
        ],
    )
    def test_status(self, status: int, reason: str | None) -> None:
        """Each has one reason; what is no failure has none."""
        assert reason == of_status(status)


class TestOfPayload:
    """`of_payload` and `of_both`."""

    @pytest.mark.parametrize(
        ("payload", "reason"),
        [
            ({"error": {"type": "insufficient_quota", "code": "insufficient_quota", "message": "any"}}, "quota"),
            ({"error": {"type": "requests", "code": "rate_limit_exceeded"}}, "rate_limit"),
            ({"type": "error", "error": {"type": "overloaded_error", "message": "any"}}, "server_error"),
            ({"type": "error", "error": {"type": "authentication_error", "message": "any"}}, "authentication"),
            ({"type": "error", "error": {"type": "billing_error", "message": "any"}}, "quota"),
            (google("GenerateRequestsPerDayPerProjectPerModel-FreeTier"), "quota"),
            (google("GenerateRequestsPerMinutePerProjectPerModel"), "rate_limit"),
            ([google("GenerateContentInputTokensPerModelPerDay")], "quota"),
            ({"object": "error", "code": 503, "message": "any"}, "server_error"),
            ({"error": "any"}, None),
            ({}, None),
            ([], None),
            (None, None),
            ("any", None),
        ],
    )
    def test_payload(self, payload: Any, reason: str | None) -> None:
        """What each provider sends."""
        assert reason == of_payload(payload)

    def test_both(self) -> None:
        """The status decides, unless the payload tells of a quota."""
        assert "quota" == of_both(429, {"error": {"code": "insufficient_quota"}})
        assert "authentication" == of_both(403, {"error": {"type": "server_error"}})
        assert "server_error" == of_both(None, {"error": {"type": "server_error"}})
        assert of_both(200, None) is None

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("503", "server_error"),
            (429, "rate_limit"),
            ("UNAVAILABLE", "server_error"),
            ("any", None),
            ("x" * 1000, None),
            (None, None),
        ],
    )
    def test_name(self, name: Any, reason: str | None) -> None:
        """A name may be a status, and is read in any case."""
        assert reason == of_name(name)

    def test_closed(self) -> None:
        """Every reason is one of the catalogue's."""
        assert set(vars(reasons)["_BY_NAME"].values()) <= set(REASONS)


class TestOfError:
    """`of_error`."""

    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            (TimeoutError(), "timeout"),
            (ReadTimeoutError(), "timeout"),
            (APITimeoutError(), "timeout"),
            (APIConnectionError(), "connection"),
            (ConnectionResetError(), "connection"),
            (ClientConnectorError(), "connection"),
            (StatusError(status_code=401), "authentication"),
            (StatusError(code=429), "rate_limit"),
            (StatusError(code=HTTPStatus.SERVICE_UNAVAILABLE), "server_error"),
            (StatusError(response=StatusError(status_code=500)), "server_error"),
            (StatusError(status_code=429, code="insufficient_quota"), "quota"),
            (StatusError(status_code=429, body={"error": {"type": "billing_error"}}), "quota"),
            (StatusError(code=429, details=google("RequestsPerDay")), "quota"),
            (StatusError(type="server_error", code=None), "server_error"),
            (StatusError(status_code=200), "other"),
            (HostileError(), "other"),
            (ValueError("rate_limit_exceeded"), "other"),
        ],
    )
    def test_error(self, error: Exception, reason: str) -> None:
        """By the names of its classes, then by its status, its code and its body; never by its message."""
        assert reason == of_error(error)
