// The columns of the table of shots: what is in a cell, how they sort, and what CSV says.
"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { dataOf, load } = require("./scripts.js");
const { SITE, result } = require("./site.js");

const loaded = async (files = SITE) => {
  const ishtar = load(["numbers", "archive", "columns"], { ishtar: dataOf(files) });
  const archive = await ishtar.archive.open();
  await archive.load(archive.parts, ["a", "b"]);
  return { archive, columns: ishtar.columns, byId: new Map(ishtar.columns.all(archive).map((/** @type {any} */ c) => [c.id, c])) };
};
const rows = [0, 1, 2, 3, 4];
const shotsBy = async (/** @type {string} */ id, /** @type {boolean} */ down) => {
  const { archive, columns } = await loaded();
  return [...rows].sort(columns.order(archive, id, down)).map((i) => archive.shots[i]);
};

test("sorting by a result: by size either way; without a value last either way, the newest first", async () => {
  assert.deepEqual(await shotsBy("a.Te", false), [998, 1000, 2005, 1001, 999]); // 3, 5, none, none, NaN
  assert.deepEqual(await shotsBy("a.Te", true), [1000, 998, 2005, 1001, 999]);
  for (const down of [false, true]) assert.deepEqual((await shotsBy("b.Te", down)).slice(0, 2), [999, 998]); // both 4
  assert.deepEqual(await shotsBy("shot", true), [2005, 1001, 1000, 999, 998]);
  assert.deepEqual(await shotsBy("shot", false), [998, 999, 1000, 1001, 2005]);
});

test("sorting by a text: numbers in it count as numbers, equals come newest first", async () => {
  assert.deepEqual(await shotsBy("program", false), [998, 999, 2005, 1001, 1000]); // ramp 9, ramp 10
  assert.deepEqual(await shotsBy("program", true), [999, 998, 2005, 1001, 1000]);
  assert.deepEqual(await shotsBy("gas", false), [2005, 999, 998, 1000, 1001]);
  assert.deepEqual(await shotsBy("date", true), [2005, 1000, 999, 998, 1001]);
});

test("numbers come before texts in one column, and yes counts as one", async () => {
  const part = SITE["data/scraps/a~1/0000"];
  const { archive, columns } = await loaded({ ...SITE, "data/scraps/a~1/0000": { ...part, columns: { ...part.columns, Te: { unit: "eV", value: [true, "low"], sigma: null } } } });
  for (const down of [false, true]) {
    const found = [...rows].sort(columns.order(archive, "a.Te", down)).map((i) => archive.value("a.Te", i));
    assert.deepEqual(found, down ? [5, true, "low", null, null] : [true, 5, "low", null, null]);
  }
});

test("all columns, results first; a short name that two results have is told in full", async () => {
  const { byId } = await loaded();
  assert.deepEqual([...byId.values()].map((c) => [c.id, c.title]), [
    ["shot", "Shot"], ["b.P", "power"], ["a.ne", "n_e,max"], ["a.Te", "T_e"], ["a.note", "note"], ["b.Te", "Te"],
    ["reports", "Reports"], ["date", "Time"], ["gas", "Gas"], ["program", "Program"], ["operator", "Operator"], ["comment", "Comment"],
  ]);
  const twice = [result("a", "x", "", { symbol: "T_e" }), result("b", "y", "", { symbol: "T_e" })];
  const other = await loaded({ ...SITE, "data/index": { ...SITE["data/index"], scraps: twice } });
  assert.deepEqual(twice.map((s) => [other.byId.get(`${s.template}.${s.name}`).title, other.byId.get(`${s.template}.${s.name}`).symbol]), [["a.x", ""], ["b.y", ""]]);
});

test("without a choice: eight key results at most, those with a place first, then each report's best in turn", async () => {
  const { archive, columns } = await loaded();
  assert.deepEqual(columns.usual(archive), ["b.P", "a.ne", "a.Te", "a.note", "reports", "date", "gas", "program", "comment"].filter((id) => id !== "a.note"));
  const many = ["a", "b"].flatMap((t) => Array.from({ length: 9 }, (_, k) => result(t, `${k}`, "", { rank: k, key: true, place: t === "b" && k === 5 ? 1 : null })));
  const other = await loaded({ ...SITE, "data/index": { ...SITE["data/index"], scraps: many } });
  assert.deepEqual(other.columns.usual(other.archive).slice(0, -5).sort(), ["a.0", "a.1", "a.2", "a.3", "b.0", "b.1", "b.2", "b.5"]);
  const none = await loaded({ ...SITE, "data/index": { ...SITE["data/index"], scraps: [result("a", "x", "", { key: false })] } });
  assert.deepEqual(none.columns.usual(none.archive)[0], "a.x"); // no key result at all: any
});

test("cells: in the unit of the head, none, an upper limit with its own", async () => {
  const { archive, columns, byId } = await loaded();
  const texts = (/** @type {string} */ id) => rows.map((i) => columns.text(archive, byId.get(id), i, columns.scale(archive, byId.get(id), rows)));
  assert.deepEqual(columns.scale(archive, byId.get("a.ne"), rows), { power: 17, unit: "10¹⁷\u00a0m⁻³" });
  assert.deepEqual(texts("a.ne"), ["2.000(10)", "1.000(10)", "3", "–", "–"]);
  assert.deepEqual(texts("a.Te"), ["3.00(10)", "–", "5", "–", "–"]);
  assert.deepEqual(texts("b.P"), ["4.70(10)", "<\u00a04\u00a0W", "–", "–", "–"]);
  assert.deepEqual(texts("date"), ["2026-11-20 10:00:00", "2026-11-20 11:00:00", "2026-11-21 10:00:00", "–", "2026-11-22 10:00:00"]);
  assert.deepEqual(texts("shot"), ["998", "999", "1000", "1001", "2005"]);
  assert.deepEqual(texts("comment"), ["=1+1", "said \"so\", twice", "", "", ""]);
  assert.deepEqual(texts("operator"), ["–", "–", "–", "–", "–"]);
  assert.deepEqual(["shot", "a.Te", "a.note", "gas"].map((id) => columns.isNumeric(archive, byId.get(id), rows)), [true, true, false, false]);
});

