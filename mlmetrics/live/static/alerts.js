// The list of alerts: what fires or is pending with its time, what is well in one line each, and what cannot be told.

import { add, find, rowsOf, setClass, setLabel, setText } from "./dom.js";
import { age, brief, clock, format } from "./units.js";

const ORDER = ["firing", "pending", "inactive", "unknown"];
const WORDS = { firing: "firing", pending: "pending", inactive: "ok", unknown: "unknown" };
const PARTS = ["state", "name", "number", "meter"];
const SIGNS = { ">": "· limit", "<": "· at least" };

export class Alerts {
  // links: the chart that shows the value of an alert, by the alert's name.
  constructor(section, links) {
    Object.assign(this, { links, note: find(".note", section), list: find(".items", section) });
  }

  // alerts: those that fire first.
  update(alerts, now) {
    const counts = ORDER.map((state) => [alerts.filter((each) => each.state === state).length, WORDS[state]]);
    setText(this.note, counts.filter(([count]) => count).map((each) => each.join(" ")).join(" · ") || "no rules");
    const known = alerts.filter(({ state }) => state !== "unknown");
    const unknown = Map.groupBy(alerts.filter(({ state }) => state === "unknown"), ({ why }) => why);
    rowsOf(this.list, known.length + unknown.size, PARTS);
    const rows = this.list.children;
    known.forEach((alert, i) => this.show(rows[i], alert, now));
    [...unknown].forEach(([why, group], i) => showUnknown(rows[known.length + i], why, group));
  }

  show(row, alert, now) {
    const [state, name, number, meter] = row.children;
    setClass(row, alert.state);
    setText(state, WORDS[alert.state]);
    link(name, alert.name, this.links.get(alert.name));
    const since = isRaised(alert) && alert.since ? `since ${clock(alert.since)}, ${age(now - alert.since)}` : "";
    setLabel(name.children[1], [where(alert), since].filter(Boolean).join(" · "));
    setText(number, compared(alert));
    const share = near(alert);
    meter.hidden = share == null;
    meter.style.setProperty("--share", `${(100 * (share ?? 0)).toFixed(1)}%`);
  }
}

export const isRaised = ({ state }) => state === "firing" || state === "pending";

// Those that fire first, then by name.
export function sorted(alerts) {
  return [...alerts].sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || (a.name < b.name ? -1 : 1));
}

// Whom an alert is about: the values of its labels that tell it from others.
export function where({ labels }) {
  const { severity, alertname, scope, ...rest } = labels ?? {};
  return [...new Set(Object.values(rest))].filter(Boolean).join(" · ");
}

// The value beside the threshold: "7.20 s > 5 s" of an alert that is raised, "1.20 s · limit 5 s" of one that is not.
export function compared(alert) {
  const { value, threshold, operator } = alert;
  const unit = alert.unit || "short";
  const now = value == null ? "no data" : format(value, unit);
  if (threshold == null) return now;
  const sign = isRaised(alert) && value != null && operator ? operator.replace("==", "=") : (SIGNS[operator] ?? "· alert at");
  return `${now} ${sign} ${brief(threshold, unit)}`;
}

// Rules that cannot be evaluated for the same reason share one row.
function showUnknown(row, why, group) {
  const [state, name, number, meter] = row.children;
  setClass(row, "unknown");
  setText(state, `${group.length} ${WORDS.unknown}`);
  link(name, why);
  setLabel(name.children[1], group.map((alert) => alert.name).join(", "));
  setText(number, "");
  meter.hidden = true;
}

function link(name, text, address) {
  const [title] = name.children;
  setLabel(title, text);
  if (address) title.setAttribute("href", address);
  else title.removeAttribute("href");
}

// How near a value is to its threshold, from 0 to 1; null where that says nothing.
function near({ value, threshold, operator }) {
  if (value == null || !threshold || !(operator in SIGNS)) return null;
  return Math.min(1, Math.max(0, operator === ">" ? value / threshold : threshold / value));
}
