"""An engine that tests tell pages of one target, and pages to tell."""

from collections.abc import Callable

from mlmetrics.live.engine import Engine
from mlmetrics.live.text import Interned, PageReader
from mlmetrics.live.views import View
from mlmetrics.monitoring.config import Config

STEP_MS = 2000
BEGIN_MS = 1_700_000_000_000
TARGET = ("cv", "here:1")
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
