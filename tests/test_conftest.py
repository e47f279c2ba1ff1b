"""Which tests `make quick` leaves out, and which `make test` runs after the others."""

import pytest

from tests.conftest import (
    ALONE,
    CHOSEN,
    LONG,
    ROOT,
    SLOW,
    TOGETHER,
    WAITING,
    pytest_collection_modifyitems,
    pytest_ignore_collect,
)


class Item(pytest.Item):
    """A test that is never run."""

    def runtest(self) -> None:
        """Nothing to run."""


def marked(request: pytest.FixtureRequest, place: str) -> Item:
    """Return a test of this module after pytest has collected it."""
    item: Item = Item.from_parent(request.session, name="test", path=ROOT / place)
    pytest_collection_modifyitems([item])
    return item


@pytest.mark.parametrize("place", sorted({*SLOW, *ALONE, *WAITING, *LONG, *TOGETHER}))
def test_every_place_is_there(place: str) -> None:
    """Every module that is marked exists, so that a moved one does not come back into `make quick` unnoticed."""
    assert (ROOT / place).exists()


@pytest.mark.parametrize(
    ("place", "marks"),
    [
        ("recording/test_limits.py", []),
        ("recording/test_interrupted_folds.py", ["slow"]),
        ("integration/test_http_scrape.py", ["slow", "waiting", "xdist_group"]),
        ("integration/test_prometheus_pair.py", ["alone", "long", "slow", "xdist_group"]),
        ("integration/test_alerts_rehearsal.py", ["long", "slow", "waiting", "xdist_group"]),
        ("scale/test_rehearsal.py", ["alone", "slow", "xdist_group"]),
        ("packaging/test_wheel.py", ["slow", "xdist_group"]),
        ("test_recipes.py", ["long", "slow"]),
    ],
)
def test_marks(request: pytest.FixtureRequest, place: str, marks: list[str]) -> None:
    """Tests get their marks by their module or their folder."""
    assert marks == sorted(mark.name for mark in marked(request, place).iter_markers())


@pytest.mark.parametrize("place", SLOW)
def test_slow_modules_are_not_read(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """`make quick` does not import what it leaves out; any other choice of tests reads every module."""
    for choice, expected in {"not slow": True, "": None, "slow": None, "not slow or alone": None}.items():
        monkeypatch.setattr(request.config.option, "markexpr", choice)
        assert expected is pytest_ignore_collect(ROOT / place, request.config)
        assert pytest_ignore_collect(ROOT / "recording/test_limits.py", request.config) is None


@pytest.mark.parametrize("choice", CHOSEN)
def test_what_is_not_chosen_is_not_read(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, choice: str
) -> None:
    """Each run that `make test` and `make long` consist of reads those modules alone that it runs; every folder."""
    monkeypatch.setattr(request.config.option, "markexpr", choice)
    for place in (*SLOW, *ALONE, *WAITING, *LONG, "recording/test_limits.py"):
        for path in [ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("test_*.py"):
            marks = {mark.name for mark in marked(request, str(path.relative_to(ROOT))).iter_markers()}
            if eval(choice, {}, {name: name in marks for name in ("alone", "long", "waiting")}):  # noqa: S307 - ours
                assert pytest_ignore_collect(path, request.config) is None
    assert pytest_ignore_collect(ROOT / "recording/test_limits.py", request.config) is True
    assert pytest_ignore_collect(ROOT / "monitoring", request.config) is None


def test_what_runs_later_is_slow(request: pytest.FixtureRequest) -> None:
    """`make quick` leaves out all tests that `make test` runs after the others, and those that it does not run."""
    assert all(marked(request, place).get_closest_marker("slow") for place in (*ALONE, *WAITING, *LONG))
