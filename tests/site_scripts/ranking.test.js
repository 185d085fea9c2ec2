// Which of many things match some words, and which come first.
"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { load } = require("./scripts.js");

const { ranking } = load(["numbers", "query", "filter", "ranking"]);
const entry = (/** @type {string} */ title, text = "", /** @type {number | undefined} */ shot = undefined) => ({ kind: "", title, text, href: "x", shot });
const found = (/** @type {any[]} */ entries, /** @type {string} */ query) => ranking.find(entries, ranking.wordsOf(query)).map((/** @type {any} */ h) => h.entry.title);

test("all words must be in the title or the text, whatever their case and accents", () => {
  const entries = [entry("Té ramp", "helium"), entry("ramp", "argon"), entry("te", "")];
  assert.deepEqual(found(entries, "TE"), ["te", "Té ramp"]);
  assert.deepEqual(found(entries, "ramp Héli"), ["Té ramp"]);
  assert.deepEqual(found(entries, "ramp neon"), []);
  assert.deepEqual(ranking.wordsOf("  Straße \t ÉTÉ "), ["straße", "ete"]);
});

test("the whole title comes first, then its beginning, a word's beginning, any part, and the text last", () => {
  const inOrder = ["ne", "ne_max", "peak ne", "gamma_line", "other"].map((t) => entry(t, t === "other" ? "ne" : ""));
  inOrder[3] = entry("machine");
  assert.deepEqual(found([...inOrder].reverse(), "ne"), inOrder.map((e) => e.title));
});

test("equals come newest shot first", () => {
  const entries = [3, 12, 7].map((n) => entry(`a${n}`, "x", n));
  assert.deepEqual(found(entries, "x"), ["a12", "a7", "a3"]);
});

test("a title that is the query itself comes before one that has its words", () => {
  assert.deepEqual(found([entry("plasma start time"), entry("start time plasma"), entry("plasma start")], "plasma start")[0], "plasma start");
});

test("what was found is cut out at its places, and nothing of the text is lost", () => {
  const cut = (/** @type {string} */ text, /** @type {string[]} */ words) => ranking.cut(text, words).map((/** @type {any} */ p) => p.found ? `[${p.text}]` : p.text).join("");
  assert.equal(cut("Ramp of the ramp", ["ramp"]), "[Ramp] of the [ramp]");
  assert.equal(cut("électron", ["ele"]), "[éle]ctron");
  assert.equal(cut("abab", ["ab", "ba"]), "[abab]");
  assert.equal(cut("ﬁne wine", ["ine"]), "ﬁne w[ine]"); // a ligature folds to two letters and is left alone
  assert.equal(cut("T😀e", ["e"]), "T😀[e]");
  assert.equal(cut("", ["a"]), "");
  assert.equal(cut("abc", []), "abc");
});
