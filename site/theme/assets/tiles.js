// Tiles of traces: the content of a level, the level for a view, loading and caching.
//
// A signal is on disk at several levels. At a stride of n each point is the minimum and maximum of
// n samples; at a stride of 1 it is one sample. A tile is a run of points of one level.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar;
  const NO_VALUE = 65535, STEPS = 65534;
  // weight of a tile on the wire: two columns of two bytes in base64, one at a stride of 1
  const PAIR_COST = 2, SINGLE_COST = 1, TIMES_COST = 4;
  const MOST_LEVELS = 20;
  const KEPT = 480; // tiles in memory, of at most 8 kB each
  const MOST_DRAWN = 8; // tiles of a curve
  const FEWEST = 0.5; // a finer level is requested below this many points per pixel

  /** @param {string} text @returns {ArrayBuffer} */
  const bytes = (text) => {
    const binary = atob(text);
    const out = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i++) out[i] = binary.charCodeAt(i);
    return out.buffer;
  };

  /** @param {ArrayBuffer} buffer @returns {Uint16Array} little-endian on any machine */
  const words = (buffer) => {
    const view = new DataView(buffer);
    return Uint16Array.from({ length: buffer.byteLength >> 1 }, (_, i) => view.getUint16(2 * i, true));
  };

  /** @param {ArrayBuffer} buffer @returns {Float64Array} */
  const doubles = (buffer) => {
    const view = new DataView(buffer);
    return Float64Array.from({ length: buffer.byteLength >> 3 }, (_, i) => view.getFloat64(8 * i, true));
  };

  /** @param {any} data of a tile's file @returns {Tile} */
  const decode = (data) => ({
    lo: data.lo,
    hi: data.hi,
    n: data.n,
    codes: words(bytes(data.v)),
    times: data.t ? doubles(bytes(data.t)) : null,
  });

  // Recently used tiles, oldest first.
  /** @type {Map<string, Tile>} */
  const kept = new Map();

  /** @param {string} path @returns {Tile | undefined} */
  const used = (path) => {
    const tile = kept.get(path);
    if (tile) {
      kept.delete(path);
      kept.set(path, tile);
    }
    return tile;
  };

  /** @param {string} path @returns {Promise<void>} */
  const fetchTile = async (path) => {
    if (used(path)) return;
    const tile = decode(await ishtar.load(path));
    ishtar.unload(path);
    kept.set(path, tile);
    for (const oldest of kept.keys()) {
      if (kept.size <= KEPT) break;
      if (!oldest.endsWith("/0-0")) kept.delete(oldest); // the whole record is always available as a fallback
    }
  };

  /** @param {number} shot @returns {string} */
  const folder = (shot) => `shots/${String(shot).padStart(5, "0")}`;

  /** @param {TraceSignal} signal @returns {string} the unit of its sample axis; older sites do not state it */
  const unitOf = (signal) => signal.x_unit ?? "s";

  /** @param {TraceIndex} index @param {TraceSignal} signal @returns {Curve} */
  const curve = (index, signal) => {
    const { levels, n } = signal;
    const unit = unitOf(signal);
    // position of the first sample and distance to the next; samples that are only counted are at their numbers
    const t0 = (unit === "" ? 0 : unit === "s" ? signal.t0 : signal.x0) ?? 0;
    const dt = (unit === "" ? 1 : unit === "s" ? signal.dt : signal.dx) ?? 0;
    /** @param {number} level @param {number} k */
    const path = (level, k) => `${folder(index.shot)}/traces/${signal.slug}/${level}-${k}`;

    /** @returns {number} the end; with irregular sampling the coarsest tile, once it is there, knows */
    const end = () => {
      if (dt) return t0 + n * dt;
      const times = kept.get(path(0, 0))?.times;
      if (!times) return t0;
      const last = times.length - 1;
      return t0 + times[last] + (last ? (times[last] - times[0]) / last : 0);
    };

    /** @param {number} level @param {Span} view @returns {number} how many points are in the view */
    const count = (level, view) => {
      const { stride, bins } = levels[level];
      const length = end() - t0;
      const each = dt ? stride * dt : length / bins;
      const inside = Math.min(view[1], t0 + length) - Math.max(view[0], t0);
      return each > 0 ? Math.max(inside / each, 0) : bins;
    };

    /** @param {number} level @param {Span} view @param {Choice["held"]} held @returns {Choice} */
    const choice = (level, view, held) => {
      const { stride, bins, tiles, starts } = levels[level];
      /** @param {number} time @param {number} by one point more, so that a line runs to the edge */
      const tileAt = (time, by) => {
        if (dt) return Math.floor(Math.min(Math.max(Math.floor((time - t0) / (stride * dt)) + by, 0), bins - 1) / index.tile);
        const after = (starts || []).findIndex((start) => t0 + start > time);
        return Math.max((after < 0 ? tiles : after) - 1, 0);
      };
      return { level, first: tileAt(view[0], -1), last: tileAt(view[1], 1), held };
    };

    /** @param {Choice} wanted */
    const cost = ({ level, first, last }) => {
      const each = levels[level].stride > 1 ? PAIR_COST : SINGLE_COST;
      let sum = 0;
      for (let k = first; k <= last; k++) if (!kept.has(path(level, k))) sum += dt ? each : each + TIMES_COST;
      return sum;
    };

    return {
      shot: index.shot,
      signal,
      unit,
      each: dt,
      cost,

      span: () => [t0, end()],

      choose(view, width, drop) {
        let wanted = levels.length - 1;
        /** @type {Choice["held"]} */
        let held = levels[wanted].stride > 1 ? "kept" : "";
        for (let level = 0; level < levels.length; level++) {
          if (count(level, view) >= width * FEWEST || levels[level].stride === 1) {
            [wanted, held] = [level, ""];
            break;
          }
        }
        const level = Math.max(wanted - drop, 0);
        return choice(level, view, level < wanted ? "budget" : held);
      },

      async fetch({ level, first, last }) {
        const asked = [];
        for (let k = first; k <= last; k++) asked.push(fetchTile(path(level, k)));
        await Promise.all(asked);
      },

      best(finest, view) {
        for (let level = finest; level >= 0; level--) {
          const { first, last } = choice(level, view, "");
          if (level > 0 && last - first >= MOST_DRAWN) continue; // a view that has just become wide
          const { stride, starts } = levels[level];
          const pieces = [];
          for (let k = first; k <= last; k++) {
            const tile = used(path(level, k));
            const behind = starts && k + 1 < starts.length ? t0 + starts[k + 1] : end();
            if (tile) pieces.push(piece(tile, k * index.tile, stride, t0, stride * dt, behind));
          }
          if (pieces.length === last - first + 1) return { pieces, stride };
        }
        return { pieces: [], stride: 0 };
      },
    };
  };

  /** @param {Tile} tile @param {number} from number of its first point @param {number} stride @param {number} t0
   * @param {number} each time between points @param {number} end of the tile, where they are irregular
   * @returns {Piece} */
  const piece = (tile, from, stride, t0, each, end) => {
    const { codes, n, times, lo } = tile;
    const step = (tile.hi - tile.lo) / STEPS;
    /** @param {number} i */
    const value = (i) => codes[i] === NO_VALUE ? NaN : lo + step * codes[i];
    const behind = stride > 1 ? n : 0;
    return {
      stride,
      n,
      step,
      time: (i) => !times ? t0 + (from + i) * each : i < times.length ? t0 + times[i] : end,
      low: value,
      high: (i) => value(i + behind),
    };
  };

  /** @type {Tiles["plan"]} */
  const plan = (plots, view, width, budget) => {
    /** @param {Curve[]} curves @param {number} drop */
    const choices = (curves, drop) => curves.map((c) => c.choose(view, width, drop));
    /** @param {number[]} drops */
    const cost = (drops) => plots.reduce((sum, curves, i) => sum + choices(curves, drops[i]).reduce((s, c, k) => s + curves[k].cost(c), 0), 0);
    let drops = plots.map(() => 0);
    while (cost(drops) > budget && drops[0] < MOST_LEVELS) drops = drops.map((d) => d + 1);
    for (const i of drops.keys()) {
      const finer = drops.map((d, k) => k === i ? d - 1 : d);
      if (drops[i] > 0 && cost(finer) <= budget) drops = finer;
    }
    return plots.map((curves, i) => choices(curves, drops[i]));
  };

  ishtar.tiles = {
    folder,
    unitOf,
    curve,
    plan,
    async index(shot) {
      try {
        return await ishtar.load(`${folder(shot)}/traces/index`);
      } catch {
        return null; // the page says that there are none
      }
    },
  };
})();
