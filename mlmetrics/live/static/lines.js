// A chart of lines over time, alone or stacked, with the values in its legend.

import { classesOf } from "./colours.js";
import { add, addShape, find, setClass, setLabel, setText, shapes } from "./dom.js";
import { Frame, place } from "./frame.js";
import { axisFormat, axisStep, brief, format } from "./units.js";

const LABEL_HEIGHT = 34;

export class Lines extends Frame {
  constructor(tile, article, cursor) {
    super(tile, find(".plot", article), cursor);
    this.legend = find(".legend", article);
    this.areas = addShape(this.svg, "g", { class: "areas" });
    this.limit = addShape(this.svg, "line", { class: "threshold", hidden: "" });
    this.lines = addShape(this.svg, "g", { class: "lines" });
    this.ends = addShape(this.svg, "g", { class: "ends" });
    this.dots = addShape(this.svg, "g", { class: "dots" });
    this.names = [];
    this.items = [];
    this.legend.addEventListener("pointerover", (event) => this.stress(event.target.closest("li")));
    this.legend.addEventListener("pointerleave", () => this.stress(null));
    const { threshold, unit } = tile;
    if (threshold) setLabel(find(".limit", article), `alert ${threshold.above ? ">" : "<"} ${brief(threshold.value, unit)}`);
  }

  update(times, data) {
    this.setTimes(times);
    const names = [...data.series.keys()];
    this.columns = [...data.series.values()];
    this.heights = this.tile.stacked ? stack(this.columns) : this.columns;
    if (names.length !== this.names.length || names.some((name, j) => name !== this.names[j]) || data.more !== this.more) {
      this.more = data.more;
      this.build(names);
    }
    this.refresh();
  }

  build(names) {
    this.names = names;
    this.classes = classesOf(this.tile.id, names);
    const alone = this.tile.stacked || names.length === 1;
    [...shapes(this.lines, "path", names.length)].forEach((line, j) => line.setAttribute("class", `line ${this.classes[j] ?? ""}`));
    [...shapes(this.areas, "path", alone ? names.length : 0)].forEach((area, j) =>
      area.setAttribute("class", `area ${this.tile.stacked ? "stacked" : ""} ${this.classes[j] ?? ""}`));
    for (const group of [this.ends, this.dots]) {
      [...shapes(group, "circle", names.length)].forEach((dot, j) => dot.setAttribute("class", this.classes[j] ?? ""));
    }
    this.lines.classList.toggle("many", names.length > 8);
    this.legend.replaceChildren();
    this.items = names.map((name, j) => {
      const item = add(this.legend, "li", this.classes[j]);
      add(item, "i");
      setLabel(add(item, "span"), name);
      return add(item, "b");
    });
    if (this.more) add(this.legend, "li", "more", `and ${this.more} more`);
    // What can be scrolled has to be reached by the keyboard.
    if (this.legend.scrollHeight > this.legend.clientHeight + 1) this.legend.tabIndex = 0;
    else this.legend.removeAttribute("tabindex");
  }

  // Lets the other lines fade while the mouse is on one entry of the legend.
  stress(item) {
    const chosen = item ? [...this.legend.children].indexOf(item) : -1;
    const faded = chosen >= 0 && chosen < this.names.length;
    for (const group of [this.lines, this.areas, this.ends]) {
      [...group.childNodes].forEach((shape, j) => shape.classList.toggle("faded", faded && j !== chosen));
    }
  }

  draw() {
    const { low, high, step } = this.range();
    this.y = (value) => this.bottom - ((value - low) / (high - low)) * (this.bottom - this.top);
    const text = axisFormat(Math.max(Math.abs(low), high), step, this.tile.unit);
    const rows = [];
    for (let n = 0; low + n * step <= high * 1.0001; n += 1) rows.push([this.y(low + n * step), text(low + n * step)]);
    this.drawAxes(rows);
    this.drawThreshold(low, high);
    const xs = this.times.map((time) => Math.round(this.x(time) * 10) / 10);
    const { areas, lines, ends } = this;
    this.heights.forEach((column, j) => {
      const path = trace(column, xs, this.y);
      lines.childNodes[j].setAttribute("d", path);
      const area = areas.childNodes[j];
      if (area && !area.hasAttribute("hidden")) area.setAttribute("d", this.fill(j, xs));
      this.dot(ends.childNodes[j], column, this.times.length - 1);
    });
  }

