// Tiles of traces, against signals that are cut here as docs/site-data.md says.
"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { dataOf, load, random } = require("./scripts.js");

const TILE = 16; // points of a tile

/** @param {number[]} values @param {number} lo @param {number} hi @param {(x: number) => number} round */
const codes = (values, lo, hi, round) => values.map((v) => Number.isNaN(v) ? 65535 : Math.min(65534, Math.max(0, round((v - lo) / ((hi - lo) || 1) * 65534))));
const u16 = (/** @type {number[]} */ list) => Buffer.from(list.flatMap((c) => [c & 255, c >> 8])).toString("base64");
const f64 = (/** @type {number[]} */ list) => Buffer.from(new Uint8Array(Float64Array.from(list).buffer)).toString("base64");

/**
 * Cut a signal into tiles of `TILE` points, level 0 in one, each next level four times finer, down to a stride.
 * @param {number[]} values @param {{t0?: number, dt?: number, times?: number[], deepest?: number, x?: object}} [how] `times` after t0
 */
const cut = (values, { t0 = 0, dt = 1, times, deepest = 1, x = {} } = {}) => {
  /** @type {Record<string, any>} */
  const files = {};
  const levels = [];
  let stride = deepest;
  while (Math.ceil(values.length / stride) > TILE) stride *= 4;
  for (let level = 0; stride >= deepest; level++, stride = Math.floor(stride / 4)) {
    const bins = Math.ceil(values.length / stride), tiles = Math.ceil(bins / TILE);
    const starts = [];
    for (let k = 0; k < tiles; k++) {
      const own = Array.from({ length: Math.min(TILE, bins - k * TILE) }, (_, i) => values.slice((k * TILE + i) * stride, (k * TILE + i + 1) * stride));
      const known = own.flat().filter((v) => !Number.isNaN(v)), lo = Math.min(...known), hi = Math.max(...known);
      const least = own.map((o) => Math.min(...o)), most = own.map((o) => Math.max(...o));
      const v = stride === 1 ? codes(least, lo, hi, Math.round) : [...codes(least, lo, hi, Math.floor), ...codes(most, lo, hi, Math.ceil)];
      const first = own.map((_, i) => times?.[(k * TILE + i) * stride] ?? 0);
      starts.push(first[0]);
      files[`shots/00007/traces/s/${level}-${k}`] = { lo, hi, n: own.length, v: u16(v), ...(times ? { t: f64(first) } : {}) };
    }
    levels.push({ stride, bins, tiles, ...(times ? { starts } : {}) });
    if (stride === 1) break;
  }
  const signal = { name: "S", slug: "s", unit: "V", t0, dt: times ? null : dt, n: values.length, levels, problem: "", ...x };
  return { files, signal, index: { shot: 7, tile: TILE, signals: [signal] } };
};

const opened = (/** @type {ReturnType<typeof cut>} */ { files, signal, index }) => {
  const data = dataOf(files);
  const { tiles } = load(["tiles"], { ishtar: data });
  return { curve: tiles.curve(index, signal), loaded: data.loaded, tiles };
};
const WIDTH = 20; // px

/** Load what a view needs and return its points as [from, to, low, high, stride]. @param {any} curve @param {number[]} view @param {number} [width] */
const look = async (curve, view, width = WIDTH) => {
  const choice = curve.choose(view, width, 0);
  await curve.fetch(choice);
  const { pieces, stride } = curve.best(choice.level, view);
  return { choice, stride, points: pieces.flatMap((/** @type {any} */ p) => Array.from({ length: p.n }, (_, i) => [p.time(i), p.time(i + 1), p.low(i), p.high(i), p.step])) };
};

const next = random(1);
const noise = Array.from({ length: 5000 }, (_, i) => Math.sin(i / 300) * 3 + next());

test("at any zoom the points hold every sample of the view, and no more than a step beyond", async () => {
  const { curve } = opened(cut(noise, { t0: -0.5, dt: 1e-3 }));
  for (let k = 0; k < 60; k++) {
    const from = -0.5 + 4.9 * next(), view = [from, Math.min(4.5, from + 10 ** (-2.5 + 3 * next()))];
    const { points, stride, choice } = await look(curve, view);
    assert.equal(stride, curve.signal.levels[choice.level].stride);
    assert.equal(choice.held, "");
    for (let i = Math.max(0, Math.ceil((view[0] + 0.5) / 1e-3)); i <= Math.min(4999, Math.floor((view[1] + 0.5) / 1e-3)); i++) {
      const at = -0.5 + i * 1e-3;
      const point = points.find((/** @type {number[]} */ p) => p[0] - 1e-9 <= at && at < p[1] - 1e-9);
      assert.ok(point, `no point at ${at} of ${view}`);
      const [, , low, high, step] = point;
      const slack = stride === 1 ? 0.5001 * step : 1e-9;
      assert.ok(low - slack <= noise[i] && noise[i] <= high + slack, `${i}: ${noise[i]} is not in ${low} … ${high}`);
      const own = noise.slice(Math.floor(i / stride) * stride, Math.floor(i / stride) * stride + stride);
      assert.ok(low >= Math.min(...own) - 1.001 * step && high <= Math.max(...own) + 1.001 * step);
    }
  }
});

