"""The results: verdicts, the JSON, and a README that shows the committed run."""

from pathlib import Path

import pytest

from benchmarks.ours import Toolkit
from benchmarks.readme import README, RESULTS, filled
from benchmarks.results import TARGETS, Missing, Results, Row, Target, load, medians
from benchmarks.table import markdown, terminal
from benchmarks.timing import NotTheSameError, Ratio

ROW = Row("call/floor", Ratio(1.5, 1.4, 1.6), "ns", {"ours": 255.0, "floor": 170.0})
MACHINE = {"date": "today", "versions": {}}


class TestTarget:
    """`Target`."""

    @pytest.mark.parametrize(
        ("target", "value", "verdict"),
        [
            (Target("x", at_most=1.6), 1.6, "met"),
            (Target("x", at_most=1.6), 1.601, "missed"),
            (Target("x", at_least=10), 10.0, "met"),
            (Target("x", at_least=10), 9.99, "missed"),
            (Target("x"), 9.99, ""),
        ],
    )
    def test_verdict(self, target: Target, value: float, verdict: str) -> None:
        """A ratio at the bound meets the target, one beyond does not, and a row without a target has no verdict."""
        assert verdict == target.verdict(value)

    def test_names_have_a_group(self) -> None:
        """Every row belongs to a group that can be measured by itself."""
        assert not [name for name in TARGETS if name.count("/") != 1]


class TestResults:
    """`Results`."""

    def test_survives_json(self, tmp_path: Path) -> None:
        """Loaded results are equal to the saved ones."""
        results = Results(MACHINE, [ROW], [Missing("served/throughput", "wrk is not installed")])
        results.save(tmp_path / "results.json")
        assert results == load(tmp_path / "results.json")

    def test_shows_rows_and_what_is_missing(self) -> None:
        """Both tables have the measured rows, and the missing ones with their reason."""
        results = Results(MACHINE, [ROW], [Missing("served/throughput", "wrk is not installed")])
        for table in (terminal(results), markdown(results)):
            assert "ours 255, floor 170 ns" in table
            assert "≤ 1.6" in table
            assert "not measured" in table
            assert "wrk is not installed" in table

    def test_medians(self) -> None:
        """A side is shown by its median."""
        assert {"a": 2.0} == medians(a=[1.0, 2.0, 900.0])


class TestToolkit:
    """The counts that are checked before anything is timed."""

    def test_counts_calls_that_succeeded(self) -> None:
        """Duration, outcome and in progress agree on the calls of a decorated function."""
        toolkit = Toolkit()
        tracked = toolkit.metrics.track_inference(model="m")(abs)
        assert [1, 2] == [tracked(-1), tracked(-2)]
        assert 2 == toolkit.calls("m")

    def test_refuses_a_call_in_progress(self) -> None:
        """A call that has not ended is an error."""
        toolkit = Toolkit()
        with toolkit.metrics.inference_timer(model="m"), pytest.raises(NotTheSameError, match="in all, 1"):
            toolkit.calls("m")

    def test_refuses_failures(self) -> None:
        """A failed call is an error."""
        toolkit = Toolkit()
        with toolkit.metrics.inference_timer(model="m") as call:
            call.fail("quota")
        with pytest.raises(NotTheSameError, match="m: 0"):
            toolkit.calls("m")


class TestKeptRun:
    """results.json and README.md."""

    def test_has_every_row(self) -> None:
        """The committed run has every row, with the target that the code has."""
        assert set(TARGETS) == {row.name for row in load(RESULTS).rows}

    def test_readme_shows_it(self) -> None:
        """The README's table shows results.json; `python -m benchmarks.readme` writes it."""
        text = README.read_text(encoding="utf-8")
        assert filled(text, load(RESULTS)) == text