  // The values at the lower and upper end of the axis, and the step of its labels.
  range() {
    const { threshold, unit } = this.tile;
    let [low, high] = extremes(this.heights);
    if (threshold?.above && high > threshold.value / 2) high = Math.max(high, threshold.value * 1.05);
    if (threshold && !threshold.above && low < threshold.value + (high - low) * 2) low = Math.min(low, threshold.value);
    const most = Math.max(2, Math.floor((this.bottom - this.top) / LABEL_HEIGHT));
    const narrow = unit === "percentunit" && low > 0.5 && high <= 1 && !this.tile.stacked;
    if (narrow) {
      // Shares near 100 % are told apart near 100 % only.
      const step = axisStep(Math.max(1 - low, 0.001) * 1.05, 1, most, unit);
      return { low: 1 - Math.ceil((1 - low) / step + 0.01) * step, high: 1, step };
    }
    const bottom = low < 0 ? low : 0;
    const top = Math.max(high * 1.02, bottom + (high > 0 ? 0 : 1));
    const step = axisStep(top - bottom, Math.max(top, -bottom), most, unit);
    const least = Math.floor(bottom / step) * step;
    const whole = Math.ceil((top - least) / step);
    const half = Math.ceil((2 * (top - least)) / step) / 2;
    const steps = unit === "percentunit" && high <= 1 ? Math.min(half, (1 - least) / step) : half;
    return { low: least, high: least + (high <= 0 && low >= 0 ? whole : steps) * step, step };
  }

  drawThreshold(low, high) {
    const value = this.tile.threshold?.value;
    const inside = value != null && value >= low && value <= high;
    this.limit.toggleAttribute("hidden", !inside);
    if (inside) place(this.limit, { x1: this.left, x2: this.right, y1: this.y(value), y2: this.y(value) });
  }

  fill(j, xs) {
    const column = this.heights[j];
    const under = this.tile.stacked && j > 0 ? this.heights[j - 1] : null;
    let path = "";
    for (let from = 0; from < column.length; from += 1) {
      if (column[from] == null) continue;
      let to = from;
      while (to + 1 < column.length && column[to + 1] != null) to += 1;
      path += trace(column.slice(from, to + 1), xs.slice(from, to + 1), this.y);
      for (let i = to; i >= from; i -= 1) path += `L${xs[i]} ${Math.round(Math.min(this.bottom, this.y(under?.[i] ?? 0)) * 10) / 10}`;
      path += "Z";
      from = to;
    }
    return path;
  }

  dot(circle, column, i) {
    const value = column[i];
    circle.toggleAttribute("hidden", value == null);
    if (value != null) place(circle, { cx: this.x(this.times[i]).toFixed(1), cy: this.y(value).toFixed(1), r: 3 });
  }

  showCursor(i) {
    this.drawCursor(i);
    this.dots.toggleAttribute("hidden", i == null);
    if (i != null) this.heights.forEach((column, j) => this.dot(this.dots.childNodes[j], column, i));
  }

  showValues(i) {
    this.items.forEach((item, j) => setText(item, format(this.columns[j][i], this.tile.unit)));
    setClass(this.legend, this.cursor.time == null ? "legend" : "legend past");
  }

  spoken(i) {
    return this.names.map((name, j) => `${name} ${format(this.columns[j][i], this.tile.unit)}`);
  }
}

// A path through the values; where one is missing, the line is broken.
export function trace(column, xs, y) {
  let path = "";
  let pen = "M";
  for (let i = 0; i < column.length; i += 1) {
    if (column[i] == null) {
      pen = "M";
      continue;
    }
    path += `${pen}${xs[i]} ${Math.round(y(column[i]) * 10) / 10}`;
    pen = "L";
  }
  return path;
}

export function extremes(columns) {
  let low = Infinity;
  let high = -Infinity;
  for (const column of columns) {
    for (const value of column) {
      if (value == null) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return high === -Infinity ? [0, 0] : [low, high];
}

// Each column on top of those before it.
function stack(columns) {
  const sums = [];
  return columns.map((column) =>
    column.map((value, i) => {
      if (value == null) return sums[i] ?? null;
      sums[i] = (sums[i] ?? 0) + value;
      return sums[i];
    }));
}
