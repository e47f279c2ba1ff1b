"""Tiles, rules and views over a history that a test writes, and what is found on pages."""

import pytest

from mlmetrics.live.discovery import MOST_OPERATIONS, discovered
from mlmetrics.live.tiles import page_rows, slug
from mlmetrics.live.views import MOST_MODELS, MOST_SERIES, MOST_TIMES, View
from mlmetrics.monitoring.loading import parse
from tests.live.told import Told, own, requests


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

    def test_few_models(self) -> None:
        """The table has so many rows at most, those with most calls, and says how many are left out."""
        told = Told()
        labels = [f'model="m{number}",operation="",outcome="success",service="cv"' for number in range(MOST_MODELS + 6)]
        told.tell(
            lambda turn: "".join(f"ml_inference_total{{{each}}} {place * turn}\n" for place, each in enumerate(labels)),
            2,
        )
        data = told.engine.views[View()].data({}, 1)
        assert (MOST_MODELS, 6) == (len(data["models"]), data["more_models"])
        assert f"m{MOST_MODELS + 5}" == data["models"][0]["model"]

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

    def test_a_view_shows_what_its_service_records(self) -> None:
        """A tile of another service is left out, and comes when the chosen service records it too."""

        def with_other(turn: int) -> str:
            return requests(failing=False)(turn) + own(turn).replace('service="cv"', 'service="search"')

        told = Told()
        told.tell(with_other, times=3)
        every, one = told.engine.open(View()), told.engine.open(View(service="cv"))
        assert {"retrieval-calls"} <= {tile.id for tile in every.tiles} - {tile.id for tile in one.tiles}
        assert "requests" in {tile.id for tile in one.tiles}
        assert told.tell(lambda turn: with_other(turn) + own(turn))
        assert "retrieval-calls" in {tile.id for tile in told.engine.views[View(service="cv")].tiles}

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


class TestDiscovery:
    """The configuration from pages."""

    def test_so_many_operations(self) -> None:
        """Of a page with very many names, so many are taken for operations that the page stays quick."""
        names = {f"ml_own{number:02}_total" for number in range(40)}
        found = discovered(names, lambda _name: ["index", "outcome", "service"], [])
        own = [each.name for each in found.operations if not each.ships]
        assert [f"own{number:02}" for number in range(MOST_OPERATIONS)] == own

    def test_leaves_out_names_that_no_configuration_takes(self) -> None:
        """A service or an operation with such a name is left out, and the others stay."""
        labels = {"ml_retrieval_total": ["index", "outcome", "service"], "ml__total": ["outcome"]}
        found = discovered(
            labels.keys(), lambda name: labels[name], [("prometheus", "a:1"), ("cv", "b:1"), ("cv", "c:1")]
        )
        assert [("cv", ("b:1", "c:1"))] == [(each.name, each.targets) for each in found.services]
        assert ["retrieval"] == [each.name for each in found.operations if not each.ships]
