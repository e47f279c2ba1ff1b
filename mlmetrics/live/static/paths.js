// What lines are made from: paths through columns of values, their extremes and their sums.

// A path through the values; where one is missing, and before those of `gaps`, the line is broken.
export function trace(column, xs, y, gaps = new Set()) {
  let path = "";
  let pen = "M";
  for (let i = 0; i < column.length; i += 1) {
    if (gaps.has(i)) pen = "M";
    if (column[i] == null) {
      pen = "M";
      continue;
    }
    path += `${pen}${xs[i]} ${Math.round(y(column[i]) * 10) / 10}`;
    pen = "L";
  }
  return path;
}

export function extremes(columns) {
  let low = Infinity;
  let high = -Infinity;
  for (const column of columns) {
    for (const value of column) {
      if (value == null) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return high === -Infinity ? [0, 0] : [low, high];
}

// Each column on top of those before it.
export function stack(columns) {
  const sums = [];
  return columns.map((column) =>
    column.map((value, i) => {
      if (value == null) return sums[i] ?? null;
      sums[i] = (sums[i] ?? 0) + value;
      return sums[i];
    }));
}
