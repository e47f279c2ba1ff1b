// The list of alerts: what fires or is pending with its time, what is well in one line each, and what cannot be told.

import { add, find, rowsOf, setClass, setLabel, setText } from "./dom.js";
import { shortened } from "./names.js";
import { age, brief, clock, format } from "./units.js";

const ORDER = ["firing", "pending", "inactive", "unknown"];
const WORDS = { firing: "firing", pending: "pending", inactive: "ok", unknown: "unknown" };
const PARTS = ["state", "name", "number", "meter"];
const MOST_OF_A_RULE = 4;
const MOST_NAMES = 12;
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
    const items = itemsOf(alerts);
    rowsOf(this.list, items.length, PARTS);
    items.forEach((item, i) => {
      const row = this.list.children[i];
      if (item.group) showGroup(row, item);
      else this.show(row, item, now);
    });
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

// Those that fire first, then by name; of one rule, those furthest beyond the threshold.
export function sorted(alerts) {
  const beyond = ({ value, operator }) => (operator === "<" ? -1 : 1) * (value ?? 0);
  return [...alerts].sort((a, b) =>
    ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || a.name.localeCompare(b.name) || beyond(b) - beyond(a));
}

// Whom an alert is about: the values of its labels that tell it from others.
export function where({ labels }) {
  const { severity, alertname, scope, ...rest } = labels ?? {};
  return [...new Set(Object.values(rest))].filter(Boolean).join(" · ");
}

// The value beside the threshold: "7.20 s > 5 s" of an alert that is raised, "1.20 s · limit 5 s" of one that is not.
// Nothing where the value says no more than the name, such as the 0 of a target that is down.
export function compared(alert) {
  const { value, threshold, operator } = alert;
  if (operator === "==") return "";
  const unit = alert.unit || "short";
  const now = value == null ? "no data" : format(value, unit);
  if (threshold == null) return now;
  const sign = isRaised(alert) && value != null ? operator : (SIGNS[operator] ?? "· alert at");
  return `${now} ${sign} ${brief(threshold, unit)}`;
}

// What has a row: an alert, or a group. Rules that cannot be evaluated for the same reason share one, and so do the
// alerts of one rule beyond the first few.
function itemsOf(alerts) {
  const rules = Map.groupBy(alerts, ({ name, state, why }) => (state === "unknown" ? why : `${state} ${name}`));
  return [...rules.values()].flatMap((group) => {
    const { state, name, why } = group[0];
    if (state === "unknown") return [{ state, title: why, group: group.map((alert) => alert.name) }];
    const rest = group.length > MOST_OF_A_RULE ? group.slice(MOST_OF_A_RULE - 1) : [];
    const own = group.slice(0, group.length - rest.length);
    return rest.length ? [...own, { state, title: `${name}, ${rest.length} more`, group: shortened(rest.map(where)) }] : own;
  });
}

function showGroup(row, { state, title, group }) {
  const [word, name, number, meter] = row.children;
  setClass(row, `${state} group`);
  setText(word, `${group.length} ${WORDS[state]}`);
  link(name, title);
  setLabel(name.children[1], group.slice(0, MOST_NAMES).join(", ") + (group.length > MOST_NAMES ? " and others" : ""));
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
