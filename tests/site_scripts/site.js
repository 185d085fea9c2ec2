// A small site as its data files say it: five shots in three parts, two templates.
"use strict";

const result = (/** @type {string} */ template, /** @type {string} */ name, /** @type {string} */ unit, /** @type {object} */ more = {}) => ({
  template, name, unit, key: true, label: "", symbol: "", place: null, rank: 0, signed: null, ...more,
});

const SITE = {
  "data/index": {
    facility: "Lab", shots: "998-1001,2005", days: [], shard: 1000, shards: [0, 1, 2],
    templates: [{ name: "a", title: "Alpha", scope: "shot", slug: "a~1" }, { name: "b", title: "Beta", scope: "shot" }, { name: "d", title: "Day", scope: "day" }],
    scraps: [
      result("b", "Te", "eV", { key: false }), result("a", "note", "", { key: false }), result("a", "Te", "eV", { rank: 1, symbol: "T_e", label: "electron temperature" }),
      result("a", "ne", "m^-3", { symbol: "n_{e,max}" }), result("b", "P", "W", { place: 0, label: "power" }),
    ],
    signals: [], attributes: ["gas", "useful"], parquet: null,
  },
  "data/shots/0000": {
    shot: [998, 999], date: ["2026-11-20T10:00:00", "2026-11-20T11:00:00"], gas: ["Ar", "Ar"], program: ["ramp 9", "ramp 10"], operator: ["", null],
    comment: ["=1+1", "said \"so\", twice"], problems: [[], ["a gap"]], attributes: { useful: [true, false] }, scraps: ["a", "b"], states: { a: ["ok", "failed"], b: ["ok", "skipped"] },
  },
  "data/shots/0001": {
    shot: [1000, 1001], date: ["2026-11-21T10:00:00", null], gas: ["He", null], program: [null, null], operator: [null, null], comment: [null, null], problems: [[], []],
    scraps: ["a"], states: { a: ["ok", "ok"] },
  },
  "data/shots/0002": { shot: [2005], date: ["2026-11-22T10:00:00"], gas: ["Ar"], states: { a: ["ok"], b: ["timeout"] }, scraps: [] },
  "data/scraps/a~1/0000": {
    shot: [998, 999], columns: { Te: { unit: "eV", value: [3, "nan"], sigma: [0.1, null] }, ne: { unit: "m^-3", value: [2e17, 1e17], sigma: [1e15, 1e15] }, note: { unit: "", value: ["fine", null], sigma: null } },
  },
  "data/scraps/a~1/0001": {
    shot: [1000, 1001], columns: { Te: { unit: "eV", value: [5, null], sigma: ["inf", null] }, ne: { unit: "m^-3", value: [3e17, null], sigma: null } },
  },
  "data/scraps/b/0000": { shot: [998, 999], columns: { P: { unit: "W", value: [4700, 1], sigma: [100, 2] }, Te: { unit: "eV", value: [4, 4], sigma: null } } },
};
module.exports = { SITE, result };
