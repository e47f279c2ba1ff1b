// One number with its recent values as a line beneath it.

import { add, addShape, find, setText } from "./dom.js";
import { extremes, trace } from "./paths.js";
import { brief, parts } from "./units.js";

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
    const { threshold, unit } = tile;
    if (threshold) article.dataset.limit = `${threshold.above ? ">" : "<"} ${brief(threshold.value, unit)}`;
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
    const floor = high > low || high === 0 ? HEIGHT - 3 : HEIGHT / 2;
    const width = WIDTH / Math.max(1, column.length - 1);
    const xs = column.map((_, i) => Math.round(i * width * 100) / 100);
    const path = trace(column, xs, (each) => floor - (each - low) * scale);
    this.line.setAttribute("d", path);
    const first = column.findIndex((each) => each != null);
    const whole = first >= 0 && column.slice(first).every((each) => each != null);
    this.area.setAttribute("d", whole ? `${path}V${HEIGHT}H${xs[first]}Z` : "");
  }
}

// Whether a value is on the side of its threshold where an alert fires.
function breaks(value, threshold) {
  if (value == null || !threshold) return false;
  return threshold.above ? value > threshold.value : value < threshold.value;
}
