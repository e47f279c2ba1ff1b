"""Targets that misbehave, on a real Prometheus 2.42: falls, gaps, ends, failures and changed buckets, compared."""

from collections.abc import Iterator
from random import Random

import pytest

from mlmetrics.monitoring.text import yaml_text
from tests.live.pages import PageServer
from tests.live.samples import compare, history_of
from tests.servers import Prometheus

SCRAPES = 45
WINDOWS = ("2s", "7s", "15s", "5m")
BOUNDS = (("0.1", "1", "+Inf"), ("0.5", "1", "2", "+Inf"))
QUERIES = (
    *(
        f"{function}({name}[{window}])"
        for function in ("rate", "increase")
        for name in ("c", "h_bucket")
        for window in WINDOWS
    ),
    *(f"{function}_over_time(g[{window}])" for function in ("max", "min", "last", "present") for window in WINDOWS),
    *(f"rate(c[{window}] offset 6s)" for window in WINDOWS),
    *(
        f"histogram_quantile({share}, sum by (le) (rate(h_bucket[{window}])))"
        for share in (0.1, 0.5, 0.95, 1)
        for window in WINDOWS
    ),
    *(
        "g",
        "g offset 5s",
        "c",
        "up",
        "g > 0",
        "g > bool 0",
        "-g",
        "abs(g)",
        "clamp_min(g, 1)",
        "ln(g)",
        "sqrt(g)",
        "time() - g",
    ),
    *(f"{operator} by (k) (g)" for operator in ("sum", "max", "min", "count", "avg")),
    *("sum without (k) (c)", "sum(c) / count(g)", "absent(g)", 'absent(g{k="a"})', 'absent(g{k="none"})'),
    *(
        "c and on (k) g",
        "c or g",
        "c unless on (k) g",
        "c * on (k, instance) group_left () g",
        "g / ignoring (n) group_right () c",
    ),
    *('label_replace(c, "z", "$1-$2", "k", "(.)(.*)")', 'c{k!~"a|b"}', 'c{k=~"a.*"}', 'c{n!="1",k=~".+"}'),
    *(
        "sum(rate(c[15s])) / (sum(rate(c[5m])) > 0)",
        "c == 3",
        "c != 3",
        "c >= 3 and c <= 20",
        "vector(1) - 2 ^ 3",
        "c offset 3s - c",
    ),
)


class Misbehaving(PageServer):
    """A target whose pages follow a script of random faults."""

    def __init__(self) -> None:
        super().__init__()
        self.turn = 0
        self._random = Random(17)  # noqa: S311 - the same faults in every run, no secrets
        self._counts = dict.fromkeys("abcd", 0.0)
        self._observed = 0

    @property
    def page(self) -> str:
        """The page of the next turn: most numbers grow, some fall, and some series are left out, or all."""
        self.turn += 1
        lines = []
        for key in self._counts:
            chance = self._random.random()
            if chance < 0.08:
                self._counts[key] = 0
            elif chance < 0.6:
                self._counts[key] += self._random.choice((1, 2, 0.5, 100))
            if self._random.random() > 0.15:
                lines += [f'c{{k="{key}",n="{number}"}} {self._counts[key] + number}' for number in range(2)]
            if self._random.random() > 0.25:
                lines.append(f'g{{k="{key}"}} {self._random.choice(("NaN", "+Inf", "-3", "0", "7.25", "7.25"))}')
        if self.turn == SCRAPES // 2:
            self._observed = 0
        self._observed += self._random.randrange(4)
        bounds = BOUNDS[self.turn > SCRAPES // 2]
        lines += [
            f'h_bucket{{le="{bound}"}} {self._observed * (number + 1) // len(bounds)}'
            for number, bound in enumerate(bounds)
        ]
        return "" if self._random.random() < 0.1 else "\n".join(lines) + "\n"

    @page.setter
    def page(self, _text: str) -> None:
        return


@pytest.fixture(scope="module")
def prometheus() -> Iterator[Prometheus]:
    """Return a Prometheus that has read the target each second."""
    with Misbehaving() as server:
        job = {"job_name": "x", "static_configs": [{"targets": [f"127.0.0.1:{server.port}"]}]}
        config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}
        with Prometheus(yaml_text(config)) as running:
            running.wait_for(f"count_over_time(up[5m]) >= {SCRAPES}", timeout=120)
            yield running
        server.over.set()


def test_equals_prometheus(prometheus: Prometheus) -> None:
    """Whatever a target does, results are those of Prometheus, on samples and between them."""
    history = history_of(prometheus, 300)
    (times,) = [source.times for source in history.sources if len(source.times) > 10]
    instants = [time + shift for time in times[6:-1:3] for shift in (0, 1, 417, 999)]
    compared = compare(prometheus, history, QUERIES, instants)
    assert not compared.wrong, "\n".join(compared.wrong[:20])
    assert compared.series > 10_000
    print(f"{compared.queries} results, {compared.series} series, worst {compared.worst:g}")  # noqa: T201
