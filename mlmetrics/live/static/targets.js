// The list of targets: which are down and why, how many samples the others have, and how long they take to answer.

import { find, rowsOf, setClass, setLabel, setText } from "./dom.js";
import { format } from "./units.js";

const PARTS = ["state", "name", "number"];

export class Targets {
  constructor(section) {
    Object.assign(this, { note: find(".note", section), list: find(".items", section) });
  }

  update(targets) {
    const down = targets.filter(({ up }) => !up).length;
    setText(this.note, down ? `${down} of ${targets.length} down` : `${targets.length} up`);
    rowsOf(this.list, targets.length, PARTS);
    [...targets].sort((a, b) => a.up - b.up).forEach((target, i) => show(this.list.children[i], target));
  }
}

function show(row, { url, job, up, why, samples, seconds }) {
  const [state, name, number] = row.children;
  const isOwn = job && !url.includes(job);
  setClass(row, up ? (why ? "pending" : "inactive") : "firing");
  setText(state, up ? "up" : "down");
  setLabel(name.children[0], isOwn ? job : url);
  setLabel(name.children[1], [isOwn && url, why || `${samples} samples`].filter(Boolean).join(" · "));
  setText(number, up ? format(seconds, "s") : "");
}
