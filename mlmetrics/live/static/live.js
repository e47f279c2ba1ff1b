// The page: puts the tiles, the table and the lists together, and draws them when numbers come.

import { addressOf, queryOf, viewOf } from "./address.js";
import { Alerts } from "./alerts.js";
import { Cursor } from "./cursor.js";
import { find, findAll, setClass, setText } from "./dom.js";
import { Connection } from "./feed.js";
import { Heatmap } from "./heatmap.js";
import { History } from "./history.js";
import { Lines } from "./lines.js";
import { Models } from "./models.js";
import { Notice } from "./notice.js";
import { List, Stat } from "./stats.js";
import { age } from "./units.js";

const KINDS = { stat: Stat, timeseries: Lines, heatmap: Heatmap, table: List };
const MARGIN = "200px";

const history = new History();
const cursor = new Cursor();
const kept = { filter: "", column: "calls", descending: true };
const state = find("#state");
const chosen = { service: find("#service"), model: find("#model") };

let view = viewOf(location);
let tiles = new Map();
let models = null;
let alerts = null;
let notice = null;
let frame = 0;
let trouble = ["", ""];

// Takes up the skeleton that the server has written into the page.
function mount() {
  for (const { drawn } of tiles.values()) drawn.end();
  seen.disconnect();
  cursor.listeners.clear();
  const layout = JSON.parse(find("#layout").textContent);
  tiles = new Map();
  for (const tile of layout.rows.flatMap((row) => row.tiles)) {
    const article = document.getElementById(`tile-${tile.id}`);
    const drawn = new KINDS[tile.kind](tile, article, cursor);
    tiles.set(tile.id, { drawn, article, empty: find(".empty", article) });
    cursor.listeners.add(() => drawn.point());
    seen.observe(article);
  }
  const section = find("#models");
  models = section && new Models(section, layout.columns, kept, open);
  alerts = new Alerts(document);
  const card = find("#notice");
  notice = card && new Notice(card);
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
  models?.update(newest.models);
  alerts.update(newest, times.at(-1));
  notice?.update(newest);
  choose("service", newest.services);
  choose("model", newest.all_models);
  tell();
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

function choose(name, values) {
  const select = chosen[name];
  const wanted = ["", ...new Set([...values, view[name]].filter(Boolean))];
  if (wanted.length !== select.options.length || wanted.some((value, i) => value !== select.options[i].value)) {
    select.replaceChildren(...wanted.map((value) => new Option(value || "all", value)));
  }
  if (select.value !== view[name]) select.value = view[name];
}

function tell() {
  const [kind, why] = trouble;
  const { newest, times } = history;
  const old = times.length ? `; the numbers are ${age(Date.now() - times.at(-1))} old` : "";
  const said = {
    lost: `Connection lost, trying again${old}`,
    late: `The server sends nothing${old}`,
    token: why,
    refused: `${why.trim()} Trying again${old}`,
  }[kind];
  document.body.classList.toggle("stale", Boolean(kind));
  if (said) return status("bad", said);
  if (!newest) return status("", "Connecting");
  const { targets } = newest;
  const down = targets.filter(({ up }) => !up).length;
  const all = `${targets.length} target${targets.length === 1 ? "" : "s"}`;
  return down ? status("bad", `${down} of ${all} down`) : status("good", `${all} up`);
}

function status(className, text) {
  setClass(state, className);
  setText(state.firstElementChild, text);
  state.title = text;
}

const connection = new Connection({
  history(data) {
    history.replace(data);
    plan();
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
    tell();
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
  history.replace({ times: [], tiles: {}, models: [], alerts: [], targets: [], services: [], all_models: [] });
  history.newest = null;
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
for (const select of Object.values(chosen)) {
  select.addEventListener("change", () => open({ service: chosen.service.value, model: chosen.model.value }));
}
find("#view").addEventListener("submit", (event) => event.preventDefault());
find("#theme").addEventListener("click", () => {
  const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("mlmetrics-theme", theme);
  } catch {
    // Storage may be forbidden; then the choice holds until the page is loaded again.
  }
  dispatchEvent(new Event("theme"));
});
addEventListener("theme", () => tiles.forEach(({ drawn }) => drawn.refresh()));
document.addEventListener("visibilitychange", plan);

connection.open(`events?${queryOf(view)}`);
mount();
