// Numbers as people read them: 243 ms, 1.38k, 97.6 %, 412 MiB. The units are those of the dashboards' panels.

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NOTHING = "–";
const RATES = { reqps: "/s", "currencyUSD/h": "/h" };

const DECIMAL = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""]];
const BINARY = [[2 ** 40, " TiB"], [2 ** 30, " GiB"], [2 ** 20, " MiB"], [2 ** 10, " KiB"], [1, " B"]];
const TIME = [[2 * DAY, DAY, " d"], [2 * HOUR, HOUR, " h"], [2 * MINUTE, MINUTE, " min"], [1, 1, " s"], [1e-3, 1e-3, " ms"], [0, 1e-6, " µs"]];

// What a value is divided by, and what is written behind it: [factor, suffix].
function scaleOf(size, unit) {
  if (unit === "percentunit") return [0.01, "%"];
  if (unit === "s" || unit === "d") {
    const seconds = unit === "d" ? size * DAY : size;
    const [, factor, suffix] = TIME.find(([from]) => seconds >= from);
    return [unit === "d" ? factor / DAY : factor, suffix];
  }
  const [factor, prefix] = (unit === "bytes" ? BINARY : DECIMAL).find(([from]) => size >= from) ?? [1, unit === "bytes" ? " B" : ""];
  return [factor, prefix + (RATES[unit] ?? "")];
}

// A number with three significant digits, never written with an exponent, without zeros that say nothing.
function digits(number) {
  const size = Math.abs(number);
  if (size === 0) return "0";
  if (size < 1e-4) return number < 0 ? "-0.0001" : "<0.0001";
  const decimals = Math.min(6, Math.max(0, 2 - Math.floor(Math.log10(size))));
  return number.toFixed(decimals);
}

// A share is never rounded up to 100 % or down to 0 %, for that would hide the one call that is different.
function share(percent) {
  if (percent > 99.9 && percent < 100) return Math.min(99.99, percent).toFixed(2);
  if (percent >= 100) return digits(percent).replace(/\.0+$/, "");
  return percent >= 10 ? percent.toFixed(1) : digits(percent);
}

// The two parts of a value: the number and its unit, such as ["243", " ms"] or ["1.38k", "/s"].
export function parts(value, unit) {
  if (value == null || Number.isNaN(value)) return [NOTHING, ""];
  const dollars = unit.startsWith("currencyUSD") ? "$" : "";
  const rounded = Number(value.toPrecision(3)); // so that 999.7 is 1.00k, and not 1000
  const [factor, suffix] = value === 0 && unit === "s" ? [1, " s"] : scaleOf(Math.abs(rounded), unit);
  const number = unit === "percentunit" ? share(value / factor) : digits(Number((value / factor).toPrecision(3)));
  const whole = Number.isInteger(value) && Math.abs(value) < 1000 && unit === "short" ? String(value) : number;
  const signed = dollars && whole.startsWith("-") ? `-${dollars}${whole.slice(1)}` : dollars + whole;
  // A prefix of a thousand or a million belongs to the number.
  const prefix = /^[kMGT]/.exec(suffix)?.[0] ?? "";
  return [signed + prefix, suffix.slice(prefix.length)];
}

// A bound or a threshold, without zeros at its end: 5 s, 0.9, 80 %.
export function brief(value, unit) {
  const [number, suffix] = parts(value, unit);
  return number.replace(/(\.\d*?)0+(?=[kMGT]?$)/, "$1").replace(/\.(?=[kMGT]?$)/, "") + suffix;
}

// The value as one text.
export const format = (value, unit) => parts(value, unit).join("");

// A function that writes all labels of an axis in one unit and with the same decimals.
export function axisFormat(top, step, unit) {
  const [factor, suffix] = scaleOf(top, unit);
  const dollars = unit.startsWith("currencyUSD") ? "$" : "";
  const decimals = Math.max(0, Math.min(6, -Math.floor(Math.log10(step / factor) + 1e-9)));
  const extra = Math.abs((step / factor) * 10 ** decimals - Math.round((step / factor) * 10 ** decimals)) > 1e-6 ? 1 : 0;
  const plain = suffix.replace(/^[kMGT]/, "");
  return (value) => dollars + (Math.abs(value) < step / 1000 ? `0${plain}` : (value / factor).toFixed(decimals + extra) + suffix);
}

// A round step that cuts `span` into at most `most` parts, in the unit that the axis is written in.
export function axisStep(span, top, most, unit) {
  const [factor] = scaleOf(top, unit);
  const least = span / factor / most;
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 2.5, 5, 10].map((each) => each * power * factor).find((each) => span / each <= most + 1e-9);
}

// 16:05, or 16:05:30 with seconds: local time of 24 hours.
export function clock(time, seconds) {
  return new Date(time).toTimeString().slice(0, seconds ? 8 : 5);
}

// How long ago, such as "14 s" or "3 min".
export function age(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 2 * MINUTE) return `${seconds} s`;
  if (seconds < 2 * HOUR) return `${Math.round(seconds / MINUTE)} min`;
  return seconds < 2 * DAY ? `${Math.round(seconds / HOUR)} h` : `${Math.round(seconds / DAY)} d`;
}
