"""The page as the server sends it: every tile stands where it will be, so that nothing moves when numbers come.

The scripts of `static/` fill what is written here; they look it up by the ids and `data-` attributes.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from mlmetrics.live.assets import Assets
from mlmetrics.live.feed import View

Tile = Mapping[str, Any]
_WIDEST_STATS = 8
_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="dark light">
<link rel="icon" href="{icon}">
<link rel="stylesheet" href="{css}">
<script src="{theme}"></script>
{preloads}
<script type="module" src="{entry}"></script>
</head>
<body>
<a class="skip" href="#models">Skip to the models</a>
<header class="top">
<h1>mlmetrics <em>live</em></h1>
<p id="state" role="status"><span>Connecting</span></p>
<form id="view" aria-label="What is shown">
<label><span>Service</span> <select id="service">{services}</select></label>
<label><span>Model</span> <select id="model">{models}</select></label>
</form>
<button id="theme" type="button" aria-label="Switch between light and dark" title="Light or dark">
<svg viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="6.25"/>
<path d="M8 1.75a6.25 6.25 0 0 1 0 12.5z"/></svg>
</button>
</header>
<noscript><p class="card notice">This page draws its charts with JavaScript, which is switched off.</p></noscript>
"""
_FOOT = '<script type="application/json" id="layout">{}</script>\n</body>\n</html>\n'
_STRIP = '<p id="strip" class="card"><span>Waiting for the first numbers</span></p>\n'
_NOTICE = """<section id="notice" class="card" aria-live="polite">
<h2>Waiting for the first answer</h2><p></p><ul></ul><pre hidden></pre></section>
"""
_STAT = """<article class="card stat" id="tile-{id}" data-tile="{id}" title="{description}">
<h3>{title}</h3><p class="value">&ndash;</p><div class="spark"></div><p class="empty" hidden>{empty}</p>
</article>
"""
_CHART = """<article class="card chart {kind}" id="tile-{id}" data-tile="{id}">
<div class="head"><h3 title="{description}">{title}</h3>{limit}</div>
<div class="plot"></div><ul class="legend"></ul><p class="empty" hidden>{empty}</p>
</article>
"""
_LIST = """<article class="card chart list" id="tile-{id}" data-tile="{id}">
<div class="head"><h3 title="{description}">{title}</h3></div>
<ul class="rows" tabindex="0" aria-label="{title}"></ul><p class="empty" hidden>{empty}</p>
</article>
"""
_MODELS = """<section id="models" class="card" aria-labelledby="models-title">
<div class="head"><h2 id="models-title">Models <span id="models-count"></span></h2>
<input id="filter" type="search" placeholder="Filter models" aria-label="Filter models" autocomplete="off"></div>
<div class="scroll" tabindex="0" role="region" aria-label="Models, scrollable"><table>
<thead><tr>{heads}</tr></thead><tbody></tbody></table>
<p class="empty" hidden></p></div>
</section>
"""
_LISTS = """<div class="grid two">
<section id="alerts" class="card" aria-labelledby="alerts-title"><div class="head">
<h2 id="alerts-title">Alerts</h2><p class="note"></p></div>
<ul class="items" tabindex="0" aria-label="Alerts"></ul></section>
<section id="targets" class="card" aria-labelledby="targets-title"><div class="head">
<h2 id="targets-title">Targets</h2><p class="note"></p></div>
<ul class="items" tabindex="0" aria-label="Targets"></ul></section>
</div>
"""


def render(layout: Mapping[str, Any], view: View, assets: Assets) -> str:
    """Return the page of a view."""
    chosen = " · ".join(name for name in (view.model, view.service, str(layout["title"])) if name)
    head = _HEAD.format(
        title=escape(chosen),
        icon=assets.url("icon.svg"),
        css=assets.url("live.css"),
        theme=assets.url("theme.js"),
        entry=assets.url("live.js"),
        preloads="\n".join(f'<link rel="modulepreload" href="{assets.url(name)}">' for name in assets.modules),
        services=_options(view.service),
        models=_options(view.model),
    )
    rows = "".join(_row(row["title"], row["tiles"]) for row in layout["rows"]) or _NOTICE
    heads = "".join(_column(column) for column in layout["columns"])
    models = _MODELS.format(heads=heads) if layout["rows"] and heads else ""
    # In a script, the text of a label must not end it.
    declared = json.dumps(layout, separators=(",", ":")).replace("<", "\\u003c")
    return f"{head}<main>\n{rows}{models}{_LISTS}</main>\n{_FOOT.format(declared)}"


def _row(title: str, tiles: Sequence[Tile]) -> str:
    stats = [tile for tile in tiles if tile["kind"] == "stat"]
    charts = [tile for tile in tiles if tile["kind"] != "stat"]
    unseen = ' class="unseen"' if stats else ""
    parts = [f'<section class="row" aria-label="{escape(title)}">\n<h2{unseen}>{escape(title)}</h2>\n']
    if stats:
        parts += [f'<div class="stats of-{_stats_in_a_line(len(stats))}">\n', *map(_stat, stats), f"</div>\n{_STRIP}"]
    if charts:
        parts += [f'<div class="grid {_columns(len(charts))}">\n', *map(_chart, charts), "</div>\n"]
    return "".join((*parts, "</section>\n"))


def _stats_in_a_line(count: int) -> int:
    lines = -(-count // _WIDEST_STATS)
    return -(-count // lines)


def _columns(count: int) -> str:
    """Return how many charts stand beside each other, so that few lines have a gap."""
    return {1: "one", 2: "two", 4: "two"}.get(count, f"three rest-{count % 3}")


def _stat(tile: Tile) -> str:
    return _STAT.format(**_texts(tile))


def _chart(tile: Tile) -> str:
    if tile["kind"] == "table":
        return _LIST.format(**_texts(tile))
    limit = '<p class="limit"></p>' if tile.get("threshold") else ""
    return _CHART.format(kind=escape(tile["kind"]), limit=limit, **_texts(tile))


def _texts(tile: Tile) -> dict[str, str]:
    texts = {name: escape(str(tile.get(name) or "")) for name in ("id", "title", "description", "empty")}
    return texts | {"empty": texts["empty"] or "No data in this time"}


def _column(column: Mapping[str, Any]) -> str:
    kind = "number" if column["unit"] else "text"
    return (
        f'<th scope="col" class="{kind}" data-column="{escape(column["id"])}">'
        f'<button type="button">{escape(column["title"])}<span class="arrow" aria-hidden="true"></span></button></th>'
    )


def _options(chosen: str) -> str:
    names: Iterable[str] = ("", chosen) if chosen else ("",)
    return "".join(
        f'<option value="{escape(name)}"{" selected" if name == chosen else ""}>{escape(name or "all")}</option>'
        for name in names
    )
