// Times on an axis and in words, and how a view of them moves.
"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { load, random } = require("./scripts.js");

const { along, view } = load(["times"]);
const time = along("s"), frequency = along("Hz"), counted = along("");
const WORTH = { s: 1, ms: 1e-3, µs: 1e-6, ns: 1e-9, GHz: 1e9, MHz: 1e6, kHz: 1e3, Hz: 1 };

/** What `1.5 ms` says. @param {string} text */
const read = (text) => {
  const [, number, unit] = /^(−?[\d.]+)\u00a0(.+)$/.exec(text) || assert.fail(text);
  return Number(number.replace("−", "-")) * WORTH[unit];
};

test("a time reads as what it was, and two that are a step apart read differently", () => {
  const next = random(1);
  for (const [axis, least, span] of [[time, -8, 10], [frequency, 0, 10]]) {
    for (let k = 0; k < 1000; k++) {
      const value = (next() - 0.5) * 10 ** (least + span * next()), step = Math.abs(value) * 10 ** (-6 * next());
      const text = axis.text(value, step);
      assert.ok(Math.abs(read(text) - value) <= 0.5001 * step, `${value}, ${step}: ${text}`);
      assert.notEqual(axis.text(value + 1.001 * step, step), text);
    }
  }
});

test("times by hand", () => {
  assert.equal(time.text(0.0015, 1e-6), "1.500\u00a0ms");
  assert.equal(time.text(-2e-6, 1e-8), "−2.00\u00a0µs");
  assert.equal(time.text(0, 1e-3), "0\u00a0ms");
  assert.equal(time.text(-1e-9, 1e-3), "0\u00a0ms"); // no “−0”
  assert.equal(time.range([0.5, 0.7]), "500.0 to 700.0\u00a0ms");
  assert.equal(time.range([0, 5.5]), "0.000 to 5.500\u00a0s");
  assert.equal(time.length(2.5e-5), "25\u00a0µs");
  assert.equal(frequency.text(13.56e6, 1e4), "13.56\u00a0MHz");
  assert.equal(frequency.range([0, 2e9]), "0.000 to 2.000\u00a0GHz");
  assert.deepEqual([time.name, frequency.name, counted.name, along("m").name, along("kHz").name], ["Time", "Frequency", "Sample", "Place", "Frequency"]);
  assert.equal(along("m").text(1.25, 0.01), "1.25\u00a0m");
});

test("samples that are only counted have no parts and no unit", () => {
  assert.equal(counted.text(1234, 0.3), "sample\u00a01234");
  assert.equal(counted.range([0, 107]), "sample\u00a00 to 107");
  assert.equal(counted.length(107.4), "107 samples");
  assert.equal(counted.unit([0, 100]).label, "Sample");
});

test("the axis is in the unit in which the view is one or more, and what far labels share is in its name", () => {
  assert.deepEqual(time.unit([0, 2]), { name: "s", scale: 1, offset: 0, label: "Time [s]" });
  assert.deepEqual(time.unit([0.1, 0.102]), { name: "ms", scale: 1e3, offset: 0, label: "Time [ms]" });
  const far = time.unit([1.23456, 1.23458]); // 20 µs, 60 thousand times as far from zero
  assert.equal(far.name, "µs");
  assert.equal(far.label, "Time since 1.2345\u00a0s [µs]");
  assert.ok(Math.abs(far.offset - 1.2345) < 1e-12);
  const next = random(2);
  for (let k = 0; k < 500; k++) {
    const length = 10 ** (-7 + 7 * next()), from = (next() - 0.5) * 10;
    const unit = time.unit([from, from + length]);
    const shown = [from, from + length].map((t) => (t - unit.offset) * unit.scale);
    assert.ok(Math.max(...shown.map(Math.abs)) < 2.1e5, JSON.stringify(unit)); // few enough digits for a label
    assert.ok(length * unit.scale >= 0.999 && length * unit.scale < 1000.1 || unit.name === "s", JSON.stringify(unit));
  }
});

test("zooming holds the place under the cursor, and stays within the whole and above the least", () => {
  const next = random(3), whole = [-1, 4];
  for (let k = 0; k < 1000; k++) {
    const start = -1 + 4 * next(), before = [start, start + (4 - start) * (0.01 + 0.99 * next())];
    const at = before[0] + (before[1] - before[0]) * next(), factor = 2 ** (4 * next() - 2), least = 0.05;
    const after = view.zoom(before, at, factor, whole, least), length = after[1] - after[0];
    assert.ok(after[0] >= whole[0] - 1e-12 && after[1] <= whole[1] + 1e-12);
    const wanted = Math.min(5, Math.max(least, (before[1] - before[0]) * factor));
    assert.ok(Math.abs(length - wanted) < 1e-12);
    const share = (at - after[0]) / length, was = (at - before[0]) / (before[1] - before[0]);
    if (after[0] > whole[0] + 1e-9 && after[1] < whole[1] - 1e-9) assert.ok(Math.abs(share - was) < 1e-9); // held unless an end is in the way
    assert.ok(share > -1e-9 && share < 1 + 1e-9);
  }
});

test("panning keeps the length and stops at the ends", () => {
  assert.deepEqual(view.pan([1, 2], 0.5, [0, 4]), [1.5, 2.5]);
  assert.deepEqual(view.pan([1, 2], 9, [0, 4]), [3, 4]);
  assert.deepEqual(view.pan([1, 2], -9, [0, 4]), [0, 1]);
});
