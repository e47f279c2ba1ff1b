// The alerts with their values, the targets, and the line at the top that says whether all is well.

import { add, find, setClass, setLabel, setText } from "./dom.js";
import { age, brief, clock, format } from "./units.js";

const ORDER = ["firing", "pending", "inactive", "unknown"];
const WORDS = { firing: "firing", pending: "pending", inactive: "ok", unknown: "unknown" };
const SHOWN = 3;

export class Alerts {
  constructor(page) {
    this.strip = find("#strip", page);
    this.alerts = find("#alerts", page);
    this.targets = find("#targets", page);
  }

  update(newest, now) {
    const alerts = [...newest.alerts].sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || (a.name < b.name ? -1 : 1));
    this.showAlerts(alerts, now);
    this.showTargets([...newest.targets].sort((a, b) => a.up - b.up));
    if (this.strip) this.showStrip(alerts);
  }

  showStrip(alerts) {
    const raised = alerts.filter(({ state }) => state === "firing" || state === "pending");
    const watched = alerts.filter(({ state }) => state !== "unknown");
    const key = JSON.stringify([raised.slice(0, SHOWN).map((each) => [each.name, each.state, where(each), compared(each)]), raised.length, watched.length]);
    if (key === this.key) return;
    this.key = key;
    const firing = raised.some(({ state }) => state === "firing");
    setClass(this.strip, `card ${firing ? "firing" : raised.length ? "pending" : "quiet"}`);
    this.strip.replaceChildren();
    if (!raised.length) {
      add(this.strip, "span", "", alerts.length ? `No alert is pending or firing; ${count(watched.length, "rule")} on this data` : "There are no rules to watch");
    }
    for (const alert of raised.slice(0, SHOWN)) {
      const item = add(this.strip, "a", `raised ${alert.state}`);
      item.href = "#alerts";
      add(item, "b", "", alert.name);
      add(item, "span", "", ` ${alert.state} · ${compared(alert)}${where(alert) ? ` · ${where(alert)}` : ""}`);
      item.title = item.textContent;
    }
    if (raised.length > SHOWN) {
      const rest = add(this.strip, "a", "rest", `and ${raised.length - SHOWN} more`);
      rest.href = "#alerts";
    }
  }

  showAlerts(alerts, now) {
    const by = (state) => alerts.filter((each) => each.state === state).length;
    const note = ORDER.filter(by).map((state) => `${by(state)} ${WORDS[state]}`).join(" · ");
    setText(find(".note", this.alerts), note || "no rules");
    const list = find(".items", this.alerts);
    rowsOf(list, alerts.length, ["state", "name", "number", "meter"]);
    alerts.forEach((alert, i) => {
      const row = list.children[i];
      const [state, name, number, meter] = row.children;
      setClass(row, alert.state);
      setText(state, WORDS[alert.state]);
      setLabel(name.children[0], alert.name);
      const since = alert.since && alert.state !== "inactive" ? `since ${clock(alert.since)}, ${age(now - alert.since)}` : "";
      const told = alert.state === "unknown" ? alert.why : [where(alert), since || alert.summary].filter(Boolean).join(" · ");
      setLabel(name.children[1], told ?? "");
      setText(number, alert.state === "unknown" ? "" : compared(alert));
      const share = near(alert);
      meter.hidden = share == null;
      meter.style.setProperty("--share", `${(100 * (share ?? 0)).toFixed(1)}%`);
    });
  }

  showTargets(targets) {
    const down = targets.filter(({ up }) => !up).length;
    setText(find(".note", this.targets), down ? `${down} of ${targets.length} down` : `${targets.length} up`);
    const list = find(".items", this.targets);
    rowsOf(list, targets.length, ["state", "name", "number"]);
    targets.forEach((target, i) => {
      const row = list.children[i];
      const [state, name, number] = row.children;
      setClass(row, target.up ? (target.why ? "pending" : "inactive") : "firing");
      setText(state, target.up ? "up" : "down");
      setLabel(name.children[0], target.url);
      setLabel(name.children[1], target.why || `${target.samples} samples`);
      setText(number, target.up ? format(target.seconds, "s") : "");
    });
  }
}

function rowsOf(list, count, parts) {
  while (list.childElementCount < count) {
    const row = add(list, "li");
    for (const part of parts) add(row, part === "name" ? "div" : "span", part);
    add(row.children[1], "b");
    add(row.children[1], "span");
  }
  while (list.childElementCount > count) list.lastChild.remove();
}

// Whom an alert is about: the values of its labels that tell it from others.
function where({ labels }) {
  const { severity, alertname, ...rest } = labels ?? {};
  return [...new Set(Object.values(rest))].filter(Boolean).join(" · ");
}

// The value beside the threshold, such as "7.20 s > 5.00 s".
function compared({ value, threshold, unit, operator }) {
  const now = format(value, unit || "short");
  return threshold == null ? now : `${now} ${limit(operator)} ${brief(threshold, unit || "short")}`;
}

// How near a value is to its threshold, from 0 to 1; null where that says nothing.
function near({ state, value, threshold, operator }) {
  if (state === "unknown" || value == null || !threshold || !(operator === ">" || operator === "<")) return null;
  return Math.min(1, Math.max(0, operator === ">" ? value / threshold : threshold / value));
}

// "limit" and not ">": an alert that does not fire has a value on the other side.
const limit = (operator) => ({ ">": "· limit", "<": "· at least" })[operator] ?? "· alert at";

const count = (number, noun) => `${number} ${noun}${number === 1 ? " is" : "s are"} watched`;
