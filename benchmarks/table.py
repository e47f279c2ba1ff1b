"""The results as text: a table for the terminal, and the same table as Markdown for the README."""

from collections.abc import Iterator, Sequence

from benchmarks.results import TARGETS, Results, Row, verdict

HEADINGS = ("what is compared", "target", "ratio", "quartiles", "verdict", "medians")
ROUNDED_FROM = 100


def lines(results: Results) -> Iterator[tuple[str, ...]]:
    """Yield the cells of each row, in the order of the targets."""
    rows = {row.name: row for row in results.rows}
    missing = {row.name: row.why for row in results.missing}
    for name, target in TARGETS.items():
        if name in rows:
            yield cells(rows[name])
        elif name in missing:
            yield target.what, target.text, "", "", "not measured", missing[name]


def cells(row: Row) -> tuple[str, ...]:
    """Return one row as text."""
    target, ratio = TARGETS[row.name], row.ratio
    sides = ", ".join(f"{name} {number(value)}" for name, value in row.sides.items())
    spread = f"{ratio.low:.2f} … {ratio.high:.2f}"
    note = f"; {row.note}" if row.note else ""
    return target.what, target.text, f"{ratio.value:.2f}", spread, verdict(row), f"{sides} {row.unit}{note}"


def number(value: float) -> str:
    """Return a number with about three digits, or with separated thousands."""
    return f"{value:,.0f}" if abs(value) >= ROUNDED_FROM else f"{value:.3g}"


def terminal(results: Results) -> str:
    """Return the table with aligned columns."""
    rows = [HEADINGS, *lines(results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return "\n".join(_padded(row, widths) for row in rows) + "\n"


def _padded(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def markdown(results: Results) -> str:
    """Return a table for the README."""
    rows = [HEADINGS, ("---",) * len(HEADINGS), *lines(results)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"
