// The names of the series of a chart, as short as they can be, and put together where one is a percentile of the other.

const PART = /^(p\d+(?:\.\d+)?|limit) (.+)$/;
const BETWEEN = " · ";
const ENDING = /(?<=.)-service$/;
const ADDRESS = /^[\w.-]+:\d+$/;

// One entry for each subject: {subject, label, parts}. A part is {title, index}: "p95" and the place of its series.
export function entriesOf(names) {
  const bySubject = new Map();
  names.forEach((name, index) => {
    const [, title = "", subject = name] = PART.exec(name) ?? [];
    if (!bySubject.has(subject)) bySubject.set(subject, []);
    bySubject.get(subject).push({ title, index });
  });
  const subjects = [...bySubject.keys()];
  const labels = shortened(subjects);
  return subjects.map((subject, i) => ({ subject, label: labels[i], parts: bySubject.get(subject) }));
}

// "gpt-4" for "gpt-4 · cv-parser-service" where no other series has the model, and no address where the service tells.
export function shortened(names) {
  const all = names.map((name) => [...new Set(name.split(BETWEEN))]);
  return all.map((words) => {
    let kept = words;
    for (const word of droppable(words)) {
      const fewer = kept.filter((each) => each !== word);
      if (fewer.length && isUnique(fewer, all)) kept = fewer;
    }
    return kept.join(BETWEEN);
  }).map(withoutEnding);
}

// That a service is one is known: "cv-parser" for "cv-parser-service", unless there is a "cv-parser" too.
function withoutEnding(name, _, names) {
  const shorter = name.split(BETWEEN).map((word) => word.replace(ENDING, "")).join(BETWEEN);
  return names.includes(shorter) ? name : shorter;
}

function droppable(words) {
  const addresses = words.filter((word) => ADDRESS.test(word));
  return addresses.length ? addresses : words.slice(1).reverse();
}

const isUnique = (words, all) => all.filter((other) => words.every((word) => other.includes(word))).length === 1;

// The titles of the parts, from the smallest percentile to the largest.
export function titlesOf(entries) {
  const titles = new Set(entries.flatMap(({ parts }) => parts.map(({ title }) => title)));
  return [...titles].sort((a, b) => rank(a) - rank(b));
}

const rank = (title) => (title.startsWith("p") ? Number(title.slice(1)) : title ? Infinity : -1);
