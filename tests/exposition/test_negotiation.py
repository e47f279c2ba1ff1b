"""Which format and which encoding is answered, header by header."""

import signal
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmetrics.exposition.negotiation import OPENMETRICS, TEXT, choose_format, wants_gzip, weight

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


class TestChooseFormat:
    """Pitfall 22: the Accept header, weights and all."""

    @pytest.mark.parametrize(
        ("accept", "expected"),
        [
            ("", TEXT),
            ("*/*", TEXT),
            ("text/plain", TEXT),
            ("text/*", TEXT),
            ("text/html,application/xhtml+xml,*/*;q=0.8", TEXT),
            ("application/openmetrics-text", OPENMETRICS),
            ("application/*", OPENMETRICS),
            ("APPLICATION/OpenMetrics-Text; Version=1.0.0; charset=UTF-8", OPENMETRICS),
            ('application/openmetrics-text; version="1.0.0"', OPENMETRICS),
            (PROMETHEUS_2, OPENMETRICS),
            (PROMETHEUS_3, OPENMETRICS),
            ("application/openmetrics-text;q=0.5, text/plain;q=0.6", TEXT),
            ("text/plain;q=0.5, application/openmetrics-text;q=0.6", OPENMETRICS),
            ("application/openmetrics-text;version=0.0.1, text/plain;version=0.0.4;q=0.5", TEXT),
            ("application/openmetrics-text;version=2.0.0", TEXT),
            ("text/plain;version=1.0.0, application/openmetrics-text;version=1.0.0;q=0.1", OPENMETRICS),
            ("application/openmetrics-text;q=0, */*", TEXT),
            ("application/openmetrics-text;q=0", TEXT),
            ("text/plain;q=0, */*;q=0.1", OPENMETRICS),
            ("application/openmetrics-text, text/plain", OPENMETRICS),
            ("text/plain, application/openmetrics-text", TEXT),
            ("*/*, application/openmetrics-text", OPENMETRICS),
            ("application/openmetrics-text;q=high, text/plain;q=0.1", TEXT),
            ("application/openmetrics-text;q=7, text/plain;q=0.1", TEXT),
            ("application/openmetrics-text;q=nan", TEXT),
            ("application/openmetrics-text;Q=0", TEXT),
            ("text/plain;q=-1, */*;q=0.1", TEXT),
            ("image/png", TEXT),
            (",;,;q=,/,", TEXT),
        ],
    )
    def test_header(self, accept: str, expected: str) -> None:
        """The format with the greatest weight, then the most exactly named, then the first; text otherwise."""
        assert expected == choose_format(accept)

    @pytest.mark.parametrize(
        ("accept", "expected"),
        [
            ("application/openmetrics-text, application/openmetrics-text;version=1.0.0;q=0.2, text/plain;q=0.5", TEXT),
            ("text/plain, text/plain;version=0.0.4;q=0.2, application/openmetrics-text;q=0.5", OPENMETRICS),
            ("*/*, application/*;q=0.2, text/plain;q=0.5", TEXT),
            ("text/*, text/plain;q=0.2, application/openmetrics-text;q=0.5", OPENMETRICS),
        ],
    )
    def test_the_most_exact_name_has_the_weight(self, accept: str, expected: str) -> None:
        """A format that several elements match has the weight of the one that names it most exactly, not the first."""
        assert expected == choose_format(accept)

    def test_content_types_are_exact(self) -> None:
        """Scrapers compare these to the letter."""
        assert "text/plain; version=0.0.4; charset=utf-8" == TEXT
        assert "application/openmetrics-text; version=1.0.0; charset=utf-8" == OPENMETRICS

    @given(st.text())
    def test_any_header_has_an_answer(self, accept: str) -> None:
        """No header raises, and none is answered in a third format."""
        assert choose_format(accept) in {TEXT, OPENMETRICS}


class TestWeight:
    """What a header says of how much something is wanted."""

    def test_alarm(self) -> None:
        """A time limit that runs out while a header is read is no weight that is invalid, whatever it raises."""

        def time_is_up(number: int, frame: FrameType | None) -> None:
            raise ValueError("time is up")

        def ring(_: object) -> float:
            signal.raise_signal(signal.SIGALRM)
            return 1.0

        text: str = type("Ringing", (str,), {"__float__": ring})("1")
        assert 1.0 == weight("1")
        before = signal.signal(signal.SIGALRM, time_is_up)
        try:
            with pytest.raises(ValueError, match="time is up"):
                weight(text)
        finally:
            signal.signal(signal.SIGALRM, before)


class TestWantsGzip:
    """Pitfall 22: the Accept-Encoding header."""

    @pytest.mark.parametrize(
        ("accept_encoding", "expected"),
        [
            ("", False),
            ("gzip", True),
            ("GZIP", True),
            ("x-gzip", True),
            ("gzip, deflate, br", True),
            ("gzip;q=0", False),
            ("gzip;q=0.0, *", False),
            ("*", True),
            ("*;q=0", False),
            ("deflate", False),
            ("identity", False),
            ("gzip;q=0.5, identity", False),
            ("gzip;q=0.5, identity;q=0.5", True),
            ("identity;q=0.1, gzip;q=0.2", True),
            ("gzip;q=wrong", False),
        ],
    )
    def test_header(self, accept_encoding: str, expected: bool) -> None:  # noqa: FBT001 (a row's)
        """Gzip where it is acceptable, and nothing else is wanted more."""
        assert expected == wants_gzip(accept_encoding)

    @given(st.text())
    def test_any_header_has_an_answer(self, accept_encoding: str) -> None:
        """No header raises."""
        assert wants_gzip(accept_encoding) in {True, False}
