"""The states of alerts over a history that a test writes, what they compare, and which rules are shown."""

from dataclasses import dataclass

import pytest

from mlmetrics.live.alerts import NOT_ALL, made, threshold_of, written
from mlmetrics.live.data import PromQLError, Results
from mlmetrics.live.rules import NEEDS_PROMETHEUS
from mlmetrics.live.views import View
from mlmetrics.monitoring.loading import parse
from mlmetrics.monitoring.rules.model import AlertingRule
from tests.live.told import BEGIN_MS, Told, requests

ONE_SERVICE = '[[service]]\nname = "cv"\ntargets = ["here:1"]\n'


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


def test_goes_on_to_fire() -> None:
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


def test_needs_a_prometheus() -> None:
    """A rule that looks back further than a quarter of an hour is unknown."""
    told = Told()
    told.tell(lambda turn: f'ml_inference_cost_usd_total{{model="m",operation="",service="cv"}} {turn}\n', times=3)
    states = {each["name"]: (each["state"], each["why"]) for each in told.engine.common()["alerts"]}
    assert ("unknown", NEEDS_PROMETHEUS) == states["CostBudget"] == states["DailySpend"]


def test_thresholds_of_a_configuration() -> None:
    """A configuration decides about thresholds, and about which alerts there are."""
    text = '[[service]]\nname = "cv"\ntargets = ["here:1"]\n[alert.HighErrorRate]\nshare = 0.5\n'
    told = Told(parse(text))
    told.tell(requests(failing=False), times=3)
    (row,) = told.alert("HighErrorRate")
    assert (0.5, "percentunit") == (row["threshold"], row["unit"])


def test_says_why_a_passed_limit_is_inactive() -> None:
    """A value over its limit whose rule asks for more calls is inactive, and that is said."""
    told = Told()
    told.tell(lambda turn: f'fastapi_requests_total{{service="cv",status="500"}} {turn // 20}\n', times=60)
    (row,) = told.alert("HighErrorRate")
    assert ("inactive", 1, 0.05, NOT_ALL) == tuple(row[key] for key in ("state", "value", "threshold", "summary"))


def test_leaves_out_what_is_made_of_nothing() -> None:
    """A rule on a metric that another rule records is left out if nobody records what that is made from."""
    told = Told()
    told.tell(requests(failing=False), times=3)
    names = {each["name"] for each in told.engine.common()["alerts"]}
    assert {"HighErrorRate", "ServiceDown", "InstanceDown"} <= names
    assert not {"DailySpend", "MatchingScoreDrift", "PredictedClassDrift"} & names


def test_needs_no_time_of_start() -> None:
    """Where the time of a process's start is not known, rules that only use it beside others are there."""
    told = Told()
    told.tell(lambda turn: f'ml_model_load_total{{model="m",outcome="failure",service="cv"}} {turn}\n', times=3)
    assert ["firing"] == [each["state"] for each in told.alert("ModelLoadFailed")]


def test_ages_are_times() -> None:
    """The age of a price table is compared in seconds, and is shown as a time."""
    told = Told()
    told.tell(lambda _turn: f'mlmetrics_price_table_timestamp_seconds{{table="t"}} {BEGIN_MS / 1000}\n', times=3)
    (row,) = told.alert("PriceTableOld")
    assert ("s", 6, 90 * 86400) == (row["unit"], row["value"], row["threshold"])


def test_services_that_are_not_read() -> None:
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


def test_a_rule_that_fails_once() -> None:
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
def test_finds_what_is_compared(query: str, expected: tuple[str, str, float]) -> None:
    """The value of an alert is what its outermost comparison compares."""
    found = threshold_of(query)
    assert found is not None
    assert expected[1:] == (found.operator, found.value)
    assert found.query.replace(" ", "") in expected[0].replace(" ", "")


@pytest.mark.parametrize("query", ["vector(1)", "a > b"])
def test_some_compare_nothing(query: str) -> None:
    """A rule without a comparison with a number has no threshold."""
    assert threshold_of(query) is None


def test_writes_templates() -> None:
    """The texts of rules are written with labels and values."""
    template = '{{ $labels.a }}{{ $labels.b }}: {{ $value | printf "%.4g" }}, {{ $value | humanizePercentage }}'
    assert "x: 0.1235, 12.35%" == written(template, {"a": "x"}, 0.12345)
    assert "x: ?, ?" == written(template, {"a": "x"}, None)
