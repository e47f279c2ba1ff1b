"""The samples in memory: what is kept, what ends, what comes back, and what is over a limit."""

import pytest

from mlmetrics.live.history import LONGEST_LABEL, SWEEP_SCRAPES, History, Limits
from mlmetrics.live.series import MOST_SCRAPES
from mlmetrics.live.text import Interned, PageReader

TARGET = (("instance", "here:1"), ("job", "x"))


class Page:
    """A target whose pages are written by a test, read every two seconds."""

    def __init__(self, history: History | None = None) -> None:
        self.history = history or History()
        self.source = self.history.source("here")
        self.reader = PageReader(Interned())
        self.now = 0

    def read(self, page: str) -> None:
        """Read a page, two seconds later."""
        self.now += 2000
        self.history.read(self.source, self.now, self.reader.read(page), TARGET)

    def values(self, name: str) -> list[list[float | None]]:
        """Return the value of each series of a name at every scrape that is kept."""
        found = self.history.families[name].series
        return [[each.at(scrape) for scrape in range(self.source.base, self.source.next)] for each in found]


def test_keeps_what_changes() -> None:
    """A value that stays the same is kept once, and is there at every scrape."""
    page = Page()
    for value in (1, 1, 1, 4, 4):
        page.read(f"a {value}\n")
    (series,) = page.history.families["a"].series
    assert [[1.0, 1.0, 1.0, 4.0, 4.0]] == page.values("a")
    assert 2 == series.kept
    assert 2 == page.source.samples


def test_ends_and_begins_again() -> None:
    """A series that is not on a page has no value there, and has one again when it comes back."""
    page = Page()
    for text in ("a 1\nb 1\n", "b 1\n", "b 1\n", "a 1\nb 1\n", "a 2\nb 1\n"):
        page.read(text)
    assert [[1.0, None, None, 1.0, 2.0]] == page.values("a")


def test_adds_the_labels_of_the_target() -> None:
    """A series has the labels of its target; one of the page with the same name is renamed, as Prometheus does."""
    page = Page()
    page.read('a{job="own",z="1"} 1\n')
    (series,) = page.history.families["a"].series
    assert (("exported_job", "own"), *TARGET, ("z", "1")) == series.labels


def test_takes_labels_in_another_order_for_the_same() -> None:
    """A head that is written in another way continues the series; of two heads on one page, the first counts."""
    page = Page()
    page.read('a{x="1",y="2"} 1\n')
    page.read('a{y="2",x="1"} 2\na{x="1",y="2"} 3\n')
    assert [[1.0, 2.0]] == page.values("a")


@pytest.mark.parametrize("scrapes", [SWEEP_SCRAPES * 40])
def test_forgets_what_is_old(scrapes: int) -> None:
    """Times and samples older than a quarter of an hour go, and so do series that ended before."""
    page = Page()
    page.read("a 0\nold 1\n")
    for number in range(1, scrapes):
        page.read(f"a {number}\n")
    assert "old" not in page.history.families
    assert 1 == page.history.series
    assert 480 <= len(page.source.times) <= 480 + SWEEP_SCRAPES + 1
    assert len(page.source.times) == page.source.samples == page.history.families["a"].series[0].kept
    assert [[float(scrape) for scrape in range(page.source.base, page.source.next)]] == page.values("a")
    page.read("a 0\nold 2\n")
    assert 2.0 == page.values("old")[0][-1]


def test_refuses_series_over_the_limit() -> None:
    """What is over the number of series is refused and counted; the others go on."""
    page = Page(History(Limits(series=2)))
    page.read("a 1\nb 1\nc 1\nd 1\n")
    assert (2, 2) == (page.history.series, page.source.refused)
    page.read("a 2\nb 2\nc 2\nd 2\n")
    assert [[1.0, 2.0]] == page.values("b")
    assert {"a", "b"} == set(page.history.families)


def test_keeps_less_time_where_too_much_changes() -> None:
    """Over its share of the samples, a target keeps a shorter time, and says so; its values stay right."""
    page = Page(History(Limits(samples=50)))
    for number in range(200):
        page.read(f"a {number}\nb {-number}\n")
    assert page.source.shortened
    assert page.source.samples <= 50
    assert [float(scrape) for scrape in range(page.source.base, 200)] == page.values("a")[0]


def test_moves_with_the_clock() -> None:
    """When the clock jumps, all times move with it; a time that is not later is made so."""
    page = Page()
    page.read("a 1\n")
    page.history.fail(page.source, 2500)
    page.history.shift(-1000)
    assert ([1000], [1500]) == (page.source.times, page.source.failures)
    page.now = -5000
    page.read("a 2\n")
    assert [1000, 1001] == page.source.times


