"""How the values of several workers become one, in readers and in reapers alike."""

from pathlib import Path

import pytest
from prometheus_client import Gauge

from mlmetrics.catalog.metric import MODES
from mlmetrics.workers.kinds import KINDS, Kind, is_live, join_of, kind_of_gauge, kind_of_metric, mode_of
from mlmetrics.workers.reaper import reap
from tests.workers.shared import SERVICE, Totals, Worker, client_totals, sample

AMOUNTS = (4.0, -2.0, 3.0)
JOINED = {"sum": 5.0, "max": 4.0, "min": -2.0, "all": 3.0, "mostrecent": 3.0}


@pytest.mark.parametrize("mode", MODES)
def test_modes(mode: str) -> None:
    """Each mode of prometheus_client has a kind of its own, which says the mode."""
    kind = kind_of_gauge(mode)
    assert mode == mode_of(kind)
    assert "gauge" == kind_of_metric(kind)
    assert mode.startswith("live") == is_live(kind)
    assert set(MODES) == Gauge._MULTIPROC_MODES


@pytest.mark.parametrize("mode", JOINED)
def test_the_dead(tmp_path: Path, mode: str) -> None:
    """Before and after they are reaped, one by one or together, the dead are joined as the client joins them."""
    kind, expected = kind_of_gauge(mode), JOINED[mode]
    for time, amount in enumerate(AMOUNTS, 1):
        _leave(tmp_path, kind, amount, float(time))
        if time == 1:
            reap(str(tmp_path), SERVICE)
    key = sample(kind, model="a")
    assert expected == Totals(tmp_path, reaps=False).read()[key]
    assert 2 == reap(str(tmp_path), SERVICE)
    assert expected == Totals(tmp_path).read()[key]
    if mode != "all":
        assert expected == client_totals(tmp_path)[key]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if is_live(kind)])
def test_of_live_workers_only(tmp_path: Path, kind: Kind) -> None:
    """What counts only while its worker runs is gone with it, reaped or not."""
    _leave(tmp_path, kind, 4.0, 1.0)
    assert sample(kind, model="a") not in Totals(tmp_path, reaps=False).read()
    reap(str(tmp_path), SERVICE)
    assert not list(tmp_path.glob(f"{kind}_*"))


@pytest.mark.parametrize("kind", KINDS)
def test_order(kind: Kind) -> None:
    """In whatever order values are joined, and however often, the result is the same; nothing recorded adds nothing."""
    join, values = join_of(kind), [(4.0, 1.0), (-2.0, 2.0), (3.0, 3.0)]
    nothing = (0.0, 0.0)
    one = join(join(join(nothing, values[0]), values[1]), values[2])
    other = join(join(join(join(nothing, values[2]), nothing), values[0]), values[1])
    assert one[0] == other[0]


def _leave(directory: Path, kind: Kind, amount: float, time: float) -> None:
    """Leave the file of a worker that has died, with a gauge that was set at a time."""
    worker = Worker(directory, dead=True)
    place = worker.place(kind, kind, model="a")
    view = worker.files.views.by_kind[kind]
    view[place], view[place + 1] = amount, time
