// The line at the top that says whether all is well: the alerts that fire or are pending, each a link to its chart.

import { add, setClass } from "./dom.js";
import { compared, isRaised, where } from "./alerts.js";

const SHOWN = 3;

export class Strip {
  // links: the chart that shows the value of an alert, by the alert's name.
  constructor(line, links) {
    Object.assign(this, { line, links, key: null });
    line.addEventListener("focusout", () => line.scrollTo(0, 0)); // what has no room is reached by the keyboard only
  }

  // alerts: those that fire first.
  update(alerts) {
    const raised = alerts.filter(isRaised);
    const watched = alerts.filter(({ state }) => state !== "unknown").length;
    const shown = raised.slice(0, SHOWN);
    const key = JSON.stringify([shown.map((each) => [each.name, each.state, where(each), compared(each)]), raised.length, watched]);
    if (key === this.key) return;
    this.key = key;
    const firing = raised.filter(({ state }) => state === "firing").length;
    setClass(this.line, `card ${firing ? "firing" : raised.length ? "pending" : "quiet"}`);
    this.line.replaceChildren();
    if (!raised.length) {
      add(this.line, "span", "", alerts.length ? `No alert is pending or firing; ${rules(watched)} watched` : "There are no rules to watch");
      return;
    }
    const pending = raised.length - firing;
    const told = [firing && `${firing} firing`, pending && `${pending} pending`].filter(Boolean).join(", ");
    this.link("count", "#alerts", told);
    for (const alert of shown) this.show(alert);
  }

  show(alert) {
    const item = this.link(`raised ${alert.state}`, this.links.get(alert.name) ?? "#alerts");
    add(item, "b", "", alert.name);
    add(item, "span", "", ` ${[compared(alert), where(alert)].filter(Boolean).join(" · ")}`);
    item.title = `${alert.name} ${alert.state}: ${alert.summary || where(alert)}`;
  }

  link(className, address, text = "") {
    const item = add(this.line, "a", className, text);
    item.href = address;
    return item;
  }
}

const rules = (count) => `${count} rule${count === 1 ? " is" : "s are"}`;
