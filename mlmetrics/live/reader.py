"""What stands between the feed and the targets: asks them, and has the engine evaluate what they say."""

from collections.abc import Sequence
from typing import Any

from mlmetrics.live.clock import Clock
from mlmetrics.live.engine import Engine
from mlmetrics.live.scraping import Scraped, make_scraper
from mlmetrics.live.target import Access, Answer
from mlmetrics.live.views import View
from mlmetrics.monitoring.config import Config

Answers = Sequence[tuple[Scraped, Answer]]


class TargetReader:
    """Reads targets by their addresses."""

    def __init__(self, urls: Sequence[str], access: Access, config: Config | None, clock: Clock | None = None) -> None:
        self.engine = Engine(config)
        self._scraper = make_scraper(urls, access, self.engine.history, _jobs(config), clock)
        self._common: dict[str, Any] = {}

    async def answers(self) -> Answers:
        """Return what the targets say, at most a second later."""
        return await self._scraper.answers()

    def step(self, answers: Answers) -> bool:
        """Take answers over; return whether viewers need all data again."""
        jumped = self._scraper.take(answers)
        if jumped:
            self.engine.shift(jumped)
        targets = [(each.job, each.target.instance) for each in self._scraper.targets]
        states = [each.state() for each in self._scraper.targets]
        is_new = self.engine.refresh(self._scraper.clock.now(), targets, states)
        self._common = self.engine.common()
        return is_new or bool(jumped)

    def open(self, view: View) -> None:
        """Make a view, with its past."""
        self.engine.open(view)

    def forget(self, view: View) -> None:
        """Forget a view."""
        self.engine.close(view)

    def layout(self, view: View) -> dict[str, Any]:
        """Return the declarations of the tiles of a view."""
        return self.engine.views[view].layout()

    def data(self, view: View, last: int | None) -> dict[str, Any]:
        """Return the data of a view, of all times or of the last only."""
        return self.engine.views[view].data(self._common or self.engine.common(), last)

    def close(self) -> None:
        """End connections and threads."""
        self._scraper.close()


def _jobs(config: Config | None) -> dict[str, str]:
    """Return the job of each address in a configuration; a name and its number of loopback are the same."""
    found = {}
    for service in config.services if config is not None else ():
        for target in service.targets:
            found[target] = service.name
            for one, other in (("localhost:", "127.0.0.1:"), ("127.0.0.1:", "localhost:")):
                if target.startswith(one):
                    found.setdefault(other + target.removeprefix(one), service.name)
    return found
