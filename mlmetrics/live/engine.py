"""The engine of the page: takes what the targets say, evaluates the rules and all views, and gives bytes to send.

It runs in one thread, one step after the other; the feed calls it.
"""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from mlmetrics.live.data import Memory, MemoryMoment, Results
from mlmetrics.live.discovery import discovered, of_targets
from mlmetrics.live.history import KEPT_SECONDS, History, Limits
from mlmetrics.live.models import last_errors, model_queries
from mlmetrics.live.promql.semantics import PROMETHEUS_3, Semantics
from mlmetrics.live.promql.vectors import NAME
from mlmetrics.live.rules import Rules
from mlmetrics.live.tiles import choices_of, tile_rows
from mlmetrics.live.views import MOST_TIMES, View, ViewState
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.rules.model import RecordingRule

RATE_SECONDS = (4.0, 8.0, 16.0, 30.0)
"""The window of rates, $__rate_interval: the longest that has been seen, so that the first numbers are right too."""
PAST_SECONDS = 1.0
"""How long a new view may take for its past."""
INTERVAL_MS = 2000
MOST_CHOICES = 1000
_SERVICE, _MODEL = "service", "model"


class Engine:
    """What is known, and the views of it."""

    def __init__(
        self, config: Config | None, limits: Limits | None = None, semantics: Semantics = PROMETHEUS_3
    ) -> None:
        self.history = History(limits)
        self.memory = Memory(self.history, semantics)
        self.views: dict[View, ViewState] = {}
        self._given = config
        self._config: Config | None = None
        self._rules: Rules | None = None
        self._rule_sources: dict[str, Any] = {}
        self._alerts = self.history.source("alerts")
        self._known: object = None
        self._series = 0
        self._rate_seconds = RATE_SECONDS[0]
        self._lists: tuple[object, dict[str, list[str]]] = (None, {})
        self._moment: MemoryMoment | None = None
        self._targets: list[dict[str, Any]] = []

    def refresh(self, at: int, targets: list[tuple[str, str]], states: list[dict[str, Any]]) -> bool:
        """Bring rules and views to a time; return whether the layout has changed.

        Args:
            at: the time, in milliseconds.
            targets: the job and the address of each target.
            states: the states of the targets as the feed has them.
        """
        self._targets = states
        is_new = self._configure(targets, at)
        moment = self.memory.at(at)
        if self._rules is not None:
            self._rules.record(moment, self._recorder(at))
            self._rules.evaluate(moment)
            self.history.record(self._alerts, at, self._rules.samples())
        errors = last_errors(self.history)
        for state in self.views.values():
            state.tick(moment)
            state.tabulate(moment, errors)
        self._moment = moment
        return is_new

    def shift(self, milliseconds: int) -> None:
        """Move all times, because the clock has jumped; the history has been moved already."""
        if self._rules is not None:
            self._rules.shift(milliseconds)
        for state in self.views.values():
            state.shift(milliseconds)

    def open(self, view: View) -> ViewState:
        """Return a view, made with its past if it is new."""
        found = self.views.get(view)
        if found is None:
            found = self._made(view)
            self._fill(found)
            self.views[view] = found
        return found

    def close(self, view: View) -> None:
        """Forget a view."""
        self.views.pop(view, None)

    def common(self) -> dict[str, Any]:
        """Return what all views show: alerts, targets, and what there is to choose."""
        alerts = self._rules.shown(self.history.has) if self._rules is not None else []
        lists = self._choices()
        return {"alerts": alerts, "targets": self._targets, **lists}

    def _configure(self, targets: list[tuple[str, str]], at: int) -> bool:
        """See whether other metrics or services are there than before, and make rules and views for them."""
        seen_seconds = (at - self._first(at)) / 1000
        rate_seconds = max((each for each in RATE_SECONDS if each <= seen_seconds), default=RATE_SECONDS[0])
        known = (frozenset(self.history.families), tuple(targets))
        if known == self._known:
            if rate_seconds == self._rate_seconds and not self._may_show_more():
                return False
            self._rate_seconds = rate_seconds
            return self._remake_views()
        self._known, self._rate_seconds = known, rate_seconds
        config = self._configuration(targets)
        if config != self._config or self._rules is None:
            self._config = config
            self._make_rules(config)
        return self._remake_views()

    def _configuration(self, targets: list[tuple[str, str]]) -> Config:
        if self._given is not None:
            return of_targets(self._given, targets)
        return discovered(self.history.families.keys(), self.history.labels, targets)

    def _make_rules(self, config: Config) -> None:
        rules = Rules(config, KEPT_SECONDS)
        if self._rules is not None:
            rules.take_over(self._rules)
        self._rules = rules
        for key in self._rule_sources.keys() - {_key(rule) for rule in rules.recording}:
            self.history.drop(self._rule_sources.pop(key))

    def _remake_views(self) -> bool:
        """Make the views again; return whether one of them has changed."""
        changed = False
        for view, before in list(self.views.items()):
            after = self._made(view)
            changed = changed or after.layout() != before.layout()
            after.take_over(before)
            self.views[view] = after
        return changed

    def _made(self, view: View) -> ViewState:
        config = self._config = self._config or self._configuration([])
        choices = choices_of(
            config, view.service, view.model, rate_seconds=self._rate_seconds, range_seconds=float(KEPT_SECONDS)
        )
        has = self._recorded_by(view)
        return ViewState(view, config.title, tile_rows(config, choices, has), model_queries(config, choices, has))

    def _may_show_more(self) -> bool:
        """Whether there are other series than before, of which a view of one service or model may show more."""
        before, self._series = self._series, sum(family.version for family in self.history.families.values())
        return before != self._series and any(view != View() for view in self.views)

    def _recorded_by(self, view: View) -> Callable[[str], bool]:
        """Return whether the service and the model of a view record a metric, as far as it names them."""
        chosen = [(label, text) for label, text in ((_SERVICE, view.service), (_MODEL, view.model)) if text]

        def has(name: str) -> bool:
            values = ((self.history.values(name, label), text) for label, text in chosen)
            return self.history.has(name) and all(text in known for known, text in values if known)

        return has

    def _fill(self, state: ViewState) -> None:
        """Compute the past of a view, at as many instants as fit into a second."""
        times = self._past()
        if not times:
            return
        newest = self._moment if self._moment is not None else self.memory.at(times[-1])
        state.tick(newest)  # works out what belongs together, which takes longer than every further time
        begun = time.perf_counter()
        state.tick(self.memory.at(times[0]))
        spent = time.perf_counter() - begun
        state.clear()
        step = math.ceil(len(times) * spent / PAST_SECONDS)
        for at in times[:: -max(1, step)][::-1]:
            state.tick(newest if at == newest.milliseconds else self.memory.at(at))
        state.tabulate(newest, last_errors(self.history))

    def _past(self) -> list[int]:
        """Return the times of the past ticks that the history can answer for."""
        if self._moment is None:
            return []
        newest = self._moment.milliseconds
        oldest = max(self._first(newest), newest - (MOST_TIMES - 1) * INTERVAL_MS)
        return list(range(newest, oldest - 1, -INTERVAL_MS))[::-1]

    def _first(self, at: int) -> int:
        """Return the time of the first scrape that is known, `at` if there is none."""
        return min((source.times[0] for source in self.history.sources if source.times), default=at)

    def _recorder(self, at: int) -> Callable[[RecordingRule, Results], None]:
        def record(rule: RecordingRule, results: Results) -> None:
            key = _key(rule)
            source = self._rule_sources.get(key)
            if source is None:
                source = self._rule_sources[key] = self.history.source(key)
            named = (({**dict(labels), **rule.labels}, value) for labels, value in results)
            samples = {
                (rule.name, tuple(sorted(pair for pair in own.items() if pair[0] != NAME))): value
                for own, value in named
            }
            self.history.record(source, at, samples)

        return record

    def _choices(self) -> dict[str, list[str]]:
        """Return the services and the models that there are."""
        names = [
            name for name in self.history.families if name.startswith(("ml_", "fastapi_")) and name.endswith("_total")
        ]
        versions = tuple((name, self.history.families[name].version) for name in names)
        if self._lists[0] != versions:
            values: Mapping[str, set[str]] = {
                label: set().union(*(self.history.values(name, label) for name in names)) if names else set()
                for label in (_SERVICE, _MODEL)
            }
            self._lists = (
                versions,
                {
                    "services": sorted(values[_SERVICE] - {""})[:MOST_CHOICES],
                    "all_models": sorted(values[_MODEL] - {""})[:MOST_CHOICES],
                },
            )
        return self._lists[1]


def _key(rule: RecordingRule) -> str:
    """Return what names a rule: several record under one name, with other labels."""
    return f"{rule.name} {sorted(rule.labels.items())} {rule.expression}"
