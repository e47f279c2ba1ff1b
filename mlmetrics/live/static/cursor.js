// The time under the pointer, the finger or the arrow keys; all charts of the page show it in step.

const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity };

export class Cursor {
  constructor() {
    this.time = null;
    this.listeners = new Set();
    document.addEventListener("pointerdown", (event) => {
      if (!event.target.closest(".plot")) this.move(null);
    });
  }

  move(time) {
    if (time === this.time) return;
    this.time = time;
    for (const show of this.listeners) show();
  }

  // The index of the sample nearest to the cursor, or of the newest without a cursor.
  index(times) {
    let i = times.length - 1;
    if (this.time == null) return i;
    while (i > 0 && this.time < (times[i - 1] + times[i]) / 2) i -= 1;
    return i;
  }

  // Lets a plot move the cursor. `chart` knows its times, and which of them is at a place.
  follow(plot, chart) {
    const point = (event) => chart.times?.length && this.move(chart.timeAt(event.clientX - plot.getBoundingClientRect().left));
    plot.addEventListener("pointermove", point);
    plot.addEventListener("pointerdown", point);
    plot.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.move(null));
    plot.addEventListener("blur", () => this.move(null));
    plot.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.move(null);
      const step = STEPS[event.key];
      if (!chart.times?.length || step === undefined) return;
      event.preventDefault();
      const last = chart.times.length - 1;
      this.move(chart.times[Math.min(last, Math.max(0, this.index(chart.times) + step))]);
    });
  }
}
