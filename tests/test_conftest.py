"""Which tests `make quick` leaves out, and which `make test` runs alone."""

import pytest

from tests.conftest import ALONE, LONG, ROOT, SLOW, TOGETHER, pytest_collection_modifyitems, pytest_ignore_collect


class Item(pytest.Item):
    """A test that is never run."""

    def runtest(self) -> None:
        """Nothing to run."""


def marked(request: pytest.FixtureRequest, place: str) -> Item:
    """Return a test of this module after pytest has collected it."""
    item: Item = Item.from_parent(request.session, name="test", path=ROOT / place)
    pytest_collection_modifyitems([item])
    return item


@pytest.mark.parametrize("place", sorted({*SLOW, *ALONE, *LONG, *TOGETHER}))
def test_every_place_is_there(place: str) -> None:
    """Every module that is marked exists, so that a moved one does not come back into `make quick` unnoticed."""
    assert (ROOT / place).exists()


@pytest.mark.parametrize(
    ("place", "marks"),
    [
        ("recording/test_limits.py", []),
        ("recording/test_interrupted_folds.py", ["slow"]),
        ("integration/test_http_scrape.py", ["alone", "slow", "xdist_group"]),
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


def test_alone_and_long_are_slow(request: pytest.FixtureRequest) -> None:
    """`make quick` leaves out all tests that `make test` runs alone, and those that it does not run."""
    assert all(marked(request, place).get_closest_marker("slow") for place in (*ALONE, *LONG))
