"""The page as the server sends it: every tile stands where it will be, so that nothing moves when numbers come.

The scripts of `static/` fill what is written here; they look it up by the ids and `data-` attributes.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from mlmetrics.live.assets import Assets
from mlmetrics.live.feed import View

Tile = Mapping[str, Any]
_WIDEST_STATS = 8
_LINE, _HALF, _THIRD = 6, 3, 2
_MOST_IN_A_LINE = _LINE // _THIRD
_MANY_QUERIES = 3
"""A chart of so many queries, such as three percentiles of each model, has the room of two."""
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
<h2>Waiting for the first answer</h2><p>The targets are read every two seconds.</p><ul></ul><pre hidden></pre></section>
"""
_STAT = """<article class="card stat" id="tile-{id}" data-tile="{id}" title="{description}">
<h3>{title}</h3><p class="value">&ndash;</p><div class="spark"></div><p class="empty" hidden>{empty}</p>
</article>
"""
_CHART = """<article class="card chart {kind} {place}" id="tile-{id}" data-tile="{id}">
<div class="head"><h3 title="{description}">{title}</h3>{limit}</div>
<div class="plot"></div><ul class="legend"></ul><p class="empty" hidden>{empty}</p>
</article>
"""
_LIST = """<article class="card chart list {place}" id="tile-{id}" data-tile="{id}">
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
_LISTS = """<div class="lists">
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
    # In a script, the text of a label must not end it.
    declared = json.dumps(layout, separators=(",", ":")).replace("<", "\\u003c")
    return f"{head}<main>\n{_body(layout)}{_LISTS}</main>\n{_FOOT.format(declared)}"


def _body(layout: Mapping[str, Any]) -> str:
    """Return the tiles and the table; without a number of requests or calls, what to do comes first."""
    rows, columns = layout["rows"], layout["columns"]
    has_numbers = any(tile["kind"] == "stat" for row in rows for tile in row["tiles"])
    first = _STRIP if has_numbers else _STRIP + _NOTICE
    models = _MODELS.format(heads="".join(_column(column) for column in columns)) if rows and columns else ""
    return "".join((first, *(_row(row["title"], row["tiles"]) for row in rows), models))


def _row(title: str, tiles: Sequence[Tile]) -> str:
    stats = [tile for tile in tiles if tile["kind"] == "stat"]
    charts = [tile for tile in tiles if tile["kind"] != "stat"]
    unseen = ' class="unseen"' if stats else ""
    parts = [f'<section class="row" aria-label="{escape(title)}">\n<h2{unseen}>{escape(title)}</h2>\n']
    if stats:
        parts += [f'<div class="stats of-{_stats_in_a_line(len(stats))}">\n', *map(_stat, stats), "</div>\n"]
    if charts:
        parts += ['<div class="grid">\n', *(_chart(tile, place) for tile, place in _placed(charts)), "</div>\n"]
    return "".join((*parts, "</section>\n"))


def _stats_in_a_line(count: int) -> int:
    lines = -(-count // _WIDEST_STATS)
    return -(-count // lines)


def _placed(charts: Sequence[Tile]) -> Iterator[tuple[Tile, str]]:
    """Yield the charts in lines without gaps, each with the classes that say how wide it is, in sixths of a line."""
    lines = _lines(charts)
    narrow = [tile for line in lines for tile, width in line if width <= _HALF]
    for line in lines:
        for tile, width in line:
            # Where two stand beside each other, the last of an odd number has the line for itself.
            alone = len(narrow) % 2 == 1 and tile is narrow[-1]
            yield tile, f"w{width}" + (" wide" if width > _HALF else "") + (" alone" if alone else "")


def _lines(charts: Sequence[Tile]) -> list[list[tuple[Tile, int]]]:
    """Return lines of three charts, or of one that needs the room of two and another."""
    wide = [tile["id"] for tile in charts if tile.get("queries", 1) >= _MANY_QUERIES]
    gap = -(len(charts) + len(wide)) % _MOST_IN_A_LINE
    if gap == 1 and len(charts) >= _MOST_IN_A_LINE:
        wide += [tile["id"] for tile in charts if tile["kind"] == "heatmap"][-1:]
    left, lines = list(charts), list[list[tuple[Tile, int]]]()
    while left:
        line, room = list[tuple[Tile, int]](), _LINE
        for tile in list(left):
            width = _THIRD * (2 if tile["id"] in wide else 1)
            if width <= room:
                line.append((tile, width))
                left.remove(tile)
                room -= width
        lines.append(line)
    return _filled(lines)


def _filled(lines: list[list[tuple[Tile, int]]]) -> list[list[tuple[Tile, int]]]:
    """Return the lines with the room that is left in the last one given to its charts."""
    if len(lines) > 1 and len(lines[-1]) == 1 and len(lines[-2]) == _MOST_IN_A_LINE:
        lines[-1].insert(0, lines[-2].pop())
    return [[(tile, _LINE // len(line)) for tile, _ in line] if _room(line) else line for line in lines]


def _room(line: Sequence[tuple[Tile, int]]) -> int:
    return _LINE - sum(width for _, width in line)


def _stat(tile: Tile) -> str:
    return _STAT.format(**_texts(tile))


def _chart(tile: Tile, place: str) -> str:
    if tile["kind"] == "table":
        return _LIST.format(place=place, **_texts(tile))
    limit = '<p class="limit"></p>' if tile.get("threshold") else ""
    return _CHART.format(kind=escape(tile["kind"]), place=place, limit=limit, **_texts(tile))


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
