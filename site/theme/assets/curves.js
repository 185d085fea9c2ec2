// Curves of traces: the level that a view needs, and what is drawn of it.
//
// A signal is there at several levels. At a stride of n each point is the minimum and maximum of n
// samples; at a stride of 1 it is one sample. A block is a run of points of one level.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar;
  const FORMAT = 2; // of the index of a shot
  const MOST_LEVELS = 20;
  const MOST_DRAWN = 8; // blocks of a curve
  const FEWEST = 0.5; // a finer level is requested below this many points per pixel

  /** @param {TraceIndex} index @param {TraceSignal} signal @returns {Curve} */
  const curve = (index, signal) => {
    const { levels, n } = signal;
    const unit = signal.x_unit;
    const pack = ishtar.packs.open(index, signal);
    // position of the first sample and distance to the next; samples that are only counted are at their numbers
    const t0 = (unit === "" ? 0 : signal.x0) ?? 0;
    const dt = (unit === "" ? 1 : signal.dx) ?? 0;

    /** @returns {number} the end; with irregular sampling the coarsest block, once it is there, knows */
    const end = () => {
      if (dt) return t0 + n * dt;
      const times = pack.block(0, 0)?.times;
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
      const { stride, bins } = levels[level], starts = pack.starts(level) || [];
      /** @param {number} time @param {number} by one point more, so that a line runs to the edge */
      const blockAt = (time, by) => {
        if (dt) return Math.floor(Math.min(Math.max(Math.floor((time - t0) / (stride * dt)) + by, 0), bins - 1) / signal.block);
        const after = starts.findIndex((start) => t0 + start > time);
        return Math.max((after < 0 ? starts.length : after) - 1, 0);
      };
      return { level, first: blockAt(view[0], -1), last: blockAt(view[1], 1), held };
    };

    return {
      shot: index.shot,
      signal,
      unit,
      each: dt,
      cost: ({ level, first, last }) => pack.cost(level, first, last),

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
        if (wanted >= pack.depth()) [wanted, held] = [pack.depth() - 1, pack.limit()];
        const level = Math.max(wanted - drop, 0);
        return choice(level, view, level < wanted ? "budget" : held);
      },

      fetch: ({ level, first, last }) => pack.fetch(level, first, last),

      best(finest, view) {
        for (let level = finest; level >= 0; level--) {
          const { first, last } = choice(level, view, "");
          if (level > 0 && last - first >= MOST_DRAWN) continue; // a view that has just become wide
          const { stride } = levels[level], starts = pack.starts(level);
          const pieces = [];
          for (let k = first; k <= last; k++) {
            const block = pack.block(level, k);
            const behind = starts && k + 1 < starts.length ? t0 + starts[k + 1] : end();
            if (block) pieces.push(piece(block, k * signal.block, stride, t0, stride * dt, behind));
          }
          if (pieces.length === last - first + 1) return { pieces, stride };
        }
        return { pieces: [], stride: 0 };
      },
    };
  };

  /** @param {TraceBlock} block @param {number} from number of its first point @param {number} stride @param {number} t0
   * @param {number} each time between points @param {number} end of the block, where they are irregular
   * @returns {Piece} */
  const piece = (block, from, stride, t0, each, end) => {
    const { low, high, n, times, value } = block;
    return {
      stride,
      n,
      time: (i) => !times ? t0 + (from + i) * each : i < times.length ? t0 + times[i] : end,
      low: (i) => value(low[i]),
      high: (i) => value(high[i]),
      step: (i) => Math.abs(value(low[i] + (low[i] ? -1 : 1)) - value(low[i])),
    };
  };

  /** @param {TraceSignal} signal @returns {TraceSignal} */
  const ofAnotherFormat = (signal) => ({ ...signal, levels: [], problem: signal.problem || "its traces are of another version than this page: reload it, or publish the shot again" });

  /** @type {Curves["plan"]} */
  const plan = (plots, view, width, budget) => {
    /** @param {Curve[]} curves @param {number} drop */
    const choices = (curves, drop) => curves.map((c) => c.choose(view, width, drop));
    /** @param {number[]} drops */
    const cost = (drops) => plots.reduce((sum, curves, i) => sum + choices(curves, drops[i]).reduce((s, c, k) => s + curves[k].cost(c), 0), 0);
    let drops = plots.map(() => 0);
    while (cost(drops) > budget && drops[0] < MOST_LEVELS) drops = drops.map((d) => d + 1);
    for (let changed = true; changed;) { // a finer level can have fewer bytes than the one above it
      changed = false;
      for (const i of drops.keys()) {
        const finer = drops.map((d, k) => k === i ? d - 1 : d);
        if (drops[i] > 0 && drops[i] === Math.max(...drops) && cost(finer) <= budget) [drops, changed] = [finer, true];
      }
    }
    return plots.map((curves, i) => choices(curves, drops[i]));
  };

  ishtar.curves = {
    curve,
    plan,
    async index(shot) {
      try {
        const index = await ishtar.load(`${ishtar.packs.folder(shot)}/traces/index`);
        return index.format === FORMAT ? index : { ...index, signals: index.signals.map(ofAnotherFormat) };
      } catch {
        return null; // the page says that there are none
      }
    },
  };
})();
