// The legend of a chart of lines: the name and the present values of each series, those of one model in one row.

import { add, setLabel, setText } from "./dom.js";
import { titlesOf } from "./names.js";
import { format } from "./units.js";

const LONG = 22; // as many letters as have room in half of a chart

export class Legend {
  // `stress` is told the series under the mouse, or null.
  constructor(list, tile, stress) {
    Object.assign(this, { list, tile, rows: [], scrolls: null });
    list.addEventListener("pointerover", (event) => stress(this.seriesOf(event.target.closest("li"))));
    list.addEventListener("pointerleave", () => stress(null));
  }

  // classes: those of each entry, which give its colour.
  build(entries, classes, more) {
    const { list } = this;
    const titles = titlesOf(entries);
    this.scrolls = null;
    list.replaceChildren();
    list.style.setProperty("--parts", titles.length);
    list.classList.toggle("parts", titles.length > 1);
    list.classList.toggle("long", Math.max(0, ...entries.map(({ label }) => label.length)) > LONG);
    if (titles.length > 1) {
      const heads = add(list, "li", "heads");
      for (const title of ["", ...titles]) add(heads, "i", "", title);
    }
    this.rows = entries.map((entry, n) => {
      const item = add(list, "li", classes[n]);
      add(item, "i");
      const name = add(item, "span");
      setLabel(name, entry.label);
      name.title = entry.subject;
      const numbers = titles.map((title) => {
        const part = entry.parts.find((each) => each.title === title);
        return { node: add(item, "b"), index: part?.index };
      });
      return { item, entry, numbers };
    });
    if (more) add(list, "li", "more", `and ${more} more`);
  }

  show(columns, i) {
    for (const { numbers } of this.rows) {
      for (const { node, index } of numbers) {
        setText(node, index === undefined ? "" : format(columns[index][i], this.tile.unit));
      }
    }
  }

  // Where some rows have no room, those with the worst values come first, and the rest can be scrolled to.
  arrange(columns) {
    const { list } = this;
    if (this.scrolls === null) this.measure();
    if (!this.scrolls) return;
    const worst = worstFirst(this.tile.threshold);
    const ranks = new Map(this.rows.map((row) => [row, worst(row.numbers.flatMap(({ index }) => columns[index] ?? []))]));
    const wanted = [...this.rows].sort((a, b) => ranks.get(b) - ranks.get(a));
    if (wanted.some((row, n) => row !== this.rows[n])) {
      const after = this.rows.at(-1).item.nextSibling;
      for (const { item } of wanted) list.insertBefore(item, after);
      this.rows = wanted;
    }
  }

  // Only after a change of size, for the browser has to lay out the page to answer.
  measure() {
    const { list } = this;
    this.scrolls = list.scrollHeight > list.clientHeight + 1;
    list.classList.toggle("scrolls", this.scrolls);
    if (this.scrolls) list.tabIndex = 0; // by the keyboard too
    else list.removeAttribute("tabindex");
  }

  seriesOf(item) {
    return this.rows.find((row) => row.item === item)?.entry.parts.map(({ index }) => index) ?? null;
  }
}

// The lowest value is the worst where an alert fires below its threshold, and the highest elsewhere.
function worstFirst(threshold) {
  const sign = threshold && !threshold.above ? -1 : 1;
  return (values) => values.reduce((worst, value) => (value == null ? worst : Math.max(worst, sign * value)), -Infinity);
}
