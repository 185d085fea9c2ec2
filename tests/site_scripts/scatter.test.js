// The scatter plot: where points are drawn, and how they are found.
"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { load, random } = require("./scripts.js");
const { makePage } = require("./fake_page.js");

const linear = { label: "x", isTime: false, isWhole: false, isLog: false };
const next = random(1);
const some = Array.from({ length: 40 }, (_, i) => ({ i: 100 + i, x: next() * 8, y: next() * 3 - 1, sx: null, sy: i % 2 ? 0.2 : null, colour: "", shape: "circle" }));

const drawn = (/** @type {any[]} */ points, /** @type {object} */ more = {}) => {
  const page = makePage(), box = page.add("div");
  box.clientWidth = 600;
  const ishtar = load(["dom", "numbers", "axis", "scatter"], page.globals);
  /** @type {number[]} */
  const opened = [];
  const show = ishtar.scatter(box);
  show({ points, x: linear, y: { ...linear, label: "y" }, about: "y against x", read: (/** @type {number} */ i) => `read ${i}`, open: (/** @type {number} */ i) => opened.push(i), ...more });
  const canvas = box.querySelector("canvas"), done = canvas.getContext().done;
  const marks = done.filter((/** @type {any[]} */ d) => d[0] === "arc").map((/** @type {any[]} */ d) => [d[1], d[2]]);
  return { page, box, show, canvas, done, marks, opened, reading: () => box.querySelector("output").textContent };
};

test("points lie on straight axes: differences on the paper are differences of the values", () => {
  const { marks } = drawn(some);
  assert.equal(marks.length, some.length);
  const perX = (marks[1][0] - marks[0][0]) / (some[1].x - some[0].x), perY = (marks[1][1] - marks[0][1]) / (some[1].y - some[0].y);
  assert.ok(perX > 0 && perY < 0); // up is more
  for (const [k, p] of some.entries()) {
    assert.ok(Math.abs(marks[k][0] - marks[0][0] - perX * (p.x - some[0].x)) < 1e-6);
    assert.ok(Math.abs(marks[k][1] - marks[0][1] - perY * (p.y - some[0].y)) < 1e-6);
    assert.ok(marks[k][0] > 0 && marks[k][0] < 600 && marks[k][1] > 0 && marks[k][1] < 380);
  }
});

test("bars are one sigma up and down, and there are none without", () => {
  const { done, marks } = drawn(some);
  const perY = (marks[1][1] - marks[0][1]) / (some[1].y - some[0].y);
  const moves = done.filter((/** @type {any[]} */ d) => d[0] === "moveTo"), lines = done.filter((/** @type {any[]} */ d) => d[0] === "lineTo");
  assert.equal(moves.length, 20);
  for (const [n, k] of Array.from({ length: 20 }, (_, n) => [n, 2 * n + 1])) {
    for (const [end, sign] of [[moves[n], -1], [lines[n], 1]]) {
      assert.ok(Math.abs(end[1] - marks[k][0]) < 1e-6);
      assert.ok(Math.abs(end[2] - marks[k][1] - sign * 0.2 * perY) < 1e-6);
    }
  }
});

test("bars of the horizontal axis lie level", () => {
  const { done, marks } = drawn(some.slice(0, 2).map((p) => ({ ...p, sx: 0.3, sy: null })));
  const perX = (marks[1][0] - marks[0][0]) / (some[1].x - some[0].x);
  const ends = ["moveTo", "lineTo"].map((what) => done.filter((/** @type {any[]} */ d) => d[0] === what));
  for (const k of [0, 1]) {
    for (const [n, sign] of [[0, -1], [1, 1]]) {
      assert.ok(Math.abs(ends[n][k][1] - marks[k][0] - sign * 0.3 * perX) < 1e-6);
      assert.equal(ends[n][k][2], marks[k][1]);
    }
  }
});

test("labels stand where their values are", () => {
  const { box, marks } = drawn([{ ...some[0], x: 2, y: 1 }, { ...some[1], x: 6, y: 1, sy: null }]);
  const label = box.querySelectorAll("text").find((/** @type {any} */ t) => t.textContent === "4" && t.getAttribute("text-anchor") === "middle");
  assert.ok(Math.abs(Number(label.getAttribute("x")) - (marks[0][0] + marks[1][0]) / 2) < 1e-6);
});

test("the point that is read is the nearest to the pointer, within reach", () => {
  const { canvas, marks, reading } = drawn(some);
  for (let k = 0; k < 500; k++) {
    const x = 600 * next(), y = 380 * next();
    canvas.happen("pointermove", { clientX: x, clientY: y });
    const distances = marks.map((/** @type {number[]} */ m) => Math.hypot(m[0] - x, m[1] - y)), least = Math.min(...distances);
    if (least < 24) assert.equal(reading(), `read ${some[distances.indexOf(least)].i}`);
    else assert.match(reading(), /^Point at a shot/);
  }
});

test("arrow keys go through the points from left to right, around the ends; Enter opens", () => {
  const { canvas, reading, opened } = drawn(some);
  const order = [...some].sort((a, b) => a.x - b.x).map((p) => `read ${p.i}`);
  const seen = [];
  for (let k = 0; k <= some.length; k++) {
    assert.equal(canvas.happen("keydown", { key: "ArrowRight" }).defaultPrevented, true);
    seen.push(reading());
  }
  assert.deepEqual(seen, [...order, order[0]]);
  canvas.happen("keydown", { key: "ArrowLeft" });
  assert.equal(reading(), order[order.length - 1]);
  canvas.happen("keydown", { key: "Enter" });
  assert.deepEqual(opened.map((i) => `read ${i}`), [order[order.length - 1]]);
  assert.equal(canvas.happen("keydown", { key: "a" }).defaultPrevented, false);
});

test("a click opens a point; a finger's first touch reads, its second opens", () => {
  const { canvas, marks, opened, reading } = drawn(some);
  const at = { clientX: marks[5][0], clientY: marks[5][1] };
  canvas.happen("click", at);
  assert.deepEqual(opened, [105]);
  const other = { clientX: marks[9][0], clientY: marks[9][1] };
  canvas.happen("pointerdown", { pointerType: "touch" });
  canvas.happen("click", other);
  assert.deepEqual([opened, reading()], [[105], "read 109"]);
  canvas.happen("click", other);
  assert.deepEqual(opened, [105, 109]);
});

test("no points is an empty plot", () => {
  const { show, reading, canvas } = drawn([]);
  assert.equal(reading(), "");
  canvas.happen("keydown", { key: "ArrowRight" });
  show(null);
  assert.equal(reading(), "");
});
