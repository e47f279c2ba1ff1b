"""What targets say in the history: their labels, what Prometheus would add, and what a viewer should know."""

from mlmetrics.live.clock import Clock
from mlmetrics.live.history import History, Limits
from mlmetrics.live.scraping import Scraped
from mlmetrics.live.target import Access, Answer, make_targets
from mlmetrics.live.text import Interned, PageReader


class Time:
    """A time of day and a monotonic time that a test moves."""

    def __init__(self) -> None:
        self.wall = 1_700_000_000.0
        self.monotonic = 50.0

    def clock(self) -> Clock:
        """Return the clock."""
        return Clock(lambda: self.wall, lambda: self.monotonic)

    def pass_(self, seconds: float) -> None:
        """Let time go by."""
        self.wall += seconds
        self.monotonic += seconds


class Said:
    """A target whose answers a test writes."""

    def __init__(self, job: str = "", limits: Limits | None = None) -> None:
        self.time = Time()
        self.clock = self.time.clock()
        self.history = History(limits)
        (target,) = make_targets(["http://here:1/metrics"], Access())
        self.scraped = Scraped(target, self.history, Interned(), job)

    def say(self, page: str = "", why: str = "") -> str:
        """Take an answer over, two seconds later; return what a viewer is told."""
        self.time.pass_(2)
        jumped = self.clock.jump()
        if jumped:
            self.history.shift(jumped)
        self.scraped.take(Answer(self.time.monotonic, 0.25, page, why), self.clock)
        return self.scraped.why

    def newest(self, name: str) -> dict[str, float]:
        """Return the newest values of a name by their labels."""
        found = self.history.families[name].series if self.history.has(name) else []
        return {
            ",".join(f"{label}={text}" for label, text in each.labels): each.last
            for each in found
            if each.gone > each.source.next
        }


def test_adds_what_prometheus_adds() -> None:
    """Every series has the job and the instance, and the scrape has series of its own."""
    said = Said("cv")
    assert not said.say('a{b="c"} 1\n')
    assert {"b=c,instance=here:1,job=cv": 1.0} == said.newest("a")
    assert {"instance=here:1,job=cv": 1.0} == said.newest("up")
    assert {"instance=here:1,job=cv": 0.25} == said.newest("scrape_duration_seconds")
    assert {"instance=here:1,job=cv": 1.0} == said.newest("scrape_samples_scraped")


def test_learns_the_job() -> None:
    """Without a configuration the job is the service that the page names, as soon as it names one."""
    said = Said()
    said.say("a 1\n")
    assert {"instance=here:1,job=here:1": 1.0} == said.newest("up")
    said.say('a 1\nb{service="cv"} 1\n')
    assert {"instance=here:1,job=cv": 1.0} == said.newest("up")
    said.say('a 2\nb{service="cv"} 1\n')
    assert {"instance=here:1,job=cv": 2.0} == said.newest("a")


def test_a_target_that_is_down() -> None:
    """A target that cannot be read is not up, and its series have no values until it comes back."""
    said = Said("cv")
    said.say("a 1\n")
    assert "gone" == said.say(why="gone")
    assert {"instance=here:1,job=cv": 0.0} == said.newest("up")
    (pages, _) = said.history.sources
    assert pages.newest(said.clock.now(), 0, closed=True) is None
    assert not said.say("a 1\n")
    assert pages.newest(said.clock.now(), 0, closed=True) == 1


def test_a_page_that_is_no_text() -> None:
    """A page that is not text of Prometheus makes the target down, with the line."""
    said = Said("cv")
    assert "line 2 is not text of Prometheus" in said.say("a 1\n<p>\n")
    assert "is a page without metrics; expected the address of a metrics page" == said.say("# nothing\n")


def test_tells_that_buckets_have_changed() -> None:
    """Buckets that are others than before are told for five minutes."""
    said = Said("cv")
    assert not said.say('b_bucket{le="1"} 1\nb_bucket{le="+Inf"} 1\n')
    assert not said.say('b_bucket{le="1"} 1\nb_bucket{le="+Inf"} 1\nc_bucket{le="+Inf"} 0\n')
    changed = 'b_bucket{le="2"} 1\nb_bucket{le="+Inf"} 1\n'
    assert "the buckets of a histogram have changed: quantiles mix old and new ones" == said.say(changed)
    said.time.pass_(300)
    assert not said.say(changed)


def test_tells_what_is_left_out() -> None:
    """Series over the limit and samples over their number are told, and the others go on."""
    said = Said("cv", Limits(series=2))
    assert "2 series left out: too many in all (at most 2)" == said.say("a 1\nb 1\nc 1\nd 1\n")
    assert {"instance=here:1,job=cv": 1.0} == said.newest("a")
    said = Said("cv", Limits(samples=20))
    told = [said.say(f"a {number}\n") for number in range(40)]
    assert told[-1].startswith("only the last 0.6 minutes are kept: too many values change")


def test_a_clock_that_jumps() -> None:
    """Whichever way the time of day jumps, intervals stay as they were, and the newest time is that of the day."""
    for jump in (-3600.0, 3600.0, 86400.0):
        said = Said("cv")
        for value in range(3):
            said.say(f"a {value}\n")
        said.time.wall += jump
        said.say("a 3\n")
        (pages, _) = said.history.sources
        assert [2000, 2000, 2000] == [
            after - before for before, after in zip(pages.times, pages.times[1:], strict=False)
        ]
        assert round(said.time.wall * 1000) == pages.times[-1]


def test_a_clock_that_drifts() -> None:
    """A small difference is no jump."""
    time = Time()
    clock = time.clock()
    time.wall += 0.4
    assert 0 == clock.jump()
    time.wall += 0.4
    assert 800 == clock.jump()


def test_tells_of_labels_that_nobody_can_read() -> None:
    """Series with a label of a megabyte are left out and told, and the others go on."""
    said = Said("cv")
    told = said.say(f'a{{text="{"x" * 1_000_000}"}} 1\nb 1\n')
    assert "1 series left out: a label of over 1000 characters" == told
    assert {"instance=here:1,job=cv": 1.0} == said.newest("b")


def test_takes_what_was_left_out_when_there_is_room() -> None:
    """When others end, series that had no room are taken, though the page has the same lines as before."""
    said = Said("cv", Limits(series=4))
    other = said.history.source("other", has_pages=True)
    reader = PageReader(Interned())
    said.history.read(other, 1, reader.read("a 1\nb 1\nc 1\n"))
    assert "2 series left out" in said.say("d 1\ne 1\nf 1\n")
    said.history.drop(other)
    assert not said.say("d 1\ne 1\nf 1\n")
    assert said.history.has("f")


def test_learning_the_job_changes_no_share() -> None:
    """A target counts once, though its series begin anew when its job is known."""
    said = Said("", Limits(samples=40))
    said.say('a{service="cv"} 1\n')
    for number in range(30):
        said.say(f'a{{service="cv"}} {number}\n')
    (pages, *_) = (each for each in said.history.sources if each.has_pages)
    assert not pages.shortened
