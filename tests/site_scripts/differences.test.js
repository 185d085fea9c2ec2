// What differs between shots.
"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { load, random } = require("./scripts.js");

const { differences } = load(["numbers", "differences"]);
const scrap = (/** @type {any} */ value, /** @type {any} */ sigma = null, unit = "eV", name = "Te") => ({ name, value, sigma, unit });
const shot = (/** @type {object} */ given) => ({ shot: 1, date: "2026-11-22T10:00:00", attributes: {}, problems: [], reports: [], wiring: [], components: [], ...given });

test("results differ where they are more than their combined sigma apart", () => {
  const next = random(1);
  for (let k = 0; k < 500; k++) {
    const [a, b] = [10 + next(), 10 + next()], [sa, sb] = [0.3 * next() + 0.01, 0.3 * next() + 0.01];
    const got = differences.against(scrap(a, sa), scrap(b, sb)), sigmas = Math.abs(b - a) / Math.sqrt(sa ** 2 + sb ** 2);
    assert.equal(got.differs, sigmas > 1);
    const [, change, told] = /^([+−]?[\d.]+)\u00a0m?eV, ([\d.\u202f]+(?: ×\u00a010⁻\S+)?) σ$/.exec(got.by) || assert.fail(got.by);
    assert.equal(change.startsWith("+"), b > a);
    assert.equal(change.startsWith("−"), b < a && Number(change.replace("−", "")) !== 0);
    if (!told.includes("×")) assert.ok(Math.abs(Number(told) - sigmas) <= 0.051 * Math.max(sigmas, 0.01), `${got.by}: ${sigmas}`);
  }
});

test("a change has no more digits than its own uncertainty allows", () => {
  assert.equal(differences.against(scrap(4, 0.3), scrap(4.5, 0.4)).by, "+0.50\u00a0eV, 1 σ");
  assert.equal(differences.against(scrap(4, 0.3), scrap(2.5, 0.4)).by, "−1.50\u00a0eV, 3 σ");
});

test("without a sigma what is not equal differs; a sigma that is none counts for nothing", () => {
  assert.deepEqual(differences.against(scrap(4), scrap(4)), { by: "", differs: false });
  assert.deepEqual(differences.against(scrap(4), scrap(4.5)), { by: "+0.5\u00a0eV", differs: true });
  assert.deepEqual(differences.against(scrap(4, "inf"), scrap(4.5, 0.1)).differs, true);
  assert.deepEqual(differences.against(scrap(4, 0), scrap(4.5, 0)), { by: "+0.5\u00a0eV", differs: true });
});

test("what is not there, no number, or in another unit is no change of so much", () => {
  for (const [a, b, differs] of [
    [scrap(1), undefined, true], [undefined, undefined, false], [undefined, scrap(1), true], [scrap(null), scrap(1), true], [scrap(null), undefined, false],
    [scrap("H"), scrap("L"), true], [scrap("H"), scrap("H"), false], [scrap(true), scrap(false), true], [scrap("nan"), scrap(1), true], [scrap("nan"), scrap("nan"), false],
    [scrap("inf"), scrap("inf"), false],
  ]) {
    const got = differences.against(a, b);
    assert.equal(got.differs, differs, `${JSON.stringify(a)} ${JSON.stringify(b)}`);
    assert.equal(got.by, "");
  }
  assert.deepEqual(differences.against(scrap(1, 9, "V"), scrap(1, 9, "mV")), { by: "in another unit", differs: true });
});

test("attributes: the usual ones first, the time never marked, problems only where there are some", () => {
  const shots = [
    shot({ attributes: { zeta: 1, gas: "Ar", useful: true, alpha: "x", date: "no" } }),
    shot({ date: null, attributes: { gas: "He", useful: true, alpha: "x" }, problems: ["a", "b"] }),
  ];
  const rows = differences.attributes(shots);
  assert.deepEqual(rows.map((/** @type {any} */ r) => [r.name, ...r.cells.map((/** @type {any} */ c) => c.text), r.differs]), [
    ["date", "2026-11-22 10:00:00", "–", false], ["gas", "Ar", "He", true], ["useful", "yes", "yes", false],
    ["alpha", "x", "x", false], ["zeta", "1", "–", true], ["problems", "none", "a; b", true],
  ]);
  assert.ok(!differences.attributes([shot({}), shot({})]).some((/** @type {any} */ r) => r.name === "problems"));
});

const report = (/** @type {string} */ template, /** @type {any[]} */ scraps) => ({ template, title: template.toUpperCase(), state: "ok", html: "", figures: [], scraps });

