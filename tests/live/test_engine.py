"""Tiles, rules and views over a history that a test writes: what is found on pages, and how alerts go on."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from mlmetrics.live.alerts import NOT_ALL, made, threshold_of, written
from mlmetrics.live.data import PromQLError, Results
from mlmetrics.live.discovery import discovered
from mlmetrics.live.engine import Engine
from mlmetrics.live.rules import NEEDS_PROMETHEUS
from mlmetrics.live.text import Interned, PageReader
from mlmetrics.live.tiles import page_rows, slug
from mlmetrics.live.views import MOST_SERIES, MOST_TIMES, View
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.loading import parse
from mlmetrics.monitoring.rules.model import AlertingRule

STEP_MS = 2000
BEGIN_MS = 1_700_000_000_000
TARGET = ("cv", "here:1")
ONE_SERVICE = '[[service]]\nname = "cv"\ntargets = ["here:1"]\n'
LABELS = (("instance", "here:1"), ("job", "cv"))
Page = Callable[[int], str]


class Told:
    """An engine that is told pages of one target, every two seconds."""

    def __init__(self, config: Config | None = None) -> None:
        self.engine = Engine(config)
        self.reader = PageReader(Interned())
        self.source = self.engine.history.source("here", has_pages=True)
        self.about = self.engine.history.source("about here")
        self.turn = 0
        self.engine.open(View())

    def tell(self, page: Page, times: int = 1) -> bool:
        """Tell pages; return whether the layout has changed at the last one."""
        is_new = False
        for _ in range(times):
            self.turn += 1
            at = BEGIN_MS + self.turn * STEP_MS
            self.engine.history.read(self.source, at, self.reader.read(page(self.turn)), LABELS)
            self.engine.history.record(self.about, at, {("up", LABELS): 1.0})
            is_new = self.engine.refresh(at, [TARGET], [])
        return is_new

    def tiles(self) -> dict[str, str]:
        """Return the titles of the tiles by their ids."""
        rows = self.engine.views[View()].layout()["rows"]
        return {tile["id"]: tile["title"] for row in rows for tile in row["tiles"]}

    def alert(self, name: str) -> list[dict[str, object]]:
        """Return the rows of an alert."""
        return [each for each in self.engine.common()["alerts"] if each["name"] == name]


@dataclass
class Asked:
    """A moment with the same results for every query; without results, each is refused."""

    milliseconds: int
    found: Results | None

    def results(self, _query: str) -> Results:
        """Return the results."""
        if self.found is None:
            raise PromQLError("refused")
        return self.found


def requests(failing: bool) -> Page:  # noqa: FBT001 - one of two kinds
    """Return pages of a service with requests, all or none of which fail."""

    def page(turn: int) -> str:
        good, bad = (0, turn) if failing else (turn, 0)
        return "".join(
            f'fastapi_requests_total{{method="GET",route="/",service="cv",status="{status}"}} {10 * count}\n'
            for status, count in (("200", good), ("500", bad))
        )

    return page


def own(turn: int) -> str:
    """Return a page with an operation of a project's own."""
    name, labels = "ml_retrieval", 'index="docs",service="cv"'
    lines = [f'{name}_total{{{labels},outcome="{each}"}} {turn}' for each in ("success", "failure", "cancelled")]
    lines += [f'{name}_duration_seconds_bucket{{{labels},le="{bound}"}} {turn}' for bound in ("1.0", "+Inf")]
    lines += [f"{name}_duration_seconds_count{{{labels}}} {turn}", f"{name}_in_progress{{{labels}}} 1"]
    return "\n".join(lines) + "\n"


class TestTiles:
    """Which tiles are shown."""

    def test_ids_are_unique(self) -> None:
        """Every panel that may be shown has an id of its own."""
        own_one = '[[operation]]\nname = "retrieval"\nlabels = ["index"]\n'
        config = parse(f'[[service]]\nname = "cv"\ntargets = ["here:1"]\n{own_one}[[operation]]\nname = "inference"\n')
        ids = [slug(panel.title) for _, shown in page_rows(config) for panel in shown]
        assert len(set(ids)) == len(ids) > 20

    def test_only_what_is_recorded(self) -> None:
        """A tile appears when what it reads is recorded, and then the layout has changed."""
        told = Told()
        assert told.tell(requests(failing=False))
        assert {"requests", "errors", "api-request-rate", "error-rate-per-service"} == set(told.tiles())
        told.tell(requests(failing=False), times=3)
        assert told.tell(lambda turn: requests(failing=False)(turn) + own(turn))
        assert "retrieval-calls" in told.tiles()
        assert "retrieval-scores" not in told.tiles()

    def test_values_of_an_own_operation(self) -> None:
        """An operation that is found on the page has its numbers, and its rules."""
        told = Told()
        told.tell(own, times=10)
        data = told.engine.views[View()].data({}, 1)
        (line,) = data["tiles"]["retrieval-calls"]["series"]
        assert "docs · cv" == line["name"]
        assert pytest.approx(1.5) == line["values"][-1]
        assert told.alert("HighRetrievalFailureRate")

    def test_few_series(self) -> None:
        """A tile has so many series at most, and says how many are left out."""
        told = Told()
        labels = [f'model="m{number}",operation="",outcome="failure",service="cv"' for number in range(MOST_SERIES + 6)]
        told.tell(lambda turn: "".join(f"ml_inference_total{{{each}}} {turn}\n" for each in labels), times=3)
        tile = told.engine.views[View()].data({}, 1)["tiles"]["success-rate-by-model"]
        assert (MOST_SERIES, 6) == (len(tile["series"]), tile["more"])


