"""The folded numbers of one series, and their text on a metrics page.

The only place that uses `prometheus_client.values.ValueClass`, by which the client switches
between one process and several. A scrape reads while no fold is running (`folding`), so it does
not see a histogram that is partly written.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from prometheus_client import values
from prometheus_client.samples import Exemplar, Sample
from prometheus_client.utils import floatToGoString

from mlmetrics.catalog import Metric

Value = Any  # an instance of prometheus_client's ValueClass, which the client leaves untyped

Write = tuple[Callable[[Any], object], Any, Any]
"""One step of a fold, which may be repeated: a setter, the new value, and the old value."""


def make_value(metric: Metric, sample: str, names: Sequence[str], labels: Sequence[str]) -> Value:
    """Make one value of the client: in memory, or in the file of this process."""
    family = metric.name.removesuffix("_total") if metric.kind == "counter" else metric.name
    mode = {"multiprocess_mode": metric.across_workers} if metric.kind == "gauge" else {}
    # The module attribute is read at every call, as the client does, so that tests and
    # multiprocess set-ups can replace it.
    return values.ValueClass(metric.kind, family, sample, names, labels, metric.help, **mode)


def in_files() -> bool:
    """Whether values are kept in files, one set for each process."""
    return bool(getattr(values.ValueClass, "_multiprocess", False))


def plus(value: Value, amount: float) -> Write:
    """Add an amount."""
    before = value.get()
    return value.set, before + amount, before


def moved(value: Value, change: int) -> Write:
    """Change the number in progress, not below 0: in a forked child, calls may end that began in its parent."""
    before = value.get()
    return value.set, max(0.0, before + change), before


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


PLAIN_BELOW = 1e6
"""The client, like Go, writes larger numbers with an exponent, and smaller ones as Python does."""


def number_text(number: float) -> str:
    """Return the number as `floatToGoString` writes it; for small numbers `repr` gives the same text faster."""
    return repr(float(number)) if number < PLAIN_BELOW else floatToGoString(number)


class NumberCell:
    """The value of one counter or gauge series."""

    __slots__ = ("_head", "_labels", "_name", "value")

    def __init__(self, metric: Metric, labels: tuple[str, ...]) -> None:
        self._name = metric.name
        self._labels = labels
        self.value = make_value(metric, metric.name, metric.labels, labels)
        text = label_text(metric.labels, labels)
        self._head = f"{metric.name}{{{text}}} " if text else f"{metric.name} "

    def samples(self, names: Sequence[str]) -> Iterator[Sample]:
        """Yield the series as prometheus_client's samples."""
        yield Sample(self._name, dict(zip(names, self._labels, strict=True)), self.value.get())

    def write(self, lines: list[str], *, exemplars: bool) -> None:
        """Append the series' lines as `generate_latest` would write them."""
        del exemplars  # only buckets carry them
        lines.append(f"{self._head}{number_text(self.value.get())}\n")


class Bounds:
    """The upper bounds of one histogram, as numbers and as both formats write them."""

    __slots__ = ("texts", "uppers", "written")

    def __init__(self, uppers: Sequence[float]) -> None:
        self.uppers = tuple(uppers)
        self.texts = tuple(floatToGoString(upper) for upper in (*self.uppers, float("inf")))
        self.written = tuple(f'le="{text}"' for text in self.texts)