test("a value in another unit keeps its own", async () => {
  const part = SITE["data/scraps/b/0000"];
  const { archive, columns, byId } = await loaded({ ...SITE, "data/scraps/b/0000": { ...part, columns: { P: { unit: "dBm", value: [36.7, 1], sigma: [0.1, null] } } } });
  assert.equal(columns.text(archive, byId.get("b.P"), 0, { power: 3, unit: "kW" }), "36.70(10)\u00a0dBm");
});

test("the states of reports: how many are ok, and those that are not, what needs somebody first", async () => {
  const { archive, columns } = await loaded();
  const of = (/** @type {number} */ i) => {
    const { ok, all, exceptions, missing, more } = columns.states(archive, i);
    return [ok, all, exceptions.map((/** @type {any} */ e) => [e.template.name, e.state, e.named]), missing, more];
  };
  assert.deepEqual(of(0), [2, 2, [], [], 0]);
  assert.deepEqual(of(1), [0, 2, [["a", "failed", true], ["b", "skipped", false]], [], 0]);
  assert.deepEqual(of(2), [1, 2, [], ["Beta"], 0]);
  assert.deepEqual(of(4), [1, 2, [["b", "timeout", true]], [], 0]);
  const templates = Array.from({ length: 11 }, (_, k) => ({ name: `t${k}`, title: "", scope: "shot" }));
  const states = Object.fromEntries(templates.map((t, k) => [t.name, [k < 3 ? "stale" : k < 10 ? "skipped" : "failed"]]));
  const many = await loaded({ ...SITE, "data/index": { ...SITE["data/index"], templates: [...SITE["data/index"].templates.map((t) => ({ ...t, scope: "day" })), ...templates] }, "data/shots/0002": { ...SITE["data/shots/0002"], states } });
  const found = many.columns.states(many.archive, 4);
  assert.deepEqual([found.exceptions.length, found.more, found.exceptions[0].state], [8, 3, "failed"]);
  assert.ok(found.exceptions.every((/** @type {any} */ e) => !e.named)); // four need somebody: too many for names
});

test("columns are wide enough for what is in them, and none takes the whole table", async () => {
  const { archive, columns, byId } = await loaded();
  for (const column of byId.values()) {
    const scale = columns.scale(archive, column, rows), width = columns.width(archive, column, rows, scale);
    for (const i of rows) if (!["comment", "reports"].includes(column.id)) assert.ok(width >= columns.text(archive, column, i, scale).length + 2, column.id);
    assert.ok(width <= 42 && width >= 8, column.id);
  }
});

/** Read CSV as RFC 4180 has it. @param {string} text @returns {string[][]} */
const readCsv = (text) => {
  /** @type {string[][]} */
  const lines = [[""]];
  for (let i = 0, quoted = false; i < text.length; i++) {
    const line = lines[lines.length - 1];
    if (quoted && text.startsWith('""', i)) line[line.length - 1] += text[i++];
    else if (text[i] === '"') quoted = !quoted;
    else if (!quoted && text[i] === ",") line.push("");
    else if (!quoted && text.startsWith("\r\n", i)) lines.push([""]) && i++;
    else line[line.length - 1] += text[i];
  }
  return lines.slice(0, -1);
};

test("CSV has all digits, a column of its own for sigma, and no formulas", async () => {
  const { archive, columns, byId } = await loaded();
  const text = columns.csv(archive, ["shot", "a.Te", "comment", "reports", "a.note"].map((id) => byId.get(id)), [1, 0, 3]);
  assert.ok(text.endsWith("\r\n"));
  assert.deepEqual(readCsv(text), [
    ["shot", "a.Te [eV]", "a.Te sigma [eV]", "comment", "a state", "b state", "a.note", "a.note sigma"],
    ["999", "NaN", "", "said \"so\", twice", "failed", "skipped", "", ""],
    ["998", "3", "0.1", "'=1+1", "ok", "ok", "fine", ""],
    ["1001", "", "", "", "ok", "", "", ""],
  ]);
  const part = SITE["data/scraps/b/0000"];
  const below = await loaded({ ...SITE, "data/scraps/b/0000": { ...part, columns: { Te: { unit: "eV", value: [-4, -1e-30], sigma: null } } } });
  assert.equal(below.columns.csv(below.archive, [below.byId.get("b.Te")], [0, 1]), "b.Te [eV],b.Te sigma [eV]\r\n-4,\r\n-1e-30,\r\n"); // a number is no formula
  for (const text of ["=a", "+a", "-a", "@a", "\ta", "\ra", "=\"a,b\""]) {
    const files = { ...SITE, "data/shots/0002": { ...SITE["data/shots/0002"], comment: [text] } };
    const other = await loaded(files);
    assert.equal(readCsv(other.columns.csv(other.archive, [other.byId.get("comment")], [4]))[1][0], `'${text}`);
  }
});
