"""The alerts on predictions: for what they are rendered, and which numbers they take."""

import re
from pathlib import Path

import pytest

from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.loading import parse
from mlmetrics.monitoring.rules.alerts import enabled_alerts

SERVICE = '[[service]]\nname = "sorter"\ntargets = ["h:1"]\n'
OURS = {"LowConfidence", "BadFeedback"}
PAGE = Path(__file__).parents[3] / "docs" / "quality.md"


def rendered(text: str) -> set[str]:
    """Return which of the two alerts a configuration has."""
    return OURS & {alert.name for alert in enabled_alerts(parse(SERVICE + text))}


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ("", OURS),
        ('[[operation]]\nname = "inference"\n', OURS),
        ('[[operation]]\nname = "inference"\nrecords = ["score"]\n', {"LowConfidence"}),
        ('[[operation]]\nname = "inference"\nrecords = ["feedback"]\n', {"BadFeedback"}),
        ('[[operation]]\nname = "inference"\nrecords = ["classes", "prediction_error"]\n', set()),
        ('[[operation]]\nname = "parsing"\n', set()),
    ],
)
def test_rendered_for_what_is_recorded(operations: str, expected: set[str]) -> None:
    """An alert is there if the services record what it reads."""
    assert expected == rendered(operations)


@pytest.mark.parametrize(
    ("threshold", "problem"),
    [(0.55, "not a bucket bound of ml_inference_score"), (1, "every score is at most 1, so it would always fire")],
)
def test_threshold(threshold: float, problem: str) -> None:
    """The threshold is a bound of the scores' buckets, and below 1."""
    with pytest.raises(ConfigurationError, match=problem):
        parse(f"{SERVICE}[alert.LowConfidence]\nthreshold = {threshold}\n")
    config = parse(f"{SERVICE}[alert.LowConfidence]\nthreshold = 0.55\n[buckets]\nml_inference_score = [0.55, 1]\n")
    assert 0.55 == config.alerts["LowConfidence"].threshold


def test_page() -> None:
    """What docs/quality.md says to write into mlmetrics.toml is accepted, and means what the page says."""
    blocks = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    config = parse(SERVICE + "".join(blocks))
    assert (0.25, 72) == (config.buckets("ml_prediction_error")[0], config.buckets("ml_prediction_error")[-1])
    assert rendered("".join(blocks)) == OURS
