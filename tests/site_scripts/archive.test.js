// The shots of the site as columns, and the data files that they come from.
"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { dataOf, load } = require("./scripts.js");
const { SITE } = require("./site.js");

const open = async (files = SITE) => {
  const data = dataOf(files);
  const ishtar = load(["numbers", "archive"], { ishtar: data });
  return { archive: await ishtar.archive.open(), ishtar, loaded: data.loaded };
};
const column = (/** @type {any} */ archive, /** @type {string} */ id) => archive.shots.map((_, /** @type {number} */ i) => archive.value(id, i));

test("spans of numbers", async () => {
  const { ishtar } = await open();
  assert.deepEqual(ishtar.archive.numbersOf("7,1-3"), [1, 2, 3, 7]);
  assert.deepEqual(ishtar.archive.numbersOf("999-1001"), [999, 1000, 1001]);
  assert.deepEqual(ishtar.archive.numbersOf(""), []);
});

test("addresses of shots and reports follow the server's rule", async () => {
  const { ishtar } = await open();
  assert.equal(ishtar.archive.folder(7), "shots/00007");
  assert.equal(ishtar.archive.folder(20260042), "shots/20260042");
  for (const [template, file] of [["langmuir", "langmuir"], ["index", "index_"], ["reruns", "reruns_"], ["a.b-c", "a.b-c"]]) {
    assert.equal(ishtar.archive.reportPage(7, template), `shots/00007/${file}.html`, template);
  }
});

test("nothing but the index is read until it is asked for, and each file once", async () => {
  const { archive, loaded } = await open();
  assert.deepEqual(loaded, ["data/index"]);
  assert.deepEqual([archive.shots, archive.parts], [[998, 999, 1000, 1001, 2005], [2, 1, 0]]);
  assert.deepEqual(archive.shots.map((_, /** @type {number} */ i) => archive.part(i)), [0, 0, 1, 1, 2]);
  assert.equal(archive.has(1, []), false);
  await archive.load([1], ["a"]);
  await archive.load([1], ["a"]);
  assert.deepEqual(loaded, ["data/index", "data/shots/0001", "data/scraps/a~1/0001"]);
  assert.equal(archive.has(1, ["a"]), true);
  assert.equal(archive.has(1, ["a", "b"]), false);
  assert.deepEqual(column(archive, "gas"), [null, null, "He", null, null]);
});

test("values, sigmas, attributes and states stand at their shots", async () => {
  const { archive } = await open();
  await archive.load(archive.parts, ["a", "b"]);
  assert.deepEqual(column(archive, "shot"), [998, 999, 1000, 1001, 2005]);
  assert.deepEqual(column(archive, "gas"), ["Ar", "Ar", "He", null, "Ar"]);
  assert.deepEqual(column(archive, "a.Te"), [3, NaN, 5, null, null]);
  assert.deepEqual(archive.shots.map((_, /** @type {number} */ i) => archive.sigma("a.Te", i)), [0.1, null, null, null, null]); // no sigma, one that is infinite
  assert.deepEqual(column(archive, "attribute useful"), [true, false, null, null, null]);
  assert.deepEqual(column(archive, "a state"), ["ok", "failed", "ok", "ok", "ok"]);
  assert.deepEqual(column(archive, "no such"), [null, null, null, null, null]);
});

test("a value in another unit than its column's is none of the column", async () => {
  const part = SITE["data/scraps/a~1/0001"];
  const { archive } = await open({ ...SITE, "data/scraps/a~1/0001": { ...part, columns: { Te: { ...part.columns.Te, unit: "keV" } } } });
  await archive.load([0, 1], ["a"]);
  assert.deepEqual(column(archive, "a.Te"), [3, NaN, null, null, null]);
  const stored = archive.columns.get("a.Te");
  assert.deepEqual([...stored.units], [[2, "keV"]]); // not of the shot that has no value
  assert.equal(stored.values[2], 5);
});

test("results of a template that a part has none of are not asked for", async () => {
  const { archive, loaded } = await open();
  await archive.load(archive.parts, ["b"]);
  assert.deepEqual(loaded.filter((n) => n.startsWith("data/scraps")), ["data/scraps/b/0000"]);
  assert.ok(archive.parts.every((/** @type {number} */ part) => archive.has(part, ["b"])));
});

test("progress counts parts that were missing", async () => {
  const { archive } = await open();
  await archive.load([2], []);
  /** @type {number[][]} */
  const told = [];
  await archive.load(archive.parts, [], (/** @type {number} */ done, /** @type {number} */ of) => told.push([done, of]));
  assert.deepEqual(told, [[1, 2], [2, 2]]);
});

test("a part that is missing is told, and can be had when it is there", async () => {
  const { "data/shots/0001": gone, ...others } = SITE;
  const files = { ...others };
  const { archive } = await open(files);
  await assert.rejects(archive.load(archive.parts, []), /data\/shots\/0001\.js is missing/);
  files["data/shots/0001"] = gone;
  await archive.load(archive.parts, []);
  assert.equal(archive.has(1, []), true);
});

test("results stand by their places, then as reports do, key ones first, by rank", async () => {
  const { archive } = await open();
  assert.deepEqual(archive.scraps.map((/** @type {any} */ s) => s.id), ["b.P", "a.ne", "a.Te", "a.note", "b.Te"]);
});
