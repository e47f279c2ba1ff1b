// What to do where there is nothing to see: no target answers, or those that answer have recorded nothing.

import { add, find, setText } from "./dom.js";

const COMMAND = "mlmetrics live http://localhost:8000/metrics";
const EXAMPLE = `from mlmetrics import instrument, track_inference

instrument(app, service_name="my-service")

@track_inference(model="gpt-4")
def ask(question): ...`;

export class Notice {
  constructor(card) {
    Object.assign(this, { card, key: "" });
  }

  // view: the service and the model that are chosen.
  update({ targets }, view) {
    const up = targets.filter(({ up }) => up);
    const key = JSON.stringify(targets.map(({ url, up, why }) => [url, up, why]));
    if (key === this.key) return;
    this.key = key;
    const chosen = [view.model, view.service].filter(Boolean).join(" of ");
    if (up.length && chosen) this.sayChosen(chosen);
    else this.say(targets, up);
  }

  sayChosen(chosen) {
    const [title, text] = this.card.children;
    setText(title, "Nothing is recorded for this choice");
    setText(text, `No target records a request or a model call of ${chosen}. Choose another service or model at the top, or all.`);
  }

  say(targets, up) {
    const [title, text, list, code] = this.card.children;
    setText(title, up.length ? "Nothing is recorded yet" : "No target answers yet");
    setText(text, up.length
      ? "The targets answer, but with no request and no model call that mlmetrics has recorded. Instrument the service and send it a request; the page fills by itself."
      : "Start the service, or give the address of its metrics page, as below. The page fills by itself as soon as one answers.");
    list.replaceChildren();
    for (const target of targets) {
      const item = add(list, "li");
      add(item, "b", "", target.url);
      add(item, "span", "", target.up ? ` answers with ${target.samples} samples` : ` ${target.why}`);
    }
    code.hidden = false;
    setText(code, up.length ? EXAMPLE : COMMAND);
  }
}
