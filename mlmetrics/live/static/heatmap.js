// The buckets of a histogram over time: one pixel of a small picture for each, which the browser stretches.

import { add, find, setText } from "./dom.js";
import { Frame } from "./frame.js";
import { brief, format } from "./units.js";

const LABEL_HEIGHT = 17;
const SHADES = 32;
const LEAST_BUCKETS = 6;

export class Heatmap extends Frame {
  constructor(tile, article, cursor) {
    super(tile, find(".plot", article), cursor);
    this.canvas = add(this.plot, "canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    this.canvas.hidden = true;
    this.plot.prepend(this.canvas);
    this.legend = find(".legend", article);
    this.bucket = null;
    this.plot.addEventListener("pointermove", (event) => this.hover(event));
    this.plot.addEventListener("keydown", (event) => this.climb(event));
    this.plot.addEventListener("pointerleave", () => this.hover(null));
  }

  // In the place of a legend: the value at the cursor, and what the colours mean.
  describe() {
    this.value = add(this.legend, "li", "cell");
    const scale = add(this.legend, "li", "scale");
    add(scale, "span", "", "0");
    add(scale, "i");
    this.most = add(scale, "b");
    this.canvas.hidden = false;
  }

  update(times, data) {
    this.setTimes(times);
    if (!this.value) this.describe();
    const [first, last] = used(data.buckets, data.bounds);
    this.rows = data.buckets.map((row) => row && row.slice(first, last));
    this.names = data.bounds.slice(first, last).map((bound) =>
      bound === "+Inf" ? "more" : `≤ ${brief(Number(bound), this.tile.unit)}`);
    this.refresh();
  }

  draw() {
    const height = (this.bottom - this.top) / this.names.length;
    const every = Math.ceil(LABEL_HEIGHT / height);
    const rows = this.names.map((name, j) => [this.bottom - (j + 0.5) * height, name]);
    this.drawAxes(rows.filter((_, j) => (rows.length - 1 - j) % every === 0), { lines: false });
    this.paint();
  }

  paint() {
    // Columns of equal width. A value holds back to the tick before it, unless nothing is known of that time.
    const step = interval(this.times);
    const columns = Math.round((this.to - this.from) / step) + 1;
    const { canvas } = this;
    if (canvas.width !== columns) canvas.width = columns;
    if (canvas.height !== this.names.length) canvas.height = this.names.length;
    const highest = this.rows.reduce((most, row) => (row ? Math.max(most, ...row.map((each) => each ?? 0)) : most), 0);
    setText(this.most, `${format(highest, "reqps")}`);
    const shades = this.shades();
    const pen = canvas.getContext("2d");
    const picture = pen.createImageData(columns, this.names.length);
    const pixels = new Uint32Array(picture.data.buffer);
    let before = -1;
    this.rows.forEach((row, i) => {
      const x = Math.round((this.times[i] - this.from) / step);
      const from = i === 0 || this.gaps.has(i) ? x : Math.min(x, before + 1);
      before = x;
      row?.forEach((value, j) => {
        // The root, because most buckets have few: they would look empty beside the fullest.
        const shade = highest ? Math.ceil(Math.sqrt(Math.max(0, value ?? 0) / highest) * (SHADES - 1)) : 0;
        const line = (row.length - 1 - j) * columns;
        pixels.fill(shades[shade], line + from, line + x + 1);
      });
    });
    pen.putImageData(picture, 0, 0);
    const half = ((this.right - this.left) * step) / (this.to - this.from) / 2;
    const box = { left: this.left - half, width: this.right - this.left + 2 * half, top: this.top, height: this.bottom - this.top };
    for (const name in box) canvas.style.setProperty(name, `${box[name].toFixed(1)}px`);
  }

  // The colours from none to most, from the style sheet.
  shades() {
    const theme = document.documentElement.dataset.theme;
    if (this.theme !== theme) {
      this.theme = theme;
      const style = getComputedStyle(this.plot);
      const stops = ["--heat-0", "--heat-1", "--heat-2"].map((name) => colour(style.getPropertyValue(name)));
      this.palette = Uint32Array.from({ length: SHADES }, (_, i) => mix(stops, i / (SHADES - 1)));
    }
    return this.palette;
  }

  hover(event) {
    const y = event ? event.clientY - this.plot.getBoundingClientRect().top : -1;
    const share = (this.bottom - y) / (this.bottom - this.top);
    this.bucket = event && share >= 0 && share < 1 ? Math.floor(share * this.names.length) : null;
    this.point();
  }

  climb(event) {
    const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!step || !this.names) return;
    event.preventDefault();
    const from = this.bucket ?? (step > 0 ? -1 : this.names.length);
    this.bucket = Math.min(this.names.length - 1, Math.max(0, from + step));
    if (this.cursor.time == null) this.cursor.move(this.to);
    this.point();
  }

  showCursor(i) {
    this.drawCursor(i);
  }

  showValues(i) {
    setText(this.value, this.bucket == null ? this.fullest(i) : this.cell(i, this.bucket));
  }

  cell(i, j) {
    return `${this.names[j]}: ${format(this.rows[i]?.[j], "reqps")}`;
  }

  fullest(i) {
    const row = this.rows[i];
    const most = row ? Math.max(...row.map((each) => each ?? 0)) : 0;
    return most > 0 ? `Most in ${this.cell(i, row.indexOf(most))}` : "Nothing at this time";
  }

  spoken(i) {
    return [this.bucket == null ? this.fullest(i) : this.cell(i, this.bucket)];
  }
}

// The part of the buckets that holds something, with an empty one on each side: the rest would only take room.
function used(rows, bounds) {
  const count = bounds.length;
  let first = count;
  let last = 0;
  for (const row of rows) {
    row?.forEach((value, j) => {
      if (!value) return;
      first = Math.min(first, j - 1);
      last = Math.max(last, j + 2);
    });
  }
  if (first >= last) return [0, count];
  if (bounds[count - 1] === "+Inf" && last === count) last = count - 1; // nothing can be expected there
  const missing = Math.max(0, LEAST_BUCKETS - (last - first));
  return [Math.max(0, first - Math.ceil(missing / 2)), Math.min(count, last + Math.ceil(missing / 2))];
}

// The usual time between two ticks.
function interval(times) {
  if (times.length < 2) return 2000;
  const gaps = times.slice(1).map((time, i) => time - times[i]).sort((a, b) => a - b);
  return Math.max(200, gaps[gaps.length >> 1]);
}

const colour = (text) => [1, 3, 5].map((at) => parseInt(text.trim().slice(at, at + 2), 16));

// A pixel of three colours mixed, in the order of bytes that a canvas has.
function mix(stops, share) {
  const place = share * (stops.length - 1);
  const from = Math.min(stops.length - 2, Math.floor(place));
  const part = place - from;
  const [r, g, b] = stops[from].map((each, k) => Math.round(each + (stops[from + 1][k] - each) * part));
  return (255 << 24) | (b << 16) | (g << 8) | r;
}