test("the level is the coarsest that has half a point for each pixel", () => {
  const { curve } = opened(cut(noise, { t0: 0, dt: 1 }));
  assert.deepEqual(curve.signal.levels.map((/** @type {any} */ l) => l.stride), [1024, 256, 64, 16, 4, 1]);
  for (const [view, stride] of [[[0, 5000], 256], [[0, 2560], 256], [[0, 2559], 64], [[100, 740], 64], [[100, 739], 16], [[0, 40], 4], [[0, 39], 1], [[10, 12], 1]]) {
    assert.equal(curve.signal.levels[curve.choose(view, WIDTH, 0).level].stride, stride, `${view}`);
  }
  assert.equal(curve.choose([0, 5000], 8, 0).level, 0); // eight pixels: five points are enough
});

test("a view asks for the tiles that hold it and a point on either side, and for no other", async () => {
  const { curve, loaded } = opened(cut(noise, { dt: 1 }));
  await look(curve, [33, 41], 10); // single samples: 32 … 47 are tile 2
  assert.deepEqual(loaded, ["shots/00007/traces/s/5-2"]);
  await look(curve, [33, 41], 10);
  assert.equal(loaded.length, 1); // once
  await look(curve, [32, 41], 10); // the line comes from sample 31
  assert.deepEqual(loaded.slice(1), ["shots/00007/traces/s/5-1"]);
  await look(curve, [40, 47], 10); // and goes to sample 48
  assert.deepEqual(loaded.slice(2), ["shots/00007/traces/s/5-3"]);
});

test("what was not kept finer is said, and so is a level that is coarser for others' sake", () => {
  const { curve } = opened(cut(noise, { dt: 1, deepest: 64 }));
  assert.equal(curve.choose([0, 100], WIDTH, 0).held, "kept");
  assert.equal(curve.choose([0, 5000], WIDTH, 0).held, "");
  const full = opened(cut(noise, { dt: 1 })).curve;
  const one = full.choose([0, 100], WIDTH, 0);
  assert.deepEqual([full.choose([0, 100], WIDTH, 1).level, full.choose([0, 100], WIDTH, 1).held], [one.level - 1, "budget"]);
  assert.equal(full.choose([0, 100], WIDTH, 99).level, 0);
});

test("until a tile has come, what is there is drawn, as fine as it is", async () => {
  const { curve } = opened(cut(noise, { dt: 1 }));
  assert.deepEqual(curve.best(5, [0, 50]), { pieces: [], stride: 0 });
  await curve.fetch({ level: 0, first: 0, last: 0, held: "" });
  assert.equal(curve.best(5, [0, 50]).stride, 1024);
  await curve.fetch({ level: 4, first: 0, last: 0, held: "" });
  assert.equal(curve.best(5, [0, 50]).stride, 4);
  assert.equal(curve.best(5, [0, 500]).stride, 1024); // its second tile is not there
  assert.equal(curve.best(3, [0, 50]).stride, 1024); // not finer than asked for
});

test("samples without a value have none, and the whole record is the whole record", async () => {
  const { curve } = opened(cut([1, NaN, 3, -2], { t0: 2, dt: 0.5 }));
  const { points } = await look(curve, [2, 4]);
  assert.deepEqual(points.map((/** @type {number[]} */ p) => [p[0], Number.isNaN(p[2]) ? null : Math.round(1e3 * p[2]) / 1e3]), [[2, 1], [2.5, null], [3, 3], [3.5, -2]]);
  assert.deepEqual(curve.span(), [2, 4]);
});

test("samples that are only counted lie at their numbers, frequencies at theirs", async () => {
  const counted = opened(cut([1, 2, 3], { x: { x_unit: "", t0: null, dt: null } })).curve;
  assert.deepEqual([counted.unit, counted.each, counted.span()], ["", 1, [0, 3]]);
  const lines = opened(cut([1, 2, 3], { x: { x_unit: "Hz", t0: null, dt: null, x0: 1e6, dx: 500 } })).curve;
  assert.deepEqual([lines.unit, lines.each, lines.span()], ["Hz", 500, [1e6, 1001500]]);
  assert.deepEqual((await look(lines, [1e6, 1.0011e6])).points.map((/** @type {number[]} */ p) => p[0]), [1e6, 1000500, 1001000]);
  const { tiles } = opened(cut([1]));
  assert.equal(tiles.unitOf({ name: "s" }), "s"); // sites from before say nothing
});

