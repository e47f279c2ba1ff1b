// One number with its recent values as a line beneath it.

import { add, addShape, find, setText } from "./dom.js";
import { extremes, trace } from "./lines.js";
import { parts } from "./units.js";

const WIDTH = 100;
const HEIGHT = 26;

export class Stat {
  constructor(tile, article) {
    Object.assign(this, { tile, article, visible: true });
    const value = find(".value", article);
    value.textContent = "";
    this.number = add(value, "b");
    this.unit = add(value, "small");
    const svg = addShape(find(".spark", article), "svg", {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true",
    });
    this.area = addShape(svg, "path", { class: "area" });
    this.line = addShape(svg, "path", { class: "line" });
    this.name = find("h3", article);
  }

  update(times, data) {
    const column = data.series.values().next().value ?? [];
    const value = column.at(-1);
    const [number, unit] = parts(value, this.tile.unit);
    setText(this.number, number);
    setText(this.unit, unit);
    this.article.classList.toggle("bad", breaks(value, this.tile.threshold));
    const [low, high] = extremes([column]);
    const scale = (HEIGHT - 6) / (high - low || 1);
    const floor = high > low ? HEIGHT - 3 : HEIGHT / 2;
    const width = WIDTH / Math.max(1, column.length - 1);
    const xs = column.map((_, i) => Math.round(i * width * 100) / 100);
    const path = trace(column, xs, (each) => floor - (each - low) * scale);
    this.line.setAttribute("d", path);
    const first = column.findIndex((each) => each != null);
    const whole = first >= 0 && column.slice(first).every((each) => each != null);
    this.area.setAttribute("d", whole ? `${path}V${HEIGHT}H${xs[first]}Z` : "");
  }

  refresh() {}

  point() {}

  show() {}

  end() {}
}

// Whether a value is on the side of the threshold where an alert fires.
export function breaks(value, threshold) {
  if (value == null || !threshold) return false;
  return threshold.above ? value > threshold.value : value < threshold.value;
}

// A panel that Grafana shows as a table: names, and their newest values.
export class List {
  constructor(tile, article) {
    Object.assign(this, { tile, rows: find(".rows", article) });
  }

  update(times, data) {
    const series = [...data.series].filter(([, column]) => column.at(-1) != null);
    while (this.rows.childElementCount < series.length) {
      const row = add(this.rows, "li");
      add(row, "span");
      add(row, "b");
    }
    while (this.rows.childElementCount > series.length) this.rows.lastChild.remove();
    series.forEach(([name, column], i) => {
      const [label, value] = this.rows.children[i].children;
      label.title = name;
      setText(label, name);
      setText(value, parts(column.at(-1), this.tile.unit).join(""));
    });
  }

  refresh() {}

  point() {}

  show() {}

  end() {}
}
