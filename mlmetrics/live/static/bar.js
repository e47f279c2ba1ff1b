// The bar at the top: how the connection and the targets are, the choice of service and model, light or dark.

import { find, setClass, setText } from "./dom.js";
import { age } from "./units.js";

export class Bar {
  // `open` shows another view of the page: {service, model}.
  constructor(open) {
    this.state = find("#state");
    this.chosen = { service: find("#service"), model: find("#model") };
    for (const select of Object.values(this.chosen)) {
      select.addEventListener("change", () => open({ service: this.chosen.service.value, model: this.chosen.model.value }));
    }
    find("#view").addEventListener("submit", (event) => event.preventDefault());
    find("#theme").addEventListener("click", switchTheme);
  }

  // Offers what there is to choose, and what is chosen even where that is not there.
  offer(view, { services, all_models: models }) {
    for (const [name, values] of [["service", services], ["model", models]]) {
      const select = this.chosen[name];
      const wanted = ["", ...new Set([...values, view[name]].filter(Boolean))];
      if (wanted.length !== select.options.length || wanted.some((value, i) => value !== select.options[i].value)) {
        select.replaceChildren(...wanted.map((value) => new Option(value || "all", value)));
      }
      if (select.value !== view[name]) select.value = view[name];
    }
  }

  // trouble: what is wrong with the connection, and what the server says about it.
  tell([kind, why], { times, newest }) {
    const old = times.length ? `; the numbers are ${age(Date.now() - times.at(-1))} old` : "";
    const said = {
      lost: `Connection lost, trying again${old}`,
      late: `The server sends nothing${old}`,
      token: why,
      refused: `${why.trim()} Trying again${old}`,
    }[kind];
    document.body.classList.toggle("stale", Boolean(kind));
    if (said) return this.say("bad", said);
    if (!newest) return this.say("", "Connecting");
    const { targets } = newest;
    const down = targets.filter(({ up }) => !up).length;
    const all = `${targets.length} target${targets.length === 1 ? "" : "s"}`;
    return down ? this.say("bad", `${down} of ${all} down`) : this.say("good", `${all} up`);
  }

  say(className, text) {
    setClass(this.state, className);
    setText(this.state.firstElementChild, text);
    this.state.title = text;
  }
}

function switchTheme() {
  const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("mlmetrics-theme", theme);
  } catch {
    // Storage may be forbidden; then the choice holds until the page is loaded again.
  }
  dispatchEvent(new Event("theme"));
}
