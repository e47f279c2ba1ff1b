"""The rehearsal in small: a few pods, for some seconds; `make scale` is the whole of it."""

from tests.scale.rehearsal import ALLOWED, Row, run, table


def test_series_and_samples_are_those_of_the_plan() -> None:
    """Series and samples a second of twelve pods are within 15 % of the plan; memory needs minutes to tell."""
    rows = {row.name: row for row in run(pods=12, models=5, routes=3, seconds=16.0, interval_seconds=1)}
    assert abs(rows["series"].difference) <= ALLOWED
    assert abs(rows["samples a second"].difference) <= ALLOWED


def test_table() -> None:
    """A row says by how much the plan is off, and on which side."""
    assert "| series | 110 | 100 | +10.0% |" == table([Row("series", 110, 100)]).splitlines()[-1]
