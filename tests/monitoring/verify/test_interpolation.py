"""How variables are replaced: texts, lists, special characters and unknown names."""

import pytest

from mlmetrics.monitoring.verify.interpolation import Choice, interpolate


@pytest.mark.parametrize(
    ("query", "choices", "expected"),
    [
        ('up{job=~"$job"}', {"job": ".+"}, 'up{job=~".+"}'),
        ('up{job=~"${job}"}', {"job": ["a"]}, 'up{job=~"a"}'),
        ('up{job=~"$job"}', {"job": ["a", "b"]}, 'up{job=~"(a|b)"}'),
        ('up{job=~"$job|"}', {"job": ["a", "b"]}, 'up{job=~"(a|b)|"}'),
        ('x{model=~"$model"}', {"model": ["gpt-4.1 (new)"]}, 'x{model=~"gpt-4\\\\.1 \\\\(new\\\\)"}'),
        ("rate(x[$__rate_interval])", {"__rate_interval": "1m"}, "rate(x[1m])"),
        ('up{job=~"$jobs"}', {"job": "a"}, 'up{job=~"$jobs"}'),
    ],
)
def test_interpolate(query: str, choices: dict[str, Choice], expected: str) -> None:
    """Variables are replaced by regular expressions of their values; unknown variables are kept."""
    assert expected == interpolate(query, choices)
