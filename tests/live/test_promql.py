"""The evaluator: what each construct gives, in what the releases differ, and what is refused by name."""

import json
import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mlmetrics.live.history import History
from mlmetrics.live.promql.compiling import compile_query
from mlmetrics.live.promql.evaluating import Evaluator
from mlmetrics.live.promql.matching import compiled
from mlmetrics.live.promql.semantics import PROMETHEUS_2, PROMETHEUS_3, PromQLError, Semantics
from mlmetrics.live.promql.vectors import Vector
from mlmetrics.live.text import Interned, PageReader
from mlmetrics.monitoring.verify.interpolation import interpolate

ROOT = Path(__file__).parents[2]
STEP_MS = 10_000
Found = dict[str, float]


def history_of(*pages: str) -> History:
    """Return a history of pages, read every ten seconds from 10 s on; an empty text is a scrape that failed."""
    history, reader = History(), PageReader(Interned())
    source = history.source("here")
    for number, page in enumerate(pages, 1):
        if page:
            history.read(source, number * STEP_MS, reader.read(page))
        else:
            history.fail(source, number * STEP_MS)
    return history


def ask(history: History, query: str, at: int, semantics: Semantics = PROMETHEUS_2) -> Found:
    """Return the results of a query by the text of their labels."""
    evaluator = Evaluator(history, semantics)
    found = evaluator.at(at).value(compile_query(evaluator, query))
    if not isinstance(found, Vector):
        return {"": found}
    return {",".join(f"{name}={text}" for name, text in labels): value for labels, value in found.items()}


COUNTS = history_of(*(f'c{{m="a",o="x"}} {10 + 5 * n}\nc{{m="a",o="y"}} {n}\nc{{m="b",o="x"}} 7\n' for n in range(7)))
"""Seven scrapes from 10 s to 70 s."""
GAUGES = history_of('g{a="1",b="x"} 4\ng{a="2",b="x"} -2\ng{a="3",b="y"} NaN\nh{a="1"} 2\nh{a="2"} 0\nlimit 3\n')


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sum(g{b='x'})", {"": 2.0}),
        ("max by (b) (g)", {"b=x": 4.0, "b=y": math.nan}),
        ("min(g)", {"": -2.0}),
        ("count by (b) (g)", {"b=x": 2.0, "b=y": 1.0}),
        ("avg by (b) (g{b='x'})", {"b=x": 1.0}),
        ("sum without (a) (g{b='x'})", {"b=x": 2.0}),
        ("h / on (a) g", {"a=1": 0.5, "a=2": -0.0}),
        ("g / ignoring (b) h", {"a=1": 2.0, "a=2": -math.inf}),
        ("g * on (a) group_left () h", {"a=1,b=x": 8.0, "a=2,b=x": -0.0}),
        ("h * on (a) group_right () g", {"a=1,b=x": 8.0, "a=2,b=x": -0.0}),
        ("h * on (a) group_left (b) g", {"a=1,b=x": 8.0, "a=2,b=x": -0.0}),
        ("g > 0", {"__name__=g,a=1,b=x": 4.0}),
        ("0 < g", {"__name__=g,a=1,b=x": 4.0}),
        ("g > bool 0", {"a=1,b=x": 1.0, "a=2,b=x": 0.0, "a=3,b=y": 0.0}),
        ("h != on (a) g", {"a=1": 2.0, "a=2": 0.0}),
        ("1 > bool 2", {"": 0.0}),
        ("2 + 3 * 2 ^ 2 - 1 / 4", {"": 13.75}),
        ("-limit", {"": -3.0}),
        ("-(2)", {"": -2.0}),
        ("h and on (a) g > 0", {"__name__=h,a=1": 2.0}),
        ("h unless on (a) g > 0", {"__name__=h,a=2": 0.0}),
        ("h > 1 or on (a) g", {"__name__=h,a=1": 2.0, "__name__=g,a=2,b=x": -2.0, "__name__=g,a=3,b=y": math.nan}),
        ("h * 0 or nothing", {"a=1": 0.0, "a=2": 0.0}),
        ("nothing or vector(1)", {"": 1.0}),
        ("absent(nothing{a='1',b=~'x'})", {"a=1": 1.0}),
        ("absent(h)", {}),
        ("absent(sum(nothing))", {"": 1.0}),
        ("clamp_min(g, 0)", {"a=1,b=x": 4.0, "a=2,b=x": 0.0, "a=3,b=y": math.nan}),
        ("abs(g{a='2'})", {"a=2,b=x": 2.0}),
        ("ln(h)", {"a=1": math.log(2), "a=2": -math.inf}),
        ("sqrt(g)", {"a=1,b=x": 2.0, "a=2,b=x": math.nan, "a=3,b=y": math.nan}),
        ("time() - limit", {"": 12.0}),
        ("label_replace(h{a='1'}, 'z', '$1-${1}$$', 'a', '(.+)')", {"__name__=h,a=1,z=1-1$": 2.0}),
        ("label_replace(h{a='1'}, 'a', '', 'a', '.*')", {"__name__=h": 2.0}),
        ("label_replace(h{a='1'}, 'z', 'no', 'a', '2')", {"__name__=h,a=1": 2.0}),
        ("h{a!='1'}", {"__name__=h,a=2": 0.0}),
        ("h{a!~'1|3'}", {"__name__=h,a=2": 0.0}),
        ("h{a=~'1'}", {"__name__=h,a=1": 2.0}),
        ("h{missing=''}", {"__name__=h,a=1": 2.0, "__name__=h,a=2": 0.0}),
        ("h{missing=~'.+'}", {}),
        ("{__name__='limit'}", {"__name__=limit": 3.0}),
    ],
)
def test_instants(query: str, expected: Found) -> None:
    """Operations on present values give what Prometheus gives."""
    assert expected == pytest.approx(ask(GAUGES, query, 15_000), nan_ok=True)


