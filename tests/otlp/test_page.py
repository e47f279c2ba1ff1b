"""docs/opentelemetry.md says what is sent."""

from pathlib import Path

from mlmetrics.integrations.conventions import COMMIT, INSTRUMENTS, NAMED

PAGE = (Path(__file__).parents[2] / "docs" / "opentelemetry.md").read_text(encoding="utf-8")


def test_names_the_commit() -> None:
    """One commit of the conventions is named, in the link and in the text."""
    assert 2 == PAGE.count(COMMIT)


def test_has_every_histogram() -> None:
    """Each stands beside ours, with its unit and its own attributes."""
    rows = [line for line in PAGE.splitlines() if line.startswith("| `ml_") and "gen_ai." in line]
    assert len(INSTRUMENTS) == len(rows)
    for row, (ours, instrument) in zip(rows, INSTRUMENTS.items(), strict=True):
        assert row.startswith(f"| `{ours}` | `{instrument.name}` | `{instrument.unit}` |")
        assert all(f"`{name}` = `{value}`" in row for name, value in instrument.fixed.items())
    assert all(any(f"`{attribute}`" in row for row in rows) for attribute in NAMED.values())
