// What curves are at a time, and how that is written.
"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { load, random } = require("./scripts.js");

const { readings, along } = load(["times", "readings"]);

/** Points of given times and values, low and high. @param {number[]} times one more than values @param {[number, number][]} values */
const piece = (times, values, stride = 1, step = 1e-3) => ({
  stride, n: values.length, step: () => step,
  time: (/** @type {number} */ i) => times[i], low: (/** @type {number} */ i) => values[i][0], high: (/** @type {number} */ i) => values[i][1],
});
const single = (/** @type {number[]} */ times, /** @type {number[]} */ values) => piece(times, values.map((v) => [v, v]));
const at = (/** @type {any[]} */ pieces, /** @type {number} */ t) => readings.at(pieces, t)?.low ?? null;

test("single samples: the nearest one, over all pieces, by trying all of them", () => {
  const next = random(1);
  for (let k = 0; k < 200; k++) {
    const times = [next()];
    for (let i = 0; i < 40; i++) times.push(times[i] + 0.05 + next());
    const cuts = [0, 10 + Math.floor(5 * next()), 25, 40];
    const pieces = cuts.slice(1).map((end, j) => single(times.slice(cuts[j], end + 1), times.slice(cuts[j], end).map((_, i) => cuts[j] + i)));
    for (let i = 0; i < 20; i++) {
      const t = times[0] + next() * (times[39] - times[0]);
      const distances = times.slice(0, 40).map((x) => Math.abs(x - t));
      const got = at(pieces, t);
      // beside the end of a piece its own last sample may stand for the first of the next
      const best = Math.min(...distances);
      assert.ok(got !== null && (distances[got] === best || cuts.includes(got + 1)), `${t}: ${got}`);
    }
  }
});

test("outside of the record there is a sample for as long as one lasts, then none", () => {
  const pieces = [single([0, 1, 2, 3], [10, 11, 12])];
  assert.deepEqual([-1.01, -0.9, 0.4, 0.6, 2.9, 3.1].map((t) => at(pieces, t)), [null, 10, 10, 11, 12, null]);
});

test("stretches: the one around a time, with its least and greatest", () => {
  const pieces = [piece([0, 4, 8], [[1, 2], [3, 4]], 64), piece([8, 12, 16], [[5, 6], [7, 8]], 64)];
  assert.deepEqual(readings.at(pieces, 5), { low: 3, high: 4, step: 1e-3, stride: 64 });
  assert.deepEqual([0, 3.9, 4, 8, 11, 16].map((t) => at(pieces, t)), [1, 1, 3, 3, 5, 7]);
  assert.deepEqual([-0.1, 16.1].map((t) => at(pieces, t)), [null, null]);
  assert.equal(readings.at([], 1), null);
});

test("a point without a value has none", () => {
  assert.equal(readings.at([single([0, 1, 2], [NaN, 5])], 0), null);
  assert.equal(at([single([0, 1, 2], [NaN, 5])], 1), 5);
});

test("the next point: by as many as asked for, across pieces, ending at the ends", () => {
  const singles = [single([0, 1, 2], [0, 1]), single([2, 3, 4, 5], [2, 3, 4])];
  for (const [from, by, to] of [[0, 1, 1], [1, 1, 2], [0, 3, 3], [4, -3, 1], [1, -9, 0], [2, 9, 4], [3.4, 1, 4], [1, 0, 1]]) {
    assert.equal(readings.next(singles, from, by), to, `${from} by ${by}`);
  }
  const wide = [piece([0, 4, 8], [[1, 2], [3, 4]], 64), piece([8, 12, 16], [[5, 6], [7, 8]], 64)];
  assert.equal(readings.next(wide, 1, 2), 10); // the middle of a stretch
  assert.equal(readings.next([], 1, 1), null);
});

test("a reading is written with the digits that it was kept with", () => {
  for (const [low, high, step, stride, text] of [
    [12.3149, 12.3149, 0.001, 1, "12.315"], [0.012, 0.512, 0.01, 8, "0.01 … 0.51"], [-0.5, 2, 0.1, 8, "−0.5 … 2.0"],
    [-0.00028, 0.03422, 1e-5, 8, "−0.00028 … 0.03422"], [1.5e-7, 1.5e-7, 1e-10, 1, "1.500 × 10⁻⁷"], [-2e8, 3e8, 1e6, 8, "(−2.00 … 3.00) × 10⁸"],
    [-1e-9, 1, 0.1, 8, "0.0 … 1.0"], [0, 0, 0, 1, "0"], [7, 7, 0, 1, "7.0000"],
  ]) assert.equal(readings.text({ low, high, step, stride }), text);
  const next = random(2);
  for (let k = 0; k < 1000; k++) {
    const value = (next() - 0.5) * 10 ** (20 * next() - 10), step = Math.abs(value) * 10 ** (-1 - 3 * next());
    const [, mantissa, power = "0"] = /^(−?[\d.]+)(?: × 10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?$/.exec(readings.text({ low: value, high: value, step, stride: 1 })) || assert.fail();
    const raised = Number([...power].map((c) => c === "⁻" ? "-" : "⁰¹²³⁴⁵⁶⁷⁸⁹".includes(c) ? "⁰¹²³⁴⁵⁶⁷⁸⁹".indexOf(c) : c).join(""));
    assert.ok(Math.abs(Number(mantissa.replace("−", "-")) * 10 ** raised - value) <= 0.5001 * step);
  }
});

test("what a point stands for, in words", () => {
  assert.equal(readings.level(0, 1e-6, along("s")), "loading");
  assert.equal(readings.level(1, 2.5e-5, along("s")), "single samples, 25\u00a0µs apart");
  assert.equal(readings.level(64, 2.5e-5, along("s")), "each point is 64 samples (1.6\u00a0ms), minimum and maximum");
  assert.equal(readings.level(1, 0, along("s")), "single samples"); // irregular
  assert.equal(readings.level(16, 1, along("")), "each point is 16 samples, minimum and maximum");
});
