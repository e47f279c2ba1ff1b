"""The fast reader of metrics pages, compared with prometheus_client's own parser."""

import math
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from mlmetrics.live.text import Interned, PageReader, TextError


def rendered(labels: Mapping[str, str]) -> str:
    """Return labels as a client writes them."""
    escaped = {
        name: text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"') for name, text in labels.items()
    }
    return "{" + ",".join(f'{name}="{text}"' for name, text in escaped.items()) + "}" if labels else ""


NAMES = st.sampled_from(["up", "a:b", "_x", "calls_total", "s_bucket"])
LABEL_NAMES = st.sampled_from(["le", "a", "_b", "model", "__reserved", "ü", "__name__"])
LABEL_TEXTS = st.one_of(
    st.text(max_size=6),
    st.text(alphabet='"\\n{}=,# \t}', max_size=8),
    st.sampled_from(["gpt-4", "+Inf", "0.5", "<img onerror=1>", 'a"b', "a\nb", "a b", "}", "} 5"]),
)
VALUES = st.one_of(
    st.floats().map(repr),
    st.integers(-5, 10**20).map(str),
    st.sampled_from(
        ["NaN", "+Inf", "-Inf", "1e5", "1E-7", ".5", "1_0", "0x1p3", "infinity", "\u0661", "", "5\r", "5 ", "x"]
    ),
)
TIMES = st.sampled_from(["", " 1700000000000", "  5", "\t7", " x", " 1_0", " # {} 5"])
LINES = st.one_of(
    st.sampled_from(
        [
            "",
            " ",
            "\r",
            "# a comment",
            "#",
            "  # HELP up Help.",
            "# HELP up Is it up?",
            "# TYPE up gauge",
            "# TYPE up",
            "# HELP 1up x",
            '# HELP "quoted" x',
            "# EOF",
            '{"a.b", c="d"} 1',
            "up5",
            "up\t5",
            "up{} 5",
            "up{,} 5",
            'up{a="b",} 5',
            'up{a="b"}5',
            'up { a = "b" } 5',
            'up{a="b",a="c"} 5',
            "<!doctype html>",
            'up{a="b"} 5 } 7',
            'up{a="b} 5',
        ]
    ),
    st.builds(
        lambda name, labels, space, value, time: f"{name}{labels}{space}{value}{time}",
        NAMES,
        st.dictionaries(LABEL_NAMES, LABEL_TEXTS, max_size=3).map(rendered),
        st.sampled_from([" ", " ", "  ", "\t", ""]),
        VALUES,
        TIMES,
    ),
)
Known = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def expected(page: str) -> Known | None:
    """Return what prometheus_client reads of each line, None if it refuses one; of equal samples, the first."""
    found: Known = {}
    for line in page.split("\n"):
        try:
            samples = [sample for family in text_string_to_metric_families(line) for sample in family.samples]
        except (ValueError, IndexError):
            return None
        for sample in samples:
            found.setdefault((sample.name, tuple(sorted(sample.labels.items()))), float(sample.value))
    return found


class Follower:
    """Keeps the last value of each sample of the pages that a reader has read."""

    def __init__(self) -> None:
        self.reader = PageReader(Interned())
        self.last: Known = {}

    def read(self, page: str) -> Known:
        """Return all samples of a page."""
        reading = self.reader.read(page)
        if reading.heads is not None:
            present = {(head.name, head.labels) for head in reading.heads}
            self.last = {key: value for key, value in self.last.items() if key in present}
        self.last |= {(head.name, head.labels): value for head, value in reading.changed}
        return self.last


def same(left: Known | None, right: Known | None) -> bool:
    """Whether two pages have the same samples; NaN is equal to NaN here."""
    if left is None or right is None:
        return left is right
    return left.keys() == right.keys() and all(
        left[key] == right[key] or (math.isnan(left[key]) and math.isnan(right[key])) for key in left
    )


def read(follower: Follower, page: str) -> Known | None:
    """Return all samples of a page, None if it is refused."""
    try:
        return dict(follower.read(page))
    except TextError:
        return None


@given(LINES)
def test_agrees_on_every_line(line: str) -> None:
    """A line by itself is read as prometheus_client reads it, or refused where it refuses it."""
    assert same(expected(line), read(Follower(), line)), line


@given(st.lists(st.lists(LINES, max_size=6), min_size=1, max_size=5))
def test_agrees_on_every_page(pages: Sequence[Sequence[str]]) -> None:
    """Pages after each other are read as each by itself; one that is refused changes nothing."""
    follower = Follower()
    for lines in pages:
        page = "\n".join(lines)
        assert same(expected(page), read(follower, page)), page


@given(
    st.lists(VALUES, min_size=2, max_size=6), st.sampled_from(["up", 'a{b="c"}', 'a{b="\\"}"}', 'a{b="c d",}']), TIMES
)
def test_agrees_on_values_that_change(values: Sequence[str], head: str, time: str) -> None:
    """A line whose value changes is read as prometheus_client reads it, whatever the value becomes."""
    follower = Follower()
    for value in values:
        page = f"# TYPE up gauge\n{head} {value}{time}\nother 1\n"
        assert same(expected(page), read(follower, page)), page


def test_skips_what_has_not_changed() -> None:
    """Only the changed sample is reported, and heads are reported only when they change."""
    reader = PageReader(Interned())
    first = reader.read("a 1\nb 2\n")
    assert first.heads is not None
    second = reader.read("a 1\nb 3\n")
    assert ([("b", 3.0)], None) == ([(head.name, value) for head, value in second.changed], second.heads)


def test_sees_a_line_that_changes_its_head() -> None:
    """A page of as many lines with another head is read as a whole."""
    follower = Follower()
    follower.read('a{x="1"} 1\nb 2\n')
    assert {("a", (("x", "2"),)): 1.0, ("b", ()): 2.0} == follower.read('a{x="2"} 1\nb 2\n')


def test_refuses_with_the_line() -> None:
    """A page that is no text of Prometheus is refused with the number and the text of its first wrong line."""
    with pytest.raises(TextError, match="line 2 is not text of Prometheus: '<p>nothing</p>'; expected such as name"):
        PageReader(Interned()).read("up 1\n<p>nothing</p>\n")


def test_remembers_so_many_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels that change at every page are not kept for ever."""
    monkeypatch.setattr("mlmetrics.live.text._MOST_PAIRS", 10)
    interned = Interned()
    reader = PageReader(interned)
    for number in range(100):
        reader.read(f'a{{x="{number}"}} 1\n')
        assert len(interned) <= 10
