"""A small run of the measurement of false alarms: hours with and without drift, through the rendered rules."""

from tests.monitoring.rules.false_alarms import ROWS, run, table, too_many

# Ten bins, and five classes, with about as many observations as an alert needs.
SMALL = tuple(row for row in ROWS if (row.bins, row.then, row.now) in {(10, 504, 504), (5, 504, 504)})


def test_alarms_without_drift_are_rare_and_a_drift_is_noticed() -> None:
    """Of hundreds of hours without drift at most 5 % have an alarm; nearly all with a PSI of 0.3 have one."""
    rows = run(SMALL, hours=12)
    assert [] == too_many(rows), table(rows)
    for row in rows:
        assert 100 < row.counts[0.0].hours
        assert 0.7 * row.counts[0.3].hours < row.counts[0.3].alarms, table(rows)
