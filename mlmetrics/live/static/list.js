// A panel that Grafana shows as a table: names, and their newest values.

import { add, find, setLabel, setText } from "./dom.js";
import { format } from "./units.js";

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
      setLabel(label, name);
      setText(value, format(column.at(-1), this.tile.unit));
    });
  }
}