class HistogramCell:
    """Buckets and sum of one histogram series.

    A bucket line is `name_bucket{` + labels before `le` + `le="…"` + labels after it. The first
    and the last part are rendered once per series, `le` once per histogram.
    """

    __slots__ = (
        *("_after", "_before", "_bounds", "_counts", "_first", "_labels"),
        *("_last", "_marked", "_name", "_sum", "_text"),
    )

    def __init__(self, metric: Metric, labels: tuple[str, ...], bounds: Bounds) -> None:
        self._name = metric.name
        self._labels = labels
        self._bounds = bounds
        self._marked = False
        bucket, names = f"{metric.name}_bucket", (*metric.labels, "le")
        self._counts = [make_value(metric, bucket, names, (*labels, le)) for le in bounds.texts]
        self._sum = make_value(metric, f"{metric.name}_sum", metric.labels, labels)
        # The first and last bucket that are not empty; a file may already have numbers.
        found = [place for place, value in enumerate(self._counts) if value.get()]
        self._first, self._last = (found[0], found[-1]) if found else (len(bounds.texts), -1)
        self._text = label_text(metric.labels, labels)
        pairs = sorted(zip(metric.labels, labels, strict=True))
        self._before = f"\n{bucket}{{" + "".join(f'{n}="{escape(v)}",' for n, v in pairs if n < "le")
        self._after = "".join(f',{n}="{escape(v)}"' for n, v in pairs if n > "le") + "} "

    def add(self, writes: list[Write], batch: Sequence[float]) -> None:
        """Count the numbers per bucket, and add once to each that gets any.

        Mostly all numbers of a batch belong to the same bucket, which their maximum and minimum
        show. Otherwise they are sorted, and each bound is searched once instead of each number.
        """
        uppers, counts = self._bounds.uppers, self._counts
        last = bisect_left(uppers, max(batch))
        first = bisect_left(uppers, min(batch)) if last else 0
        self._first, self._last = min(self._first, first), max(self._last, last)
        if first == last:
            writes.append(plus(counts[first], len(batch)))
        else:
            ascending, before = sorted(batch), 0
            for place in range(first, last):
                until = bisect_right(ascending, uppers[place])
                if until > before:
                    writes.append(plus(counts[place], until - before))
                before = until
            writes.append(plus(counts[last], len(batch) - before))
        writes.append(plus(self._sum, sum(batch)))

    def mark(self, writes: list[Write], exemplars: Iterable[Exemplar]) -> None:
        """Give each exemplar to the bucket of its value; a bucket keeps the newest one."""
        for exemplar in exemplars:
            value = self._counts[bisect_left(self._bounds.uppers, exemplar.value)]
            writes.append((value.set_exemplar, exemplar, value.get_exemplar()))
            self._marked = True

    def samples(self, names: Sequence[str]) -> Iterator[Sample]:
        """Yield the series as prometheus_client's samples, with cumulative buckets."""
        name, labels, total = self._name, dict(zip(names, self._labels, strict=True)), 0.0
        for le, count in zip(self._bounds.texts, self._counts, strict=True):
            total += count.get()
            yield Sample(f"{name}_bucket", {**labels, "le": le}, total, None, count.get_exemplar())
        yield Sample(f"{name}_count", labels, total)
        yield Sample(f"{name}_sum", labels, self._sum.get())

    def write(self, lines: list[str], *, exemplars: bool) -> None:
        """Append the series' lines as `generate_latest` would write them.

        Each line has four parts, which are assigned by slices: this is much faster than
        formatting each line.
        """
        numbers = self._numbers()
        parts = [self._before] * (4 * len(numbers))
        parts[0] = self._before[1:]
        parts[1::4] = self._bounds.written
        parts[2::4] = [self._after] * len(numbers)
        parts[3::4] = self._with_exemplars(numbers) if exemplars and self._marked else numbers
        labels = f"{{{self._text}}}" if self._text else ""
        parts.append(f"\n{self._name}_count{labels} {numbers[-1]}")
        parts.append(f"\n{self._name}_sum{labels} {number_text(self._sum.get())}\n")
        lines.append("".join(parts))

    def _numbers(self) -> list[str]:
        """Return the cumulative counts of the buckets as text; empty buckets at both ends are not read."""
        numbers, total, number = ["0.0"] * self._first, 0.0, "0.0"
        for value in self._counts[self._first : self._last + 1]:
            total += value.get()
            number = repr(total) if total < PLAIN_BELOW else floatToGoString(total)
            numbers.append(number)
        numbers += [number] * (len(self._counts) - len(numbers))
        return numbers

    def _with_exemplars(self, numbers: list[str]) -> list[str]:
        """Return the same numbers, each with the exemplar of its bucket."""
        return [
            number + exemplar_text(value.get_exemplar()) for number, value in zip(numbers, self._counts, strict=True)
        ]


Cell = NumberCell | HistogramCell