test("irregular sampling: each point at its own time, whatever tile it is in", async () => {
  const times = [0];
  for (let i = 1; i < 300; i++) times.push(times[i - 1] + 0.5 + next());
  const values = times.map((_, i) => i), { curve } = opened(cut(values, { t0: 10, times }));
  await curve.fetch({ level: 0, first: 0, last: 0, held: "" });
  const [start, end] = curve.span();
  assert.equal(start, 10);
  assert.ok(end >= 10 + times[288] && end < 10 + 1.2 * times[299]); // nearly: no sample says when it ends
  for (let k = 0; k < 100; k++) {
    const view = [10 + times[299] * 0.9 * next(), 0];
    view[1] = view[0] + 3 + 10 * next();
    const choice = { ...curve.choose(view, 1e6, 0) };
    assert.equal(curve.signal.levels[choice.level].stride, 1);
    const { points } = await look(curve, view, 1e6);
    for (const [i, t] of times.entries()) {
      if (10 + t < view[0] || 10 + t > view[1]) continue;
      const at = points.findIndex((/** @type {number[]} */ p) => p[0] === 10 + t);
      assert.ok(at >= 0, `${t}`);
      assert.ok(Math.abs(points[at][2] - i) <= 0.5001 * points[at][4]);
      if (i < 299 && at < points.length - 1) assert.equal(points[at][1], 10 + times[i + 1]);
    }
  }
});

test("a plan of many curves costs no more than is allowed, is as fine as that lets it, and treats shots in one plot alike", async () => {
  const of = (/** @type {number} */ shot) => {
    const one = cut(noise, { dt: 1 });
    one.index.shot = shot;
    return opened(one);
  };
  const [a, b, c, d] = [1, 2, 3, 4].map(of), plots = [[a.curve, b.curve], [c.curve], [d.curve]];
  for (const view of [[0, 5000], [100, 600], [2000, 2030]]) {
    for (const budget of [0, 6, 10, 16, 24, 99]) {
      const choices = a.tiles.plan(plots, view, 60, budget);
      const costs = plots.map((curves, i) => curves.reduce((sum, curve, k) => sum + curve.cost(choices[i][k]), 0));
      const total = costs.reduce((x, y) => x + y, 0);
      const coarsest = choices.flat().every((choice) => choice.level === 0);
      assert.ok(total <= budget || coarsest, `${total} of ${budget}`);
      assert.equal(choices[0][0].level, choices[0][1].level);
      const levels = choices.map((row) => row[0].level);
      assert.ok(Math.max(...levels) - Math.min(...levels) <= 1);
      // one level finer for any plot that is not as fine as it would like: too much
      for (const [i, curves] of plots.entries()) {
        const wish = curves[0].choose(view, 60, 0).level;
        if (levels[i] === wish) continue;
        const more = curves.reduce((sum, curve) => sum + curve.cost(curve.choose(view, 60, wish - levels[i] - 1)), 0);
        assert.ok(total - costs[i] + more > budget, `${view}, ${budget}: plot ${i} could be finer`);
      }
    }
  }
});

test("what is loaded costs nothing; the coarsest tile stays when many others go", async () => {
  const { curve, loaded } = opened(cut(noise.concat(noise, noise), { dt: 1 }));
  const whole = { level: 0, first: 0, last: 0, held: "" }, finest = curve.signal.levels.length - 1;
  assert.equal(curve.cost(whole), 2);
  await curve.fetch(whole);
  assert.equal(curve.cost(whole), 0);
  for (let k = 0; k < 600; k++) await curve.fetch({ level: finest, first: k, last: k, held: "" });
  assert.equal(curve.cost({ level: finest, first: 599, last: 599, held: "" }), 0);
  assert.equal(curve.cost({ level: finest, first: 0, last: 0, held: "" }), 1); // long gone
  assert.equal(curve.cost(whole), 0);
  assert.equal(new Set(loaded).size, loaded.length);
});

test("a shot without traces has none, and the others are where they are", async () => {
  const one = cut([1, 2]);
  const { tiles } = load(["tiles"], { ishtar: dataOf({ "shots/00007/traces/index": one.index }) });
  assert.equal(await tiles.index(7), one.index);
  assert.equal(await tiles.index(8), null);
});