test("results: key ones in the order of the keys, others by report; a name of two templates is told in full", () => {
  const shots = [
    shot({ reports: [report("a", [scrap(1, 0.1), scrap(5, 1, "", "n")]), report("b", [scrap(2, 0.1), scrap(7, 1, "V", "only")])] }),
    shot({ reports: [report("b", [scrap(2.01, 0.1)]), report("a", [scrap(3, 0.1), scrap(5, 1, "", "n")])] }),
  ];
  const { key, others } = differences.results(shots, ["b.Te", "a.n", "a.Te"]);
  assert.deepEqual(key.map((/** @type {any} */ r) => [r.id, r.name, r.differs]), [["b.Te", "b.Te", false], ["a.n", "n", false], ["a.Te", "a.Te", true]]);
  assert.deepEqual(others.map((/** @type {any} */ r) => [r.id, r.cells.map((/** @type {any} */ c) => c.text), r.differs]), [["b.only", ["7.0(10)\u00a0V", "–"], true]]);
  assert.equal(key[2].cells[0].by, "");
  assert.match(key[2].cells[1].by, /^\+2\.00\u00a0eV, 14 σ$/); // 2 / √0.02
});

test("results: label and sign as the index of the site says", () => {
  const known = new Map([["a.P", { label: "power", symbol: "P_x", signed: true }]]);
  const [row] = differences.results([shot({ reports: [report("a", [scrap(0.1, 0.2, "W", "P")])] })], [], known).others;
  assert.deepEqual([row.name, row.symbol, row.title], ["power", "P_x", "power (a.P)"]);
  assert.doesNotMatch(row.cells[0].text, /</);
});

const wired = (/** @type {object} */ given) => ({ signal: "Lang_I", channel: "PXI/I", device: "langmuir_1", calibration: "v2", calibrated: "abc", problem: "", ...given });

test("wiring: what differs, and how many signals are alike", () => {
  const with_ = (/** @type {object[]} */ ...each) => each.map((w) => shot({ wiring: [wired(w), wired({ signal: "Lang_U" })] }));
  const of = (/** @type {any[]} */ shots) => differences.wiring(shots).rows.map((/** @type {any} */ r) => r.name);
  assert.deepEqual(differences.wiring(with_({}, {})), { rows: [], same: 2 });
  assert.deepEqual(of(with_({}, { channel: "PXI/J", device: "langmuir_2" })), ["Lang_I, channel", "Lang_I, device"]);
  assert.equal(differences.wiring(with_({}, { channel: "PXI/J" })).same, 1);
  assert.deepEqual(of(with_({ problem: "" }, { problem: "unplugged" })), ["Lang_I, problem"]);
  const gone = differences.wiring([shot({ wiring: [wired({})] }), shot({})]);
  assert.equal(gone.rows[0].cells[1].text, "not wired");
});

test("a calibration differs where its numbers do: a new version with the same ones is no other", () => {
  const of = (/** @type {object} */ a, /** @type {object} */ b) => differences.wiring([shot({ wiring: [wired(a)] }), shot({ wiring: [wired(b)] })]).rows.map((/** @type {any} */ r) => r.name);
  assert.deepEqual(of({ calibration: "v2" }, { calibration: "v3" }), []);
  assert.deepEqual(of({}, { calibrated: "other" }), ["Lang_I, calibration"]);
  assert.deepEqual(of({ calibrated: "" }, { calibrated: "", calibration: "v3" }), ["Lang_I, calibration"]); // nobody says which numbers
  assert.deepEqual(of({ calibration: "", calibrated: "x" }, { calibration: "", calibrated: "y" }), []); // none at all
});

test("components: kinds and parameters that differ, and one that is not there once", () => {
  const tip = (/** @type {object} */ parameters, kind = "probe") => ({ name: "tip", kind, parameters });
  const of = (/** @type {any[]} */ ...components) => differences.components(components.map((c) => shot({ components: c })));
  assert.deepEqual(of([tip({ r: "1 mm" })], [tip({ r: "1 mm" })]), { rows: [], same: 1 });
  assert.deepEqual(of([tip({ r: "1 mm" })], [tip({ r: "2 mm", l: "3" })]).rows.map((/** @type {any} */ r) => [r.name, r.cells.map((/** @type {any} */ c) => c.text)]), [
    ["tip, r", ["1 mm", "2 mm"]], ["tip, l", ["–", "3"]],
  ]);
  assert.deepEqual(of([tip({ r: "1" })], []).rows.map((/** @type {any} */ r) => r.cells.map((/** @type {any} */ c) => c.text)), [["probe", "not there"]]);
});

test("the same report of all shots, by template", () => {
  const [a, b, c] = [report("a", []), report("b", []), report("a", [])];
  assert.deepEqual(differences.reports([shot({ reports: [a] }), shot({ reports: [b, c] })]), [
    { template: "a", title: "A", reports: [a, c] }, { template: "b", title: "B", reports: [undefined, b] },
  ]);
});
