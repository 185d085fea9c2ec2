// The cases of tests/query_cases.json in the site's scripts, which tests/test_query_cases.py holds the library to.
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");
const vm = require("node:vm");

const ROOT = path.join(__dirname, "..", "..");
const CASES = JSON.parse(fs.readFileSync(path.join(ROOT, "tests", "query_cases.json"), "utf8"));

/** The data files of a site with the shots of the cases. */
const dataOf = () => {
  const shots = Object.entries(CASES.shots).map(([shot, data]) => ({ shot: Number(shot), attributes: {}, scraps: {}, states: {}, problems: [], ...data }));
  const numbers = shots.map((s) => s.shot);
  const columns = (part, name) => part.map((s) => s.attributes[name] ?? null);
  const others = [...new Set(shots.flatMap((s) => Object.keys(s.attributes)))].filter((name) => name !== "date");
  const data = {
    "data/index": {
      facility: "f", shots: numbers.join(","), days: [], shard: 200, shards: [0, 6], devices: {}, signals: [], attributes: others,
      templates: CASES.templates.map((t) => ({ ...t, scope: "shot", slug: t.name })),
      scraps: CASES.results.map((r) => ({ ...r, key: false, slug: r.template, place: null, rank: 0, signed: null })),
    },
  };
  for (const number of [0, 6]) {
    const part = shots.filter((s) => Math.floor(s.shot / 200) === number), file = String(number).padStart(4, "0");
    const base = ["date", "gas", "program", "operator", "comment"];
    const templates = CASES.templates.map((t) => t.name).filter((t) => part.some((s) => s.scraps[t]));
    data[`data/shots/${file}`] = {
      shot: part.map((s) => s.shot), scraps: templates, problems: part.map((s) => s.problems),
      ...Object.fromEntries(base.map((name) => [name, columns(part, name)])),
      attributes: Object.fromEntries(others.filter((name) => !base.includes(name)).map((name) => [name, columns(part, name)])),
      states: Object.fromEntries(CASES.templates.map((t) => [t.name, part.map((s) => s.states[t.name] ?? null)])),
    };
    for (const template of templates) {
      const of = part.filter((s) => s.scraps[template]);
      const results = CASES.results.filter((r) => r.template === template && of.some((s) => r.name in s.scraps[template]));
      data[`data/scraps/${template}/${file}`] = {
        shot: of.map((s) => s.shot),
        columns: Object.fromEntries(results.map((r) => [r.name, {
          unit: r.unit, value: of.map((s) => s.scraps[template][r.name]?.[0] ?? null), sigma: of.map((s) => s.scraps[template][r.name]?.[1] ?? null),
        }])),
      };
    }
  }
  return data;
};

/** The scripts in a window without a page, and the archive of the cases, all of it loaded. */
const opened = async () => {
  const data = dataOf(), window = { ishtar: { load: async (name) => data[name], unload: () => {} } };
  const context = vm.createContext({ window, Intl });
  for (const name of ["numbers", "archive", "query", "filter"]) {
    vm.runInContext(fs.readFileSync(path.join(ROOT, "site", "theme", "assets", `${name}.js`), "utf8"), context, { filename: `${name}.js` });
  }
  const archive = await window.ishtar.archive.open();
  await archive.load(archive.parts, CASES.templates.map((t) => t.name));
  return { archive, filter: window.ishtar.filter };
};

const found = ({ archive, filter }, text) => {
  const of = filter.of(text, archive);
  assert.equal(of.problem, "");
  assert.equal(of.check()?.problem, undefined);
  return Array.from(archive.shots).filter((_, i) => of.test(i) === true);
};

test("every text of the table has its shots", async (t) => {
  const site = await opened();
  for (const [text, shots] of CASES.find) await t.test(text, () => assert.deepEqual(found(site, text), shots));
});

test("every mistake of the table is told at its place", async (t) => {
  const { archive, filter } = await opened();
  for (const [text, at, says] of CASES.mistakes) {
    if (!text.trim()) continue; // an empty field is no filter
    await t.test(text, () => {
      const of = filter.of(text, archive), told = of.problem ? of : of.check();
      assert.ok(told, "it is no mistake here");
      assert.ok(told.problem.includes(says), told.problem);
      if (at !== null) assert.equal(told.at, at);
    });
  }
});

test("a filter of older pages finds what it found", async (t) => {
  const site = await opened();
  for (const [older, text, shots] of CASES.old) {
    await t.test(older, () => {
      assert.equal(site.filter.upgraded(older, site.archive), text);
      assert.deepEqual(found(site, text), shots);
    });
  }
});

test("nothing that can be typed breaks it", async () => {
  const { archive, filter } = await opened();
  const words = "gas Te date useful level and or not in is None True ( ) [ ] , .. == = != < > + - * / 'Ar' 3 1e5 2026-11-22 `x missing( Te.sigma langmuir. é \0 % ; ~ ≥ none latest eV".split(" ");
  let seed = 7;
  const next = (most) => { seed = (seed * 1103515245 + 12345) % 2147483648; return seed % most; };
  for (let n = 0; n < 3000; n++) {
    const text = Array.from({ length: next(12) }, () => words[next(words.length)]).join(" ");
    const of = filter.of(text, archive);
    if (!of.problem) assert.ok(archive.shots.every((_, i) => [true, false, null].includes(of.test(i))), text);
  }
  for (const text of ["(".repeat(5000), "not ".repeat(5000), "Te + ".repeat(900), `${"- ".repeat(1000)}Te`, "a;".repeat(900), "x".repeat(30_000)]) {
    assert.ok(filter.of(text, archive).problem, text.slice(0, 20));
  }
});
