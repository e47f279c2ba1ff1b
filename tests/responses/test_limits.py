"""Limits in the headers of responses."""

import pytest

from mlmetrics.catalog.surroundings import LIMITS
from mlmetrics.responses.limits import HEADERS, read_limits


class TestReadLimits:
    """`read_limits`."""

    def test_openai(self) -> None:
        """OpenAI, Azure and Groq."""
        headers = [
            (b"X-RateLimit-Limit-Requests", b"5000"),
            (b"x-ratelimit-remaining-requests", b"4999"),
            (b"x-ratelimit-limit-tokens", b"160000"),
            (b"x-ratelimit-reset-requests", b"12ms"),
            (b"content-type", b"application/json"),
        ]
        assert ({"requests": (5000, 4999), "tokens": (160000, None)}, []) == read_limits(headers)

    def test_anthropic(self) -> None:
        """Anthropic, which limits input and output too."""
        headers = [
            (b"anthropic-ratelimit-input-tokens-limit", b"2000000"),
            (b"anthropic-ratelimit-input-tokens-remaining", b"1999000"),
            (b"anthropic-ratelimit-output-tokens-remaining", b"0"),
            (b"anthropic-ratelimit-requests-reset", b"2026-01-01T00:00:00Z"),
        ]
        assert ({"input_tokens": (2e6, 1999000), "output_tokens": (None, 0)}, []) == read_limits(headers)

    def test_mistral(self) -> None:
        """Mistral, of whose windows that of the minute is read."""
        headers = [
            (b"x-ratelimit-limit-req-minute", b"60"),
            (b"x-ratelimit-remaining-tokens-minute", b"47196"),
            (b"x-ratelimit-remaining-tokens-month", b"3950246"),
        ]
        assert ({"requests": (60, None), "tokens": (None, 47196)}, []) == read_limits(headers)

    @pytest.mark.parametrize("value", [b"", b"abc", b"-2", b"nan", b"1_000", b"1e9", b"\xff", b"60, 60;w=60"])
    def test_no_number(self, value: bytes) -> None:
        """A value that is no number is told by the name of its header."""
        name = "x-ratelimit-limit-tokens"
        assert ({}, [name]) == read_limits([(name.encode(), value)])

    def test_untold(self) -> None:
        """Azure says by -1 that it does not tell a limit."""
        headers = [(b"x-ratelimit-limit-tokens", b"-1"), (b"x-ratelimit-remaining-tokens", b"61353")]
        assert ({"tokens": (None, 61353)}, []) == read_limits(headers)
        assert ({}, []) == read_limits(headers[:1])

    def test_closed(self) -> None:
        """Every limit is one of the catalogue's."""
        assert {name for name, _ in HEADERS.values()} == set(LIMITS)