@pytest.mark.parametrize(
    ("query", "at", "expected"),
    [
        ("increase(c{o='x',m='a'}[30s])", 70_000, {"m=a,o=x": 15.0}),
        ("sum by (m) (rate(c[30s]))", 70_000, {"m=a": 0.6, "m=b": 0.0}),
        ("rate(c{o='y'}[30s] offset 30s)", 70_000, {"m=a,o=y": 0.1}),
        ("rate(c[5s])", 70_000, {}),
        ("max_over_time(c{o='y'}[20s])", 70_000, {"m=a,o=y": 6.0}),
        ("min_over_time(c{o='y'}[20s])", 70_000, {"m=a,o=y": 4.0}),
        ("last_over_time(c{o='y'}[20s])", 500_000, {}),
        ("last_over_time(c{o='y'}[20s])", 75_000, {"__name__=c,m=a,o=y": 6.0}),
        ("present_over_time(c{m='b'}[20s])", 70_000, {"m=b,o=x": 1.0}),
        ("c{m='b'} offset 55s", 70_000, {"__name__=c,m=b,o=x": 7.0}),
        ("c{m='b'} offset 65s", 70_000, {}),
    ],
)
def test_windows(query: str, at: int, expected: Found) -> None:
    """Functions of windows give what Prometheus gives, for series that change and that do not."""
    assert expected == pytest.approx(ask(COUNTS, query, at))


class TestSemantics:
    """In what the releases differ."""

    def test_left_edge(self) -> None:
        """A sample on the left edge of a window belongs to it in Prometheus 2, not in 3."""
        query = "min_over_time(c{o='y'}[20s])"
        found = [ask(COUNTS, query, 70_000, each)["m=a,o=y"] for each in (PROMETHEUS_2, PROMETHEUS_3)]
        assert [4.0, 5.0] == found
        assert [{}, {"m=a,o=y": 0.1}][::-1] == [
            ask(COUNTS, "rate(c{o='y'}[10s])", 70_000, each) for each in (PROMETHEUS_2, PROMETHEUS_3)
        ]

    def test_zero(self) -> None:
        """A counter that began near 0 is extrapolated to zero before the threshold in 2, after it in 3."""
        history = history_of("", "", "", *(f"c {n}\n" for n in (1, 3, 5)))
        # 25 s before the first sample, which would be 0 after 5 s: within the 11 s of the threshold, in both.
        two, three = (ask(history, "increase(c[45s])", 60_000, each)[""] for each in (PROMETHEUS_2, PROMETHEUS_3))
        assert pytest.approx((5.0, 5.0)) == (two, three)
        history = history_of("", "", "", *(f"c {n}\n" for n in (3, 5, 7)))
        # 15 s to 0: in 2 that is beyond the threshold, so half an interval is added; in 3 it is the same.
        two, three = (ask(history, "increase(c[45s])", 60_000, each)[""] for each in (PROMETHEUS_2, PROMETHEUS_3))
        assert pytest.approx((5.0, 5.0)) == (two, three)
        history = history_of("", "", "", *(f"c {n}\n" for n in (2, 5, 8)))
        # 6.67 s to 0: in 2 they are added; in 3 half an interval, 5 s, is less and counts.
        two, three = (ask(history, "increase(c[45s])", 60_000, each)[""] for each in (PROMETHEUS_2, PROMETHEUS_3))
        assert pytest.approx((8.0, 7.5)) == (two, three)

    def test_small_differences(self) -> None:
        """Buckets whose counts differ by next to nothing are equal in 3."""
        page = 'b{le="1"} 1\nb{le="2"} 1.0000000000001\nb{le="+Inf"} 1.0000000000001\n'
        found = [
            ask(history_of(page), "histogram_quantile(1, b)", 11_000, each)[""] for each in (PROMETHEUS_2, PROMETHEUS_3)
        ]
        assert [2.0, 1.0] == found

    def test_dot(self) -> None:
        """A dot matches a line break in 3."""
        assert not compiled("a.b", dot_is_any=False).fullmatch("a\nb")
        assert compiled("a.b", dot_is_any=True).fullmatch("a\nb")