class TestViews:
    """Views and their past."""

    def test_a_new_view_has_its_past(self) -> None:
        """A view that is opened later has the values of earlier times, as the view of everything has them."""
        told = Told()
        told.tell(requests(failing=False), times=60)
        every = told.engine.views[View()].data({}, None)
        one = told.engine.open(View(service="cv")).data({}, None)
        assert 60 == len(every["times"])
        assert len(one["times"]) > 10
        at = every["times"].index(one["times"][-5])
        pick = "api-request-rate"
        assert every["tiles"][pick]["series"][0]["values"][at] == one["tiles"][pick]["series"][0]["values"][-5]

    def test_keeps_a_quarter_of_an_hour(self) -> None:
        """No more times than fit into the page are kept."""
        told = Told()
        told.tell(requests(failing=False), times=MOST_TIMES + 100)
        data = told.engine.views[View()].data({}, None)
        assert MOST_TIMES == len(data["times"]) == len(data["tiles"]["requests"]["series"][0]["values"])

    def test_moves_with_the_clock(self) -> None:
        """When the clock jumps, the times of views and alerts move with it."""
        told = Told()
        told.tell(requests(failing=True), times=20)
        before, (alert,) = told.engine.views[View()].times[-1], told.alert("HighErrorRate")
        told.engine.history.shift(5000)
        told.engine.shift(5000)
        (after,) = told.alert("HighErrorRate")
        assert (before + 5000, alert["since"] + 5000) == (told.engine.views[View()].times[-1], after["since"])  # type: ignore[operator]  # a number


