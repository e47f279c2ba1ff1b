// A chart of lines over time, alone or stacked, with the values in its legend.

import { classesOf } from "./colours.js";
import { addShape, find, setClass, setLabel, shapes } from "./dom.js";
import { Frame, place } from "./frame.js";
import { Legend } from "./legend.js";
import { entriesOf } from "./names.js";
import { extremes, stack, trace } from "./paths.js";
import { axisFormat, axisStep, brief, format } from "./units.js";

const LABEL_HEIGHT = 34;
const LIMIT = "limit ";

export class Lines extends Frame {
  constructor(tile, article, cursor) {
    super(tile, find(".plot", article), cursor);
    this.areas = addShape(this.svg, "g", { class: "areas" });
    this.limit = addShape(this.svg, "line", { class: "threshold", hidden: "" });
    this.lines = addShape(this.svg, "g", { class: "lines" });
    this.ends = addShape(this.svg, "g", { class: "ends" });
    this.dots = addShape(this.svg, "g", { class: "dots" });
    this.legend = new Legend(find(".legend", article), tile, (chosen) => this.stress(chosen));
    this.names = [];
    this.threshold = tile.threshold?.of_limit ? null : tile.threshold;
    this.note = find(".limit", article);
    if (this.threshold) setLabel(this.note, `alert ${sign(tile)} ${brief(this.threshold.value, tile.unit)}`);
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
    const { stacked, id } = this.tile;
    this.names = names;
    const entries = entriesOf(names);
    const colours = classesOf(id, entries.map(({ subject }) => subject));
    const classes = [];
    entries.forEach(({ parts }, n) => {
      for (const { index, title } of parts) classes[index] = `${colours[n]} ${title.replace(".", "-")}`;
    });
    dress(this.lines, "path", stacked ? [] : classes, "line"); // a line around nothing would look like something
    dress(this.areas, "path", stacked || names.length === 1 ? classes : [], stacked ? "area stacked" : "area");
    dress(this.ends, "circle", stacked ? [] : classes, "");
    dress(this.dots, "circle", classes, "");
    this.lines.classList.toggle("many", names.length > 8);
    this.legend.build(entries, colours, this.more);
    if (this.tile.threshold?.of_limit) this.tellShare(names.some((name) => name.startsWith(LIMIT)));
  }

  resized() {
    this.legend.scrolls = null;
  }

  // The alert is on a share of a limit that each series has for itself, if it has one.
  tellShare(isLimited) {
    setClass(this.note, "limit share");
    setLabel(this.note, isLimited ? `alert ${sign(this.tile)} ${brief(this.tile.threshold.value, "percentunit")} of the limit` : "no limits are set");
  }

  // Lets the other lines fade while the mouse is on one entry of the legend. `chosen`: the places of its series.
  stress(chosen) {
    for (const group of [this.lines, this.areas, this.ends]) {
      [...group.childNodes].forEach((shape, j) => shape.classList.toggle("faded", chosen !== null && !chosen.includes(j)));
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
    this.heights.forEach((column, j) => {
      drawn(this.lines, j)?.setAttribute("d", trace(column, xs, this.y, this.gaps));
      drawn(this.areas, j)?.setAttribute("d", this.fill(j, xs));
      this.dot(drawn(this.ends, j), column, this.times.length - 1);
    });
    this.legend.arrange(this.columns);
  }

  // The values at the lower and upper end of the axis, and the step of its labels.
  range() {
    const { threshold } = this;
    const { unit } = this.tile;
    let [low, high] = extremes(this.heights);
    if (threshold?.above && (high > threshold.value / 2 || high === 0)) high = Math.max(high, threshold.value * 1.05);
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
    const value = this.threshold?.value;
    const inside = value != null && value >= low && value <= high;
    this.limit.toggleAttribute("hidden", !inside);
    if (inside) place(this.limit, { x1: this.left, x2: this.right, y1: this.y(value), y2: this.y(value) });
  }

  fill(j, xs) {
    const column = this.heights[j];
    const under = this.tile.stacked && j > 0 ? this.heights[j - 1] : null;
    const floor = (i) => Math.round(Math.min(this.bottom, this.y(under?.[i] ?? 0)) * 10) / 10;
    let path = "";
    for (let from = 0; from < column.length; from += 1) {
      if (column[from] == null) continue;
      let to = from;
      while (to + 1 < column.length && column[to + 1] != null && !this.gaps.has(to + 1)) to += 1;
      path += trace(column.slice(from, to + 1), xs.slice(from, to + 1), this.y);
      for (let i = to; i >= from; i -= 1) path += `L${xs[i]} ${floor(i)}`;
      path += "Z";
      from = to;
    }
    return path;
  }

  dot(circle, column, i) {
    const value = column[i];
    circle?.toggleAttribute("hidden", value == null);
    if (circle && value != null) place(circle, { cx: this.x(this.times[i]).toFixed(1), cy: this.y(value).toFixed(1), r: 3 });
  }

  showCursor(i) {
    this.drawCursor(i);
    this.dots.toggleAttribute("hidden", i == null);
    if (i != null) this.heights.forEach((column, j) => this.dot(this.dots.childNodes[j], column, i));
  }

  showValues(i) {
    this.legend.show(this.columns, i);
  }

  spoken(i) {
    return this.names.map((name, j) => `${name} ${format(this.columns[j][i], this.tile.unit)}`);
  }
}

// Gives each shape of a group its colour, and hides those that are left over.
function dress(group, tag, classes, common) {
  [...shapes(group, tag, classes.length)].forEach((shape, j) => shape.setAttribute("class", `${common} ${classes[j] ?? ""}`));
}

const sign = ({ threshold }) => (threshold.above ? ">" : "<");

// The shape of a series, unless its group has none.
const drawn = (group, j) => (group.childNodes[j]?.hasAttribute("hidden") ? undefined : group.childNodes[j]);
