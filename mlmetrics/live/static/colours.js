// Which colour a series has. A name keeps its colour for the session, on every chart and however one filters.
// The style sheet knows the colours: the classes s0 to s7, and dashed or dotted lines for further series.

const COLOURS = 8;
const CLEAR = 5;
const KEY = "mlmetrics-colours";

const slots = new Map(restore());

function restore() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
  } catch {
    return []; // storage may be forbidden
  }
}

function keep() {
  try {
    sessionStorage.setItem(KEY, JSON.stringify([...slots]));
  } catch {
    // Then a colour is kept until the page is loaded again.
  }
}

function free(taken) {
  let slot = 0;
  while (taken.has(slot)) slot += 1;
  return slot;
}

// The classes of the series of one chart. Two series of a chart never look the same: where two names have the same
// colour from other charts, the later one gets another in this chart.
export function classesOf(chart, names) {
  const taken = new Set();
  const chosen = new Map();
  for (const name of names) {
    const slot = slots.get(`${chart}\n${name}`) ?? slots.get(name);
    if (slot === undefined || taken.has(slot)) continue;
    taken.add(slot);
    chosen.set(name, slot);
  }
  let changed = false;
  for (const name of names) {
    if (chosen.has(name)) continue;
    const slot = free(taken);
    slots.set(slots.has(name) ? `${chart}\n${name}` : name, slot);
    taken.add(slot);
    chosen.set(name, slot);
    changed = true;
  }
  if (changed) keep();
  return names.map((name) => look(chosen.get(name)));
}

// The first colours are told apart by all eyes; the others have dashes too.
function look(slot) {
  const dashes = slot < CLEAR ? 0 : 1 + Math.floor(slot / COLOURS);
  return `s${slot % COLOURS} d${Math.min(3, dashes)}`;
}