class TestStaleness:
    """When a series has no present value any more."""

    def test_a_series_that_vanished(self) -> None:
        """A series that is not on the newest page has no value at once, and its rate goes on."""
        history = history_of("a 1\nb 1\n", "a 2\nb 1\n", "b 1\n")
        assert {} == ask(history, "a", 30_000)
        assert {"": 0.1} == ask(history, "rate(a[20s])", 30_000)
        assert {"__name__=a": 2.0} == ask(history, "a", 29_999)

    def test_a_failed_scrape(self) -> None:
        """A target that cannot be read has no values at once."""
        history = history_of("a 1\n", "")
        assert ({"__name__=a": 1.0}, {}) == (ask(history, "a", 19_000), ask(history, "a", 20_000))

    @pytest.mark.parametrize(("semantics", "is_there"), [(PROMETHEUS_2, True), (PROMETHEUS_3, False)])
    def test_lookback(self, semantics: Semantics, *, is_there: bool) -> None:
        """A value is present for five minutes, whose edge counts in 2."""
        assert is_there == bool(ask(history_of("a 1\n"), "a", 310_000, semantics))
        assert not ask(history_of("a 1\n"), "a", 310_001, semantics)


class TestQuantiles:
    """`histogram_quantile`."""

    def quantile(self, share: str, buckets: Mapping[str, float]) -> Found:
        """Return the quantile of one histogram."""
        page = "".join(f'b{{le="{bound}"}} {count}\n' for bound, count in buckets.items())
        return ask(history_of(page), f"histogram_quantile({share}, b)", 11_000)

    @pytest.mark.parametrize(
        ("share", "buckets", "expected"),
        [
            ("0.5", {"1": 2, "2": 4, "+Inf": 4}, 1.0),
            ("0.75", {"1": 2, "2": 4, "+Inf": 4}, 1.5),
            ("0.25", {"1": 2, "2": 4, "+Inf": 4}, 0.5),
            ("0.99", {"1": 1, "2": 1, "+Inf": 4}, 2.0),
            ("0.5", {"-1": 4, "+Inf": 4}, -1.0),
            ("0.5", {"1": 0, "+Inf": 0}, math.nan),
            ("0.5", {"1": 1, "2": 2}, math.nan),
            ("0.5", {"+Inf": 2}, math.nan),
            ("2", {"1": 1, "+Inf": 2}, math.inf),
            ("-1", {"1": 1, "+Inf": 2}, -math.inf),
            ("0.75", {"1": 3, "2": 2, "+Inf": 4}, 1.0),
            ("0.5", {"1": 1, "1.0": 1, "2": 4, "+Inf": 4}, 1.0),
        ],
    )
    def test_interpolates(self, share: str, buckets: Mapping[str, float], expected: float) -> None:
        """A quantile lies within its bucket; without observations it is NaN, and contradictions are smoothed."""
        assert {"": expected} == pytest.approx(self.quantile(share, buckets), nan_ok=True)

    def test_ignores_what_is_no_bucket(self) -> None:
        """A series without a bound is no bucket."""
        assert {} == ask(history_of('b{le="x"} 1\nb 2\n'), "histogram_quantile(0.5, b)", 11_000)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("topk(3, g)", "the aggregation topk is not evaluated here, only by Prometheus itself: topk(3, g)"),
        ("irate(g[5m])", "the function irate is not evaluated here"),
        ("max_over_time(g[5m:1m])", "a subquery is not evaluated here"),
        ("g[5m]", "a range by itself is not evaluated here"),
        ("g % 2", "the operator % is not evaluated here"),
        ("g @ 5", "the modifier @ is not evaluated here"),
        ("g offset -5m", "an offset to the future is not evaluated here"),
        ('{a="b"}', "a selector without one name is not evaluated here"),
        ('g{a="b" or c="d"}', "`or` between matchers is not evaluated here"),
        ("1 > 2", "comparisons between scalars must use BOOL modifier"),
        ("g{", "g{: "),
        ('g{a=~"[[:alpha:]]"}', "the regular expression '[[:alpha:]]' is not evaluated here"),
        ('"text"', "a text by itself is not evaluated here"),
    ],
)
def test_refuses_by_name(query: str, message: str) -> None:
    """What is not evaluated is named, together with the query."""
    with pytest.raises(PromQLError) as refused:
        ask(GAUGES, query, 0)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("h * on () g", "several series of the right side have the same labels to match by"),
        ("g * on (b) limit{b=''} or h - on () limit", "several series match one of the other side"),
        ("label_replace(h, 'a', 'same', 'a', '.*')", "label_replace gives several series the same labels"),
        ("clamp_min(g, h)", "expected a number, and not series"),
        ("sum(3)", "expected series, and not the number 3"),
    ],
)
def test_refuses_what_contradicts_itself(query: str, message: str) -> None:
    """Series that match several others are an error, as in Prometheus; so is a number for series."""
    with pytest.raises(PromQLError) as refused:
        ask(GAUGES, query, 15_000)
    assert message in str(refused.value) or "expected type" in str(refused.value)


