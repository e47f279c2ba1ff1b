// What lines and heatmaps share: the plot's size, its two axes and the cursor.

import { addShape, setText, shapes } from "./dom.js";
import { clock } from "./units.js";

const LEFT = 54;
const RIGHT = 10;
const TOP = 8;
const BOTTOM = 20;
const SHORTEST_MS = 60_000;
const GAP_MS = 15_000;
const TIME_STEPS = [5, 10, 15, 30, 60, 120, 300, 600, 900].map((seconds) => seconds * 1000);
const LABEL_WIDTH = 64;

let marked = false; // how soon the first chart was there is measured by the benchmarks

export class Frame {
  constructor(tile, plot, cursor) {
    Object.assign(this, { tile, plot, cursor, times: null, visible: false });
    this.svg = addShape(plot, "svg", { "aria-hidden": "true" });
    this.mesh = addShape(this.svg, "g", { class: "mesh" });
    this.labels = addShape(this.svg, "g", { class: "labels" });
    this.clocks = addShape(this.svg, "g", { class: "clocks" });
    Object.assign(plot, { tabIndex: 0 });
    plot.setAttribute("role", "slider");
    plot.setAttribute("aria-label", `${tile.title}. ${tile.description} Time`);
    plot.setAttribute("aria-valuenow", "0");
    this.measure(0, 0); // until the browser tells the size: to ask for it would have it lay out the page for each chart
    this.sizes = new ResizeObserver(([entry]) => {
      this.measure(entry.contentRect.width, entry.contentRect.height);
      this.resized?.();
      this.refresh();
    });
    this.sizes.observe(plot);
    cursor.follow(plot, this);
  }

  measure(width, height) {
    Object.assign(this, { width, height, bottom: height - BOTTOM, right: width - RIGHT, left: LEFT, top: TOP });
  }

  // Only what can be seen is drawn; the rest waits until it is scrolled to.
  show(visible) {
    this.visible = visible;
    if (visible && this.stale) this.refresh();
  }

  refresh() {
    this.stale = true;
    if (!this.visible || !this.times?.length || this.width < 100) return;
    this.stale = false;
    this.draw();
    this.point();
    if (!marked) performance.mark("first-chart");
    marked = true;
  }

  setTimes(times) {
    this.times = times;
    this.to = times.at(-1);
    this.from = Math.min(times[0], this.to - SHORTEST_MS);
    // Between two ticks that are far apart, nothing is known.
    this.gaps = new Set([...times.keys()].filter((i) => times[i] - times[i - 1] > GAP_MS));
  }

  x(time) {
    return LEFT + ((time - this.from) / (this.to - this.from)) * (this.right - LEFT);
  }

  timeAt(x) {
    const time = this.from + ((x - LEFT) / (this.right - LEFT)) * (this.to - this.from);
    return Math.min(this.to, Math.max(this.from, time));
  }

  // rows: [y, text] of each label at the left.
  drawAxes(rows, { lines = true } = {}) {
    const { step, ticks } = timeTicks(this.from, this.to, (this.right - LEFT) / LABEL_WIDTH);
    const xs = ticks.map((time) => Math.round(this.x(time)) + 0.5);
    if (lines) this.drawMesh(xs, rows.map(([y]) => Math.round(y) + 0.5));
    const labels = shapes(this.labels, "text", rows.length);
    rows.forEach(([y, text], i) => {
      place(labels[i], { x: LEFT - 8, y: Math.round(y) + 4 });
      setText(labels[i], text);
    });
    const clocks = shapes(this.clocks, "text", xs.length);
    xs.forEach((x, i) => {
      const fits = x > LEFT + 10 && x < this.width - (step < 60_000 ? 24 : 16);
      place(clocks[i], { x, y: this.bottom + 16 });
      setText(clocks[i], fits ? clock(ticks[i], step < 60_000) : "");
    });
  }

  drawMesh(xs, ys) {
    const lines = shapes(this.mesh, "line", xs.length + ys.length);
    xs.forEach((x, i) => place(lines[i], { x1: x, x2: x, y1: TOP, y2: this.bottom }));
    ys.forEach((y, i) => place(lines[xs.length + i], { x1: LEFT, x2: this.right, y1: y, y2: y }));
  }

  // Moves the cursor to its time. Without one it is hidden, and values are the newest.
  point() {
    if (this.stale || !this.times?.length) return;
    const i = this.cursor.index(this.times);
    this.showCursor(this.cursor.time == null ? null : i);
    this.showValues(i);
    if (document.activeElement === this.plot) this.tell(i);
  }

  drawCursor(i) {
    this.mark ??= addShape(this.svg, "g", { class: "cursor" });
    this.mark.toggleAttribute("hidden", i == null);
    const at = i == null ? null : Math.min(Math.max(this.x(this.times[i]), LEFT + 24), this.width - 28);
    // The time of the cursor takes the place of those beneath it.
    for (const text of this.clocks.childNodes) {
      text.classList.toggle("covered", at != null && Math.abs(text.getAttribute("x") - at) < LABEL_WIDTH - 8);
    }
    if (i == null) return;
    const [line] = shapes(this.mark, "line", 1);
    const x = Math.round(this.x(this.times[i])) + 0.5;
    place(line, { x1: x, x2: x, y1: TOP, y2: this.bottom });
    this.now ??= addShape(this.svg, "text", { class: "now" });
    place(this.now, { x: at, y: this.bottom + 16 });
    setText(this.now, clock(this.times[i], true));
  }

  // What a screen reader says.
  tell(i) {
    const plot = this.plot;
    plot.setAttribute("aria-valuemin", "0");
    plot.setAttribute("aria-valuemax", String(this.times.length - 1));
    plot.setAttribute("aria-valuenow", String(i));
    plot.setAttribute("aria-valuetext", [clock(this.times[i], true), ...this.spoken(i)].join(", "));
  }

  end() {
    this.sizes.disconnect();
  }
}

export function place(shape, attributes) {
  for (const name in attributes) {
    const text = String(attributes[name]);
    if (shape.getAttribute(name) !== text) shape.setAttribute(name, text);
  }
}

// At most `most` round local times between two.
function timeTicks(from, to, most) {
  const step = TIME_STEPS.find((each) => (to - from) / each <= most) ?? TIME_STEPS.at(-1);
  const zone = new Date(to).getTimezoneOffset() * 60_000;
  const ticks = [];
  for (let time = Math.ceil((from - zone) / step) * step + zone; time <= to; time += step) ticks.push(time);
  return { step, ticks };
}