class TestAlerts:
    """The states of alerts."""

    def test_goes_on_to_fire(self) -> None:
        """A condition that holds is pending for the time of the rule, then fires, and ends when it no longer holds."""
        told = Told()
        told.tell(requests(failing=False), times=20)
        (row,) = told.alert("HighErrorRate")
        assert ("inactive", 0) == (row["state"], row["value"])
        told.tell(lambda turn: requests(failing=True)(turn).replace('"200"} 0', '"200"} 200'), times=15)
        (row,) = told.alert("HighErrorRate")
        assert ("pending", {"service": "cv"}) == (row["state"], row["labels"])
        told.tell(lambda turn: requests(failing=True)(turn).replace('"200"} 0', '"200"} 200'), times=160)
        (row,) = told.alert("HighErrorRate")
        assert ("firing", "critical", 0.05) == (row["state"], row["severity"], row["threshold"])
        assert "cv answers with errors" == row["summary"]
        assert told.engine.history.has("ALERTS")
        told.tell(lambda _turn: 'other{service="cv"} 1\n', times=200)
        assert {"inactive"} == {each["state"] for each in told.alert("HighErrorRate")}

    def test_needs_a_prometheus(self) -> None:
        """A rule that looks back further than a quarter of an hour is unknown."""
        told = Told()
        told.tell(lambda turn: f'ml_inference_cost_usd_total{{model="m",operation="",service="cv"}} {turn}\n', times=3)
        states = {each["name"]: (each["state"], each["why"]) for each in told.engine.common()["alerts"]}
        assert ("unknown", NEEDS_PROMETHEUS) == states["CostBudget"] == states["DailySpend"]

    def test_thresholds_of_a_configuration(self) -> None:
        """A configuration decides about thresholds, and about which alerts there are."""
        text = '[[service]]\nname = "cv"\ntargets = ["here:1"]\n[alert.HighErrorRate]\nshare = 0.5\n'
        told = Told(parse(text))
        told.tell(requests(failing=False), times=3)
        (row,) = told.alert("HighErrorRate")
        assert (0.5, "percentunit") == (row["threshold"], row["unit"])

    def test_says_why_a_passed_limit_is_inactive(self) -> None:
        """A value over its limit whose rule asks for more calls is inactive, and that is said."""
        told = Told()
        told.tell(lambda turn: f'fastapi_requests_total{{service="cv",status="500"}} {turn // 20}\n', times=60)
        (row,) = told.alert("HighErrorRate")
        assert ("inactive", 1, 0.05, NOT_ALL) == tuple(row[key] for key in ("state", "value", "threshold", "summary"))

    def test_leaves_out_what_is_made_of_nothing(self) -> None:
        """A rule on a metric that another rule records is left out if nobody records what that is made from."""
        told = Told()
        told.tell(requests(failing=False), times=3)
        names = {each["name"] for each in told.engine.common()["alerts"]}
        assert {"HighErrorRate", "ServiceDown", "InstanceDown"} <= names
        assert not {"DailySpend", "MatchingScoreDrift", "PredictedClassDrift"} & names

    def test_needs_no_time_of_start(self) -> None:
        """Where the time of a process's start is not known, rules that only use it beside others are there."""
        told = Told()
        told.tell(lambda turn: f'ml_model_load_total{{model="m",outcome="failure",service="cv"}} {turn}\n', times=3)
        assert ["firing"] == [each["state"] for each in told.alert("ModelLoadFailed")]

    def test_ages_are_times(self) -> None:
        """The age of a price table is compared in seconds, and is shown as a time."""
        told = Told()
        told.tell(lambda _turn: f'mlmetrics_price_table_timestamp_seconds{{table="t"}} {BEGIN_MS / 1000}\n', times=3)
        (row,) = told.alert("PriceTableOld")
        assert ("s", 6, 90 * 86400) == (row["unit"], row["value"], row["threshold"])

    def test_services_that_are_not_read(self) -> None:
        """Services of a configuration that are not read are not down, and one that it does not name is there too."""
        config = parse("".join(f'[[service]]\nname = "{each}"\ntargets = ["there:1"]\n' for each in ("api", "other")))
        told = Told(config)
        told.tell(
            lambda _turn: 'process_resident_memory_bytes 1e6\nfastapi_requests_total{service="cv",status="200"} 1\n', 3
        )
        (row,) = told.alert("ServiceDown")
        assert ("inactive", {"job": "cv"}) == (row["state"], row["labels"])
        data = told.engine.views[View()].data({}, 1)
        assert ["here:1 · cv"] == [each["name"] for each in data["tiles"]["memory"]["series"]]

    def test_a_rule_that_fails_once(self) -> None:
        """A rule that cannot be evaluated at one moment keeps its alerts and says why, and goes on later."""
        rule = made(AlertingRule("Rule", "a > 1", "4s", {}, {}), parse(ONE_SERVICE))

        def at(seconds: int, results: Results | None) -> tuple[object, object, object]:
            rule.evaluate(Asked(seconds * 1000, results))
            (row,) = rule.rows()
            return row["state"], row["since"], row["why"]

        series: Results = [((("model", "m"),), 2.0)]
        assert ("pending", 1000, "") == at(1, series)
        assert ("pending", 1000, "refused") == at(3, None)
        assert ("firing", 1000, "") == at(5, series)
        assert ("inactive", None, "") == at(7, [])
        assert ("unknown", None, "refused") == at(9, None)

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("a / b > 0.05 and c >= 20", ("a / b", ">", 0.05)),
            ("label_replace(a == 0 or absent(b), 'x', '$1', 'y', '(.+)')", ("a == 0", "==", 0.0)),
            ("(sum(a{b=~'5(\\\\.0)?'}) > 3)", ('sum(a{b=~"5(\\\\.0)?"})', ">", 3.0)),
        ],
    )
    def test_finds_what_is_compared(self, query: str, expected: tuple[str, str, float]) -> None:
        """The value of an alert is what its outermost comparison compares."""
        found = threshold_of(query)
        assert found is not None
        assert expected[1:] == (found.operator, found.value)
        assert found.query.replace(" ", "") in expected[0].replace(" ", "")

    @pytest.mark.parametrize("query", ["vector(1)", "a > b"])
    def test_some_compare_nothing(self, query: str) -> None:
        """A rule without a comparison with a number has no threshold."""
        assert threshold_of(query) is None

    def test_writes_templates(self) -> None:
        """The texts of rules are written with labels and values."""
        template = '{{ $labels.a }}{{ $labels.b }}: {{ $value | printf "%.4g" }}, {{ $value | humanizePercentage }}'
        assert "x: 0.1235, 12.35%" == written(template, {"a": "x"}, 0.12345)
        assert "x: ?, ?" == written(template, {"a": "x"}, None)


class TestDiscovery:
    """The configuration from pages."""

    def test_leaves_out_names_that_no_configuration_takes(self) -> None:
        """A service or an operation with such a name is left out, and the others stay."""
        labels = {"ml_retrieval_total": ["index", "outcome", "service"], "ml__total": ["outcome"]}
        found = discovered(
            labels.keys(), lambda name: labels[name], [("prometheus", "a:1"), ("cv", "b:1"), ("cv", "c:1")]
        )
        assert [("cv", ("b:1", "c:1"))] == [(each.name, each.targets) for each in found.services]
        assert ["retrieval"] == [each.name for each in found.operations if not each.ships]