@pytest.mark.parametrize(
    "pattern", ["a.*", "5(\\.0)?", "a|b", "(?i)GPT", "[a-z]{2,3}?", "(?:x)+", "\\d\\x41", "x{", "[^\\]]"]
)
def test_takes_expressions_that_both_read(pattern: str) -> None:
    """What RE2 and Python read in the same way is evaluated."""
    assert compiled(pattern, dot_is_any=False).pattern == pattern


@pytest.mark.parametrize(
    "pattern",
    [
        "(?!a)",
        "(?<=a)b",
        "(a)\\1",
        "\\pL",
        "\\Qa\\E",
        "[[:alpha:]]",
        "a++",
        "a**",
        "(?>a)",
        "\\z",
        "\\Z",
        "a(?i)b",
        "\\u0041",
        "(",
        "[a&&b]",
    ],
)
def test_refuses_expressions_that_differ(pattern: str) -> None:
    """What RE2 and Python may read differently is refused."""
    with pytest.raises(PromQLError):
        compiled(pattern, dot_is_any=False)


@given(
    st.lists(st.sampled_from([0, 1, 3, 3, 8, None]), min_size=2, max_size=12), st.integers(1, 8), st.integers(0, 9_999)
)
def test_skipping_what_has_not_changed_changes_nothing(values: list[int | None], width: int, shift: int) -> None:
    """The rate from kept changes is that from all samples, with falls, gaps and ends."""
    history = history_of(
        *(f"other {n}\n" + (f"c {value}\n" if value is not None else "") for n, value in enumerate(values))
    )
    at, range_ms = len(values) * STEP_MS + shift, width * STEP_MS
    samples = [((n + 1) * STEP_MS, value) for n, value in enumerate(values) if value is not None]
    inside = [each for each in samples if at - range_ms <= each[0] <= at]
    found = ask(history, f"rate(c[{width * 10}s])", at)
    assert bool(found) == (len(inside) > 1)
    if found:
        assert rate_of(inside, at, range_ms) == pytest.approx(found[""], rel=1e-12)


def rate_of(samples: list[tuple[int, int]], at: int, range_ms: int) -> float:
    """Return the rate as the source of Prometheus 2 computes it, from all samples of a window."""
    grown: float = samples[-1][1] - samples[0][1]
    grown += sum(one for (_, one), (_, other) in pairwise(samples) if other < one)
    sampled = (samples[-1][0] - samples[0][0]) / 1000
    step = sampled / (len(samples) - 1)
    before, after = (samples[0][0] - (at - range_ms)) / 1000, (at - samples[-1][0]) / 1000
    if grown > 0 and samples[0][1] >= 0:
        before = min(before, sampled * samples[0][1] / grown)
    extended = sampled + sum(each if each < step * 1.1 else step / 2 for each in (before, after))
    return grown * (extended / sampled) / (range_ms / 1000)


def expressions() -> Iterator[str]:
    """Yield the queries of all panels and rules that are rendered or shipped."""
    choices = {
        **dict.fromkeys(("job", "service", "model", "instance"), ".+"),
        "__rate_interval": "30s",
        "__range": "15m",
    }
    for folder in ("grafana/dashboards", "mlmetrics/monitoring/shipped/dashboards"):
        for path in sorted((ROOT / folder).glob("*.json")):
            board = json.loads(path.read_text(encoding="utf-8"))
            for panel in board["panels"]:
                yield from (interpolate(each["expr"], choices) for each in panel.get("targets", ()))
    for folder in ("prometheus/rules", "mlmetrics/monitoring/shipped/rules"):
        for path in sorted((ROOT / folder).glob("*.yml")):
            groups = yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
            yield from (rule["expr"] for group in groups for rule in group["rules"])


def test_reads_every_query_of_the_project() -> None:
    """Every query of a panel and every expression of a rule can be evaluated."""
    evaluator = Evaluator(History())
    queries = set(expressions())
    assert len(queries) > 300
    for query in queries:
        compile_query(evaluator, query)
