// An axis of a plot: where values lie on it, and the round values that are written at it.
"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { load, random } = require("./scripts.js");

const { axis } = load(["numbers", "axis"]);
const of = (/** @type {object} */ kind = {}) => ({ label: "", isTime: false, isWhole: false, isLog: false, ...kind });
const bare = (/** @type {number[]} */ values) => values.map((at) => ({ at, sigma: null }));
const DAY = 86400e3;

test("values lie on a linear axis as they are apart, all of them within, with room at both ends", () => {
  const next = random(1);
  for (let k = 0; k < 300; k++) {
    const values = Array.from({ length: 2 + Math.floor(8 * next()) }, () => (next() - 0.5) * 10 ** (8 * next() - 4));
    const { part } = axis(of(), bare(values)), sorted = [...values].sort((a, b) => a - b);
    const [low, high] = [sorted[0], sorted[sorted.length - 1]];
    for (const v of values) {
      // 6 % of the length of the values at each end
      assert.ok(Math.abs(part(v) - (0.06 + (v - low) / (high - low)) / 1.12) < 1e-9);
    }
    assert.equal(part(low - (high - low)), 0);
    assert.equal(part(high + (high - low)), 1);
  }
});

test("error bars are within a linear axis", () => {
  const { part } = axis(of(), [{ at: 1, sigma: 3 }, { at: 5, sigma: 0.1 }]);
  assert.ok(part(-2) > 0 && part(5.1) < 1);
  assert.ok(Math.abs(part(-2) - (1 - part(5.1))) < 1e-12);
});

test("a logarithmic axis gives each factor of ten the same room", () => {
  const { part } = axis(of({ isLog: true }), bare([1e-3, 1, 1e6]));
  for (const decade of [1e-3, 1e-1, 1, 1e4]) assert.ok(Math.abs(part(10 * decade) - part(decade) - 1 / (9 * 1.12)) < 1e-9);
  assert.equal(part(0), 0);
  assert.equal(part(-5), 0);
});

test("a bar that reaches down to zero or below does not stretch a logarithmic axis", () => {
  const values = [{ at: 10, sigma: 11 }, { at: 1000, sigma: 1 }];
  const { part } = axis(of({ isLog: true }), values);
  assert.ok(part(10 / 3) > 0); // as far down as a factor of three
  assert.equal(part(1), 0);
});

test("one value alone is in the middle, and no value at all is no error", () => {
  for (const kind of [{}, { isLog: true }]) assert.ok(Math.abs(axis(of(kind), bare([42])).part(42) - 0.5) < 1e-9);
  assert.ok(Math.abs(axis(of(), bare([0])).part(0) - 0.5) < 1e-9);
  assert.ok(axis(of(), bare([42])).part(40) > 0 && axis(of(), bare([42])).part(37) === 0); // a tenth of it to each side
  assert.ok(axis(of(), []).ticks(5).length > 1);
});

test("ticks of a linear axis lie within it and say where they are", () => {
  const { part, ticks } = axis(of(), bare([-3, 17]));
  const found = ticks(6);
  assert.deepEqual(found.map((t) => t.text), ["0", "5", "10", "15"]);
  for (const t of found) assert.ok(part(t.at) > 0 && part(t.at) < 1);
  assert.deepEqual(axis(of(), bare([-0.4, 0.4])).ticks(4).map((t) => t.text), ["−0.25", "0.00", "0.25"]);
});

test("shots are whole: an axis of them has no halves, and says 7, not 7.0", () => {
  assert.deepEqual(axis(of({ isWhole: true }), bare([7, 9])).ticks(8).map((t) => t.text), ["7", "8", "9"]);
  for (const t of axis(of({ isWhole: true }), bare([1, 4])).ticks(12)) assert.equal(t.at, Math.round(t.at));
});

test("ticks of a logarithmic axis: decades, then 1 and 3, then 1, 2 and 5, then as on a linear one", () => {
  const texts = (/** @type {number[]} */ values, /** @type {number} */ most) => axis(of({ isLog: true }), bare(values)).ticks(most).map((t) => t.text);
  assert.deepEqual(texts([1, 1e4], 8), ["1", "10", "100", "1000", "10000"]);
  assert.deepEqual(texts([1e-6, 1e-2], 8), ["10⁻⁶", "10⁻⁵", "10⁻⁴", "0.001", "0.01"]);
  assert.deepEqual(texts([1, 40], 8), ["1", "3", "10", "30"]);
  assert.deepEqual(texts([1.5, 12], 8), ["2", "5", "10"]);
  assert.deepEqual(texts([2.2, 2.8], 4), ["2.2", "2.4", "2.6", "2.8"]);
  const far = axis(of({ isLog: true }), bare([1e-30, 1e30])).ticks(6);
  assert.ok(far.length <= 7 && far.length > 2);
  const powers = far.map((t) => Math.round(Math.log10(t.at)));
  for (let i = 1; i < powers.length; i++) assert.equal(powers[i] - powers[i - 1], powers[1] - powers[0]);
});

test("ticks of a time axis are at whole minutes, hours or days of the testbed's clock", () => {
  const at = (/** @type {string} */ text) => Date.parse(`${text}Z`);
  const ticks = (/** @type {string} */ from, /** @type {string} */ to, /** @type {number} */ most) => axis(of({ isTime: true }), bare([at(from), at(to)])).ticks(most);
  assert.deepEqual(ticks("2026-11-22T08:05", "2026-11-22T13:50", 8).map((t) => t.text), ["08:00", "09:00", "10:00", "11:00", "12:00", "13:00", "14:00"]);
  assert.deepEqual(ticks("2026-11-22T20:00", "2026-11-24T03:00", 8).map((t) => t.text), ["2026-11-23", "06:00", "12:00", "18:00", "2026-11-24"]);
  assert.deepEqual(ticks("2026-11-20T20:00", "2026-11-25T03:00", 6).map((t) => t.text), ["2026-11-21", "2026-11-22", "2026-11-23", "2026-11-24", "2026-11-25"]);
  const next = random(4);
  for (let k = 0; k < 300; k++) {
    const from = at("2026-01-01T00:00") + next() * 300 * DAY, length = 10 ** (5.3 + 6 * next());
    const found = axis(of({ isTime: true }), bare([from, from + length])).ticks(7);
    assert.ok(found.length > 1 && found.length < 20, `${length}: ${found.length}`);
    for (const t of found) {
      const iso = new Date(t.at).toISOString();
      assert.match(iso, /:00\.000Z$/);
      assert.ok(iso.startsWith(t.text) || iso.slice(11, 16) === t.text);
      if (t.text.length === 10) assert.match(iso, /T00:00/);
    }
    assert.equal(new Set(found.map((t) => t.at - found[0].at)).size, found.length);
  }
});