def test_a_failed_scrape_ends_values() -> None:
    """After a failed scrape there is no newest scrape, until the next that works."""
    page = Page()
    page.read("a 1\n")
    page.history.fail(page.source, 4000)
    assert (0, None) == tuple(page.source.newest(at, 0, closed=True) for at in (3999, 4000))


def test_records_samples_of_rules() -> None:
    """Samples that are recorded begin, change, end and begin again."""
    history = History()
    source = history.source("rule")

    def record(**samples: float) -> None:
        source_time = 1000 * (source.next + 1)
        history.record(source, source_time, {("r", (("x", name),)): value for name, value in samples.items()})

    record(a=1, b=1)
    record(a=1)
    record(a=2, b=3)
    assert [[1.0, 1.0, 2.0], [1.0, None, 3.0]] == [[each.at(n) for n in range(3)] for each in source.series]


def test_drops_a_source() -> None:
    """A source that is dropped leaves no series."""
    page = Page()
    page.read("a 1\n")
    page.history.drop(page.source)
    assert ({}, 0, []) == (page.history.families, page.history.series, page.history.sources)


def test_numbers_scrapes_anew() -> None:
    """After a day and a half the scrapes of a source are numbered anew, and nothing else changes."""
    page = Page()
    page.read("a 0\nb 1\n")
    for number in range(1, MOST_SCRAPES + 100):
        page.read(f"a {number % 7}\nb 1\n")
    assert page.source.next < 1000
    assert {1.0} == set(page.values("b")[0])
    expected = [float((MOST_SCRAPES + 99 - ago) % 7) for ago in range(400)]
    assert expected == page.values("a")[0][::-1][:400]


@pytest.mark.parametrize("values", [(1, 2, 2.5, 3), (0.5, 1), (1, -1, 4294967295, 4294967296), (1, float("inf"), 2)])
def test_keeps_any_number(values: tuple[float, ...]) -> None:
    """Whole, broken, negative, large and infinite numbers come back as they were."""
    page = Page()
    for value in values:
        page.read(f"a {value}\n")
    assert [[float(value) for value in values]] == page.values("a")


def test_leaves_room_for_others() -> None:
    """A target that has too many series takes half of the room at most, and others have their share."""
    history = History(Limits(series=20))
    pages = [Page(history) for _ in range(2)]
    history.sources.clear()
    for page in pages:
        page.source = history.source("page", has_pages=True)
    pages[0].read("".join(f'a{{n="{number}"}} 1\n' for number in range(100)))
    pages[1].read("".join(f'b{{n="{number}"}} 1\n' for number in range(100)))
    assert [15, 5] == [len(page.source.series) for page in pages]
    assert [85, 95] == [page.source.refused for page in pages]


def test_names_that_change_at_every_scrape() -> None:
    """Series that have ended make room for those of the next page, and memory does not grow."""
    page = Page(History(Limits(series=40)))
    for scrape in range(200):
        page.read("".join(f'a_{scrape}_{number}{{n="{scrape}"}} 1\n' for number in range(10)))
        assert page.history.series <= 40
    assert sum(len(family.series) for family in page.history.families.values()) == page.history.series
    page.read("b 1\n")
    page.read("b 1\n")
    assert page.history.has("b")


@pytest.mark.parametrize(("length", "kept"), [(LONGEST_LABEL, 1), (LONGEST_LABEL + 1, 0)])
def test_refuses_long_labels(length: int, kept: int) -> None:
    """A series with a text that nobody can read is refused and counted; the others go on."""
    page = Page()
    page.read(f'a{{text="{"x" * length}"}} 1\nb 1\n')
    assert (kept, 1 - kept) == (page.history.series - 1, page.source.unreadable)


def test_refuses_more_text_than_the_limit() -> None:
    """All labels together have so many characters at most; when series end, others have room."""
    page = Page(History(Limits(characters=1000)))
    for scrape in range(30):
        page.read("".join(f'a{{text="{scrape}-{number}{"x" * 100}"}} 1\n' for number in range(20)))
        assert page.history.series < 12
    assert page.source.refused


def test_an_empty_label_is_none() -> None:
    """A label with an empty text is left out, as Prometheus does it."""
    page = Page()
    page.read('a{x="",y="1"} 1\na{x="2"} 1\n')
    assert {(*TARGET, ("y", "1")), (*TARGET, ("x", "2"))} == {each.labels for each in page.history.families["a"].series}
    assert {"instance", "job", "x", "y"} == set(page.history.labels("a"))


def test_forgets_what_has_ended_when_it_is_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels that change at every scrape leave so many ended series at most, for each of them costs time."""
    monkeypatch.setattr("mlmetrics.live.history.MOST_ENDED", 25)
    page = Page()
    for scrape in range(100):
        page.read("".join(f'a{{n="{scrape}-{number}"}} 1\n' for number in range(10)))
        assert page.history.series <= 35
