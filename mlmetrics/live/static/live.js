// The page: puts the tiles, the table and the lists together, and draws them when numbers come.

import { addressOf, queryOf, viewOf } from "./address.js";
import { Alerts, sorted } from "./alerts.js";
import { Bar } from "./bar.js";
import { Cursor } from "./cursor.js";
import { find } from "./dom.js";
import { Connection } from "./feed.js";
import { Heatmap } from "./heatmap.js";
import { History } from "./history.js";
import { Lines } from "./lines.js";
import { List } from "./list.js";
import { Models } from "./models.js";
import { Notice } from "./notice.js";
import { Stat } from "./stat.js";
import { Strip } from "./strip.js";
import { Targets } from "./targets.js";

const KINDS = { stat: Stat, timeseries: Lines, heatmap: Heatmap, table: List };
const MARGIN = "200px";

const history = new History();
const cursor = new Cursor();
const kept = { filter: "", column: "calls", descending: true };
const bar = new Bar(open);

let view = viewOf(location);
let tiles = new Map();
let parts = {}; // what is no tile: the table, the lists, the line of alerts, the notice
let frame = 0;
let trouble = ["", ""];

// Takes up the skeleton that the server has written into the page.
function mount() {
  for (const { drawn } of tiles.values()) drawn.end?.();
  seen.disconnect();
  cursor.listeners.clear();
  const layout = JSON.parse(find("#layout").textContent);
  const declared = layout.rows.flatMap((row) => row.tiles);
  tiles = new Map(declared.map((tile) => [tile.id, mounted(tile)]));
  const links = chartsOf(declared);
  const [models, notice] = [find("#models"), find("#notice")];
  parts = {
    models: models && new Models(models, layout.columns, kept, open),
    strip: new Strip(find("#strip"), links),
    notice: notice && new Notice(notice),
    alerts: new Alerts(find("#alerts"), links),
    targets: new Targets(find("#targets")),
  };
}

function mounted(tile) {
  const article = document.getElementById(`tile-${tile.id}`);
  const drawn = new KINDS[tile.kind](tile, article, cursor);
  if (drawn.point) cursor.listeners.add(() => drawn.point());
  if (drawn.show) seen.observe(article);
  return { drawn, article, empty: find(".empty", article) };
}

// The chart that has the threshold of an alert, by the alert's name.
function chartsOf(declared) {
  const charts = declared.filter(({ kind, threshold }) => kind !== "stat" && threshold?.alert);
  return new Map(charts.reverse().map(({ id, threshold }) => [threshold.alert, `#tile-${id}`]));
}

const seen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) tiles.get(target.dataset.tile)?.drawn.show(isIntersecting);
}, { rootMargin: MARGIN });

function draw() {
  frame = 0;
  const { times, newest } = history;
  if (!newest) return;
  for (const [id, tile] of tiles) {
    try {
      fill(tile, times, history.tiles.get(id));
    } catch (error) {
      reportError(error); // one tile that cannot be drawn takes no other with it
    }
  }
  const alerts = sorted(newest.alerts);
  parts.strip.update(alerts);
  parts.alerts.update(alerts, times.at(-1));
  parts.targets.update(newest.targets);
  parts.models?.update(newest.models, newest.more_models);
  parts.notice?.update(newest, view);
  bar.offer(view, newest);
  bar.tell(trouble, history);
  Object.assign(document.documentElement.dataset, { ticks: times.length, newest: times.at(-1) });
}

function fill({ drawn, article, empty }, times, data) {
  const known = data?.buckets?.some((row) => row?.length) || data?.series?.size > 0;
  article.classList.toggle("nothing", !known);
  empty.hidden = Boolean(known);
  if (known) drawn.update(times, data);
}

// One drawing for each frame of the screen, and none while nobody sees the page.
function plan() {
  if (!frame && !document.hidden) frame = requestAnimationFrame(draw);
}

const connection = new Connection({
  async history(data) {
    history.replace(data);
    plan();
    // A server that has come back may have other tiles.
    if (String(Object.keys(data.tiles).sort()) !== String([...tiles.keys()].sort())) await load();
  },
  tick(data) {
    if (history.append(data)) plan();
    else connection.open(`events?${queryOf(view)}`); // the clock has jumped: begin anew
  },
  // With other tiles there are other numbers of the past.
  async layout() {
    await load();
    connection.open(`events?${queryOf(view)}`);
  },
  state(kind, why = "") {
    trouble = [kind, why];
    bar.tell(trouble, history);
  },
});

// Fetches the skeleton of the view, and puts it in the place of the one that is shown.
async function load() {
  const asked = queryOf(view);
  let text;
  try {
    const answer = await fetch(`./?${asked}`);
    if (!answer.ok) throw new Error(await answer.text());
    text = await answer.text();
  } catch {
    return; // the connection for the numbers says what is wrong, and asks again
  }
  if (asked !== queryOf(view)) return;
  const page = new DOMParser().parseFromString(text, "text/html");
  const focused = document.activeElement?.id;
  for (const part of ["main", "#layout"]) find(part).replaceWith(document.adoptNode(find(part, page)));
  document.title = page.title;
  mount();
  draw();
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

async function show() {
  history.clear();
  connection.close();
  await load();
  connection.open(`events?${queryOf(view)}`);
}

function open(next) {
  if (queryOf(next) === queryOf(view)) return;
  view = next;
  window.history.pushState(null, "", addressOf(view));
  scrollTo(0, 0);
  void show();
}

addEventListener("popstate", () => {
  const next = viewOf(location);
  if (queryOf(next) === queryOf(view)) return; // only the part after # has changed
  view = next;
  void show();
});
addEventListener("theme", () => tiles.forEach(({ drawn }) => drawn.refresh?.()));
document.addEventListener("visibilitychange", plan);

connection.open(`events?${queryOf(view)}`);
mount();
