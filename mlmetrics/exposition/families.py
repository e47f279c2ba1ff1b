"""The text of mlmetrics' own families: lines joined from parts that are prepared once for each series.

A family's text is byte for byte what `generate_latest` of prometheus_client writes for its samples.
"""

from collections.abc import Iterator, Sequence
from math import inf
from weakref import WeakKeyDictionary

from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

from mlmetrics.recording.cells import Bounds, Cell, HistogramCell, NumberCell
from mlmetrics.recording.family import ExposedFamily, Family

PLAIN_BELOW = 1e6
"""The client, like Go, writes larger numbers with an exponent, and smaller ones as Python does."""


def escape(text: str) -> str:
    """Return the label value, escaped as both text formats require."""
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def label_text(names: Sequence[str], labels: Sequence[str]) -> str:
    """`a="1",b="2"`, sorted by name as `generate_latest` does."""
    return ",".join(f'{name}="{escape(label)}"' for name, label in sorted(zip(names, labels, strict=True)))


def exemplar_text(exemplar: Exemplar | None) -> str:
    """Return the exemplar as OpenMetrics writes it at the end of a bucket line; empty if there is none."""
    if exemplar is None:
        return ""
    labels = label_text(tuple(exemplar.labels), tuple(exemplar.labels.values()))
    return f" # {{{labels}}} {floatToGoString(exemplar.value)} {exemplar.timestamp}"


def number_text(number: float) -> str:
    """Return the number as `floatToGoString` writes it; for small numbers `repr` gives the same text faster."""
    return repr(float(number)) if -inf < number < PLAIN_BELOW else floatToGoString(number)


class NumberText:
    """The text of one counter or gauge series."""

    __slots__ = ("_cell", "_head")

    def __init__(self, cell: NumberCell) -> None:
        self._cell = cell
        text = label_text(cell.metric.labels, cell.labels)
        self._head = f"{cell.metric.name}{{{text}}} " if text else f"{cell.metric.name} "

    def write(self, lines: list[str], *, exemplars: bool) -> None:
        """Append the series' line."""
        del exemplars  # only buckets carry them
        lines.append(f"{self._head}{number_text(self._cell.numbers[0])}\n")


class HistogramText:
    """The text of one histogram series.

    A bucket line is `name_bucket{` + labels before `le` + `le="…"` + labels after it. The first
    and the last part are rendered once per series, `le` once per histogram.
    """

    __slots__ = ("_after", "_before", "_bounds", "_cell", "_count", "_sum")

    def __init__(self, cell: HistogramCell, bounds: Sequence[str]) -> None:
        self._cell = cell
        self._bounds = bounds
        name, names = cell.metric.name, cell.metric.labels
        text = label_text(names, cell.labels)
        labels = f"{{{text}}}" if text else ""
        pairs = sorted(zip(names, cell.labels, strict=True))
        self._before = f"\n{name}_bucket{{" + "".join(f'{n}="{escape(v)}",' for n, v in pairs if n < "le")
        self._after = "".join(f',{n}="{escape(v)}"' for n, v in pairs if n > "le") + "} "
        self._count = f"\n{name}_count{labels} "
        self._sum = f"\n{name}_sum{labels} "

    def write(self, lines: list[str], *, exemplars: bool) -> None:
        """Append the series' lines.

        Each line has four parts, which are assigned by slices: this is much faster than
        formatting each line.
        """
        cell = self._cell
        numbers = _cumulative(cell.numbers)
        total = numbers[-1]
        parts = [self._before] * (4 * len(numbers))
        parts[0] = self._before[1:]
        parts[1::4] = self._bounds
        parts[2::4] = [self._after] * len(numbers)
        if exemplars and cell.exemplars:
            numbers = [number + exemplar_text(cell.exemplars.get(place)) for place, number in enumerate(numbers)]
        parts[3::4] = numbers
        parts += (self._count, total, self._sum, number_text(cell.numbers[-1]), "\n")
        lines.append("".join(parts))


def _cumulative(numbers: Sequence[float]) -> list[str]:
    """Return the cumulative counts of the buckets as text; `numbers` ends with the sum."""
    texts: list[str] = []
    total, text = 0.0, "0.0"
    append = texts.append
    for number in numbers[:-1]:
        if number:
            total += number
            text = repr(total) if total < PLAIN_BELOW else floatToGoString(total)
        append(text)
    return texts


class FamilyText:
    """The prepared text of a family's series, in the order of its cells."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = [f'le="{text}"' for text in bounds.texts]
        self._prepared: list[NumberText | HistogramText] = []

    def series(self, cells: Sequence[Cell]) -> Iterator[NumberText | HistogramText]:
        """Return the text of each cell; new cells stand at the end."""
        prepared = self._prepared
        if len(prepared) < len(cells):
            # A new list, so that two scrapes at the same time cannot append the same series twice.
            self._prepared = prepared = prepared + [self._prepare(cell) for cell in cells[len(prepared) :]]
        return iter(prepared[: len(cells)])

    def _prepare(self, cell: Cell) -> NumberText | HistogramText:
        return NumberText(cell) if isinstance(cell, NumberCell) else HistogramText(cell, self._bounds)


_texts: "WeakKeyDictionary[Family, FamilyText]" = WeakKeyDictionary()


def write_family(exposed: ExposedFamily, lines: list[str], *, openmetrics: bool) -> None:
    """Append the text of a family; the caller sees to it that no fold runs and no other thread writes."""
    family = exposed.family
    text = _texts.get(family)
    if text is None:
        text = _texts.setdefault(family, FamilyText(family.bounds))
    lines.extend(_head(exposed, openmetrics=openmetrics))
    for series in text.series(family.cells()):
        series.write(lines, exemplars=openmetrics)


def _head(exposed: ExposedFamily, *, openmetrics: bool) -> Iterator[str]:
    name = exposed.name if openmetrics else exposed.family.metric.name
    text = exposed.documentation.replace("\\", r"\\").replace("\n", r"\n")
    if openmetrics:
        text = text.replace('"', r"\"")
    yield f"# HELP {name} {text}\n"
    yield f"# TYPE {name} {exposed.type}\n"
    if openmetrics and exposed.unit:
        yield f"# UNIT {name} {exposed.unit}\n"
