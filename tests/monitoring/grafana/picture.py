"""Draw the main dashboard from the results of its queries after a minute of the demo's traffic.

`python -m tests.monitoring.grafana.picture docs/images/main-dashboard.png`; needs matplotlib.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from examples.recruiting.addresses import SERVICES
from mlmetrics.monitoring.grafana.provisioning import dashboard_texts
from mlmetrics.monitoring.verify.interpolation import Choice, interpolate
from tests.monitoring.grafana.stage import RATE_SECONDS, Stage, staged

SECONDS = 75.0
INK, PAPER, FRAME = "#d8d9da", "#111217", "#181b1f"
COLOURS = {"green": "#73bf69", "red": "#f2495c", "text": INK}
Series = dict[str, Any]


def main() -> None:
    """Run the demo's services under traffic, run the queries, and draw the results."""
    with tempfile.TemporaryDirectory() as folder, staged(Path(folder), SECONDS) as stage:
        board = json.loads(dashboard_texts(stage.config)["mlmetrics-performance"])
        figure = draw(board, lambda query: ask(stage, query))
    path = Path(sys.argv[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80, facecolor=PAPER, metadata={"Software": ""})


def ask(stage: Stage, query: str) -> list[Series]:
    """Return the answer to a panel's query over the last minute, for the four services of the demo."""
    names = [service.name for service in SERVICES]
    choices: dict[str, Choice] = {
        "__rate_interval": f"{RATE_SECONDS}s",
        "instance": ".+",
        "model": ".+",
        "service": names,
        "job": names,
    }
    window = {"start": f"{stage.end - 60:.0f}", "end": f"{stage.end:.0f}", "step": "1"}
    asked = stage.prometheus.get("/api/v1/query_range", query=interpolate(query, choices), **window)
    found: list[Series] = asked.json()["data"]["result"]
    return found


def draw(board: dict[str, Any], answer: Callable[[str], list[Series]]) -> Any:
    """Return the figure: each panel in its place on Grafana's grid."""
    mpl.rcParams.update({"text.color": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK})
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    figure = plt.figure(figsize=(16, height * 0.36))
    figure.text(0.012, 1 - 0.5 / height, board["title"], size=15, weight="bold", va="top")
    for panel in board["panels"]:
        place = panel["gridPos"]
        left, width = place["x"] / 24, place["w"] / 24
        bottom = (height - place["y"] - place["h"]) / (height + 2)
        tall = place["h"] / (height + 2)
        if panel["type"] == "row":
            figure.text(left + 0.012, bottom + tall / 2, panel["title"], size=11, va="center")
            continue
        axes = figure.add_axes((left + 0.032, bottom + 0.026, width - 0.042, tall - 0.052), facecolor=FRAME)
        axes.set_title(panel["title"], size=9, loc="left", color=INK)
        axes.tick_params(labelsize=7, length=0)
        axes.spines[:].set_visible(False)
        answers = [(target, answer(target["expr"])) for target in panel["targets"]]
        _DRAWN[panel["type"]](axes, panel["fieldConfig"]["defaults"], answers)
    return figure


Answers = Sequence[tuple[dict[str, Any], list[Series]]]


def _stat(axes: Axes, field: dict[str, Any], answers: Answers) -> None:
    axes.set_axis_off()
    found = answers[0][1]
    value = float(found[0]["values"][-1][1]) if found else None
    steps = field["thresholds"]["steps"]
    passed = [step["color"] for step in steps if step["value"] is None or (value or 0.0) >= step["value"]]
    text = field.get("noValue", "") if value is None else written(value, field["unit"])
    axes.text(0.5, 0.4, text, size=20 if value is not None else 8, color=COLOURS[passed[-1]], ha="center")


def _timeseries(axes: Axes, field: dict[str, Any], answers: Answers) -> None:
    drawn = 0
    for target, found in answers:
        for series in found:
            points = np.array([[float(at), float(text)] for at, text in series["values"]])
            axes.plot(points[:, 0] - points[-1, 0], points[:, 1], linewidth=1, label=legend(target, series))
            drawn += 1
    if not drawn:
        axes.text(0.5, 0.5, field.get("noValue", "No data"), size=8, ha="center", transform=axes.transAxes)
        axes.set_axis_off()
        return
    _line(axes, field)
    # Above the lines there is room for the legend, two names a row.
    axes.set_ylim(0, axes.get_ylim()[1] * (1.15 + 0.05 * drawn))
    whole = 1.0 if field["unit"] == "percentunit" else float("inf")
    axes.yaxis.set_major_formatter(lambda value, _at: written(value, field["unit"]) if value <= whole else "")
    axes.xaxis.set_major_formatter(lambda value, _at: f"{value:.0f} s")
    axes.grid(color="#2c3235", linewidth=0.5)
    axes.legend(fontsize=6, frameon=False, labelcolor=INK, loc="upper left", ncols=2)


def _line(axes: Axes, field: dict[str, Any]) -> None:
    """Draw the alert's threshold if it is near the values; otherwise write its value."""
    if field["custom"]["thresholdsStyle"]["mode"] != "dashed":
        return
    value = field["thresholds"]["steps"][-1]["value"]
    if value <= 3 * max(axes.get_ylim()[1], 1e-9):
        axes.axhline(value, color=COLOURS["red"], linestyle="--", linewidth=1)
    else:
        text = f"alert at {written(value, field['unit'])}"
        axes.text(0.99, 0.04, text, size=7, color=COLOURS["red"], ha="right", transform=axes.transAxes)


def _heatmap(axes: Axes, field: dict[str, Any], answers: Answers) -> None:
    found = sorted(answers[0][1], key=lambda series: float(series["metric"]["le"]))
    times = sorted({at for series in found for at, _ in series["values"]})
    cumulated = np.array([[dict(map(tuple, s["values"])).get(at, "nan") for at in times] for s in found], dtype=float)
    cells = np.diff(np.nan_to_num(cumulated), axis=0, prepend=0)
    axes.imshow(cells, aspect="auto", origin="lower", cmap="inferno", extent=(times[0] - times[-1], 0, 0, len(found)))
    axes.set_yticks(np.arange(len(found)) + 1, [series["metric"]["le"] for series in found])
    axes.xaxis.set_major_formatter(lambda value, _at: f"{value:.0f} s")


def _table(axes: Axes, field: dict[str, Any], answers: Answers) -> None:
    axes.set_axis_off()
    rows = [f"{s['metric']['alertname']}   {s['metric'].get('service', '')}" for s in answers[0][1]]
    axes.text(0.02, 0.85, "\n".join(rows) or field["noValue"], size=8, va="top", transform=axes.transAxes)


_DRAWN: dict[str, Callable[[Axes, dict[str, Any], Answers], None]] = {
    "stat": _stat,
    "timeseries": _timeseries,
    "heatmap": _heatmap,
    "table": _table,
}


def legend(target: dict[str, Any], series: Series) -> str:
    """Return a series' legend with its labels filled in."""
    text: str = target["legendFormat"]
    for label, value in series["metric"].items():
        text = text.replace("{{" + label + "}}", value)
    return text


def written(value: float, unit: str) -> str:
    """Return a value in its unit, as Grafana writes it."""
    if unit == "percentunit":
        return f"{value:.1%}".replace(".0%", "%")
    if unit == "s" and value < 1:
        return f"{value * 1000:.3g} ms"
    return f"{value:.3g}" + {"s": " s", "reqps": " /s"}.get(unit, "")


if __name__ == "__main__":
    main()
