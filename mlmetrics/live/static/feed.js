// The connection to the server: events as they come, and what is wrong when none come.

const RETRY_MS = [2000, 4000, 8000];
const LATE_MS = 7000;
const HIDDEN_MS = 60_000;

export class Connection {
  // `on` has a function for each event (history, tick, layout), and `state`, which is told what is wrong or "".
  constructor(on) {
    Object.assign(this, { on, failures: 0, heard: Date.now(), address: null });
    setInterval(() => this.check(), 1000);
    document.addEventListener("visibilitychange", () => this.rest());
  }

  open(address) {
    this.address = address;
    this.close();
    const source = (this.source = new EventSource(address));
    for (const kind of ["history", "tick", "layout"]) {
      source.addEventListener(kind, (event) => {
        if (source !== this.source) return;
        Object.assign(this, { heard: Date.now(), failures: 0 });
        this.on[kind](JSON.parse(event.data));
        this.on.state("");
      });
    }
    source.onerror = () => this.fail(source);
  }

  close() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  // The browser tries again by itself while the server cannot be reached, but not after an answer that is no stream.
  fail(source) {
    if (source !== this.source) return;
    this.on.state("lost");
    if (source.readyState !== EventSource.CLOSED) return;
    this.close();
    this.ask();
    const wait = RETRY_MS[Math.min(this.failures, RETRY_MS.length - 1)];
    this.failures += 1;
    this.timer = setTimeout(() => this.open(this.address), wait);
  }

  // Why the answer is no stream: the server says it in a sentence.
  async ask() {
    const abort = new AbortController();
    try {
      const answer = await fetch(this.address, { signal: abort.signal });
      if (!answer.ok) this.on.state(answer.status === 401 ? "token" : "refused", (await answer.text()).slice(0, 300));
    } catch {
      // It cannot be reached, which is shown already.
    }
    abort.abort();
  }

  check() {
    if (this.source && Date.now() - this.heard > LATE_MS) this.on.state(this.source.readyState === EventSource.OPEN ? "late" : "lost");
  }

  // A page that nobody sees gives its connection back: a browser has six for each server.
  rest() {
    clearTimeout(this.resting);
    if (document.hidden) this.resting = setTimeout(() => this.close(), HIDDEN_MS);
    else if (!this.source && this.address) this.open(this.address);
  }
}
