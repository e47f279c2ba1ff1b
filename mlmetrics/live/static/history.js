// The numbers of the last quarter of an hour, in columns beside the times: what charts are drawn from.

const KEPT_MS = 15 * 60 * 1000;

export class History {
  constructor() {
    this.clear();
  }

  clear() {
    this.times = [];
    this.tiles = new Map();
    this.newest = null; // the newest tick, for what has no past: models, alerts, targets
  }

  // Takes the place of all that was there.
  replace(data) {
    this.times = data.times;
    this.tiles = new Map(Object.entries(data.tiles).map(([id, tile]) => [id, column(tile)]));
    this.newest = data;
  }

  // Adds one tick. Returns false if it is not later than the last one: then the clock has jumped.
  append(tick) {
    const before = this.times.length;
    const time = tick.times[0];
    if (before && time <= this.times[before - 1]) return false;
    this.times.push(time);
    for (const id in tick.tiles) {
      if (!this.tiles.has(id)) this.tiles.set(id, column(empty(tick.tiles[id], before)));
    }
    for (const [id, tile] of this.tiles) extend(tile, tick.tiles[id], before);
    this.newest = tick;
    this.trim(time - KEPT_MS);
    return true;
  }

  trim(from) {
    let old = 0;
    while (this.times[old] < from) old += 1;
    if (!old) return;
    this.times.splice(0, old);
    for (const tile of this.tiles.values()) {
      if (tile.buckets) tile.buckets.splice(0, old);
      for (const [name, values] of tile.series ?? []) {
        values.splice(0, old);
        if (values.every((value) => value == null)) tile.series.delete(name);
      }
    }
  }
}

function column(data) {
  if (data.bounds) return { bounds: data.bounds, buckets: data.buckets };
  return { series: new Map(data.series.map(({ name, values }) => [name, values])), more: data.more ?? 0 };
}

function empty(data, length) {
  if (data.bounds) return { bounds: data.bounds, buckets: new Array(length).fill(null) };
  return { series: data.series.map(({ name }) => ({ name, values: new Array(length).fill(null) })) };
}

function extend(tile, data, before) {
  if (tile.buckets) {
    // Where nothing is observed there are no bounds; other bounds are another histogram, whose past is unknown.
    const some = data?.bounds.length > 0;
    if (some && String(data.bounds) !== String(tile.bounds)) {
      Object.assign(tile, { bounds: data.bounds, buckets: new Array(before).fill(null) });
    }
    tile.buckets.push(some ? data.buckets[0] : null);
    return;
  }
  tile.more = data?.more ?? 0;
  for (const { name } of data?.series ?? []) {
    if (!tile.series.has(name)) tile.series.set(name, new Array(before).fill(null));
  }
  const now = new Map((data?.series ?? []).map(({ name, values }) => [name, values[0]]));
  for (const [name, values] of tile.series) values.push(now.get(name) ?? null);
}
