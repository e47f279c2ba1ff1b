// The table by model: sorted by a column, filtered as one types, with a link from each row to its model alone.

import { add, find, findAll, setLabel, setText } from "./dom.js";
import { addressOf } from "./address.js";
import { format } from "./units.js";

const BAR = "calls";

export class Models {
  // `open` shows another view of the page: {service, model}.
  constructor(section, columns, kept, open) {
    Object.assign(this, { section, columns, kept, open });
    this.body = find("tbody", section);
    this.empty = find(".empty", section);
    this.rows = new Map();
    this.models = [];
    this.left = 0;
    this.heads = findAll("th", section);
    for (const head of this.heads) find("button", head).addEventListener("click", () => this.sortBy(head.dataset.column));
    this.filter = find("#filter", section);
    this.filter.value = kept.filter;
    this.filter.addEventListener("input", () => {
      kept.filter = this.filter.value;
      this.draw();
    });
    this.body.addEventListener("click", (event) => this.follow(event));
    this.mark();
  }

  // left: how many further models there are, which the server does not send.
  update(models, left = 0) {
    Object.assign(this, { models, left });
    this.draw();
  }

  // Numbers begin with the largest, names with A.
  sortBy(column) {
    const { kept } = this;
    const number = this.columns.find(({ id }) => id === column).unit !== "";
    kept.descending = kept.column === column ? !kept.descending : number;
    kept.column = column;
    this.mark();
    this.draw();
  }

  mark() {
    for (const head of this.heads) {
      const sorted = head.dataset.column === this.kept.column;
      if (sorted) head.setAttribute("aria-sort", this.kept.descending ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  }

  draw() {
    const words = this.kept.filter.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = this.models.filter((model) => {
      const text = `${model.model} ${model.service} ${model.operation} ${model.error}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
    shown.sort((a, b) => this.compare(a, b));
    const most = Math.max(...this.models.map((model) => model[BAR] ?? 0), 1e-9);
    const rows = shown.map((model) => this.row(model, most));
    // Rows move only if their order has changed, so that a reader of the screen is left alone.
    if (rows.length !== this.body.childElementCount || rows.some((row, i) => row !== this.body.children[i])) {
      const focused = this.body.contains(document.activeElement) ? document.activeElement : null;
      this.body.replaceChildren(...rows);
      focused?.focus({ preventScroll: true });
    }
    const all = this.models.length + this.left;
    setText(find("#models-count", this.section), shown.length === all ? `(${all})` : `(${shown.length} of ${all})`);
    this.empty.hidden = shown.length > 0;
    if (!shown.length) {
      const text = all ? "No model fits the filter" : "No model has been called yet; a function under @track_inference appears with its first call";
      setText(this.empty, text);
    }
    if (this.rows.size > 2 * all + 20) this.rows.clear();
  }

  compare(a, b) {
    const { column, descending } = this.kept;
    const [x, y] = [a[column], b[column]];
    // A missing value is last in both directions.
    if (x == null || x === "" || y == null || y === "") {
      const missing = (each) => each == null || each === "";
      if (missing(x) !== missing(y)) return missing(x) ? 1 : -1;
    } else if (x !== y) {
      const order = typeof x === "string" ? x.localeCompare(y) : x - y;
      return descending ? -order : order;
    }
    return keyOf(a) < keyOf(b) ? -1 : 1;
  }

  row(model, most) {
    const key = keyOf(model);
    if (!this.rows.has(key)) this.rows.set(key, this.makeRow(model));
    const row = this.rows.get(key);
    this.columns.forEach(({ id, unit }, j) => {
      const cell = row.children[j];
      const value = model[id];
      if (id === "model") return;
      if (unit) setText(cell, format(value, unit));
      else setLabel(cell, value ?? "");
      if (id === BAR) cell.style.setProperty("--share", `${(((value ?? 0) / most) * 100).toFixed(1)}%`);
    });
    return row;
  }

  makeRow(model) {
    const row = document.createElement("tr");
    for (const { id, unit } of this.columns) {
      const cell = add(row, "td", id === BAR ? "number bar" : unit ? "number" : "text");
      cell.dataset.column = id;
      if (id !== "model") continue;
      cell.dataset.of = [model.service, model.operation].filter(Boolean).join(" · "); // has no column on a phone
      const link = add(cell, "a");
      setLabel(link, model.model);
      link.href = addressOf(model);
    }
    row.model = model;
    return row;
  }

  follow(event) {
    const row = event.target.closest("tr");
    const elsewhere = event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
    if (!row?.model || elsewhere || String(getSelection())) return;
    event.preventDefault();
    this.open({ service: row.model.service, model: row.model.model });
  }
}

const keyOf = (model) => JSON.stringify([model.model, model.service, model.operation]);
