// Data files as scripts, elements from text, and the state of a page in its address.
"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { load, settled } = require("./scripts.js");
const { makePage } = require("./fake_page.js");

const paged = (/** @type {string} */ address = "") => {
  const page = makePage(address);
  return { page, ishtar: load(["data", "dom"], page.globals) };
};

test("a data file is loaded as a script below the root of the site, once", async () => {
  const { page, ishtar } = paged();
  const first = ishtar.load("data/a b/ü"), again = ishtar.load("data/a b/ü");
  assert.equal(first, again);
  assert.equal(page.document.head.children.length, 1);
  const [script] = page.document.head.children;
  assert.equal(script.src, "./data/a%20b/%C3%BC.js");
  ishtar.data("data/other", 1); // nobody asked for it
  ishtar.data("data/a b/ü", { n: 3 });
  script.happen("load");
  assert.deepEqual(await first, { n: 3 });
  assert.equal(page.document.head.children.length, 0);
});

test("a page in a folder finds the data of the site above it", () => {
  const page = makePage();
  page.document.documentElement.setAttribute("data-root", "../../");
  load(["data"], page.globals).load("data/index");
  assert.equal(page.document.head.children[0].src, "../../data/index.js");
});

test("a file that is missing, or says another name than its own, is an error, and may be there later", async () => {
  for (const happening of ["error", "load"]) {
    const { page, ishtar } = paged();
    const first = ishtar.load("data/x");
    page.document.head.children[0].happen(happening);
    await assert.rejects(first, /data\/x\.js is missing or damaged: publish the site again/);
    const second = ishtar.load("data/x");
    ishtar.data("data/x", 7);
    assert.equal(await second, 7);
  }
});

test("what is forgotten is loaded again", async () => {
  const { page, ishtar } = paged();
  ishtar.load("x");
  ishtar.data("x", 1);
  ishtar.unload("x");
  ishtar.load("x");
  assert.equal(page.document.head.children.length, 1);
  await settled();
});

test("text of shots never becomes markup", () => {
  const { ishtar } = paged();
  const made = ishtar.el("p", { class: "a", title: "<b>", hidden: false, "aria-label": "x" }, "<script>", [1, null, false, undefined], ishtar.el("b", null, "&"));
  assert.equal(made.textContent, "<script>1&");
  assert.deepEqual(made.children.map((/** @type {any} */ c) => c.tag), ["b"]);
  assert.deepEqual([made.getAttribute("class"), made.title, made.getAttribute("aria-label"), made.hidden], ["a", "<b>", "x", false]);
});

test("a property that is not given is not there; states have words, an unknown one is not made yet", () => {
  const { ishtar } = paged();
  const made = ishtar.el("a", { href: undefined, title: null, "data-x": false });
  assert.deepEqual([made.href, made.title, made.attributes.size], ["", "", 0]);
  assert.deepEqual(["ok", "timeout", "stale", "odd"].map(ishtar.stateWord), ["ok", "timed out", "out of date", "not made yet"]);
});

test("long names break behind their dots and dashes; symbols have their index below", () => {
  const { ishtar } = paged();
  assert.deepEqual(ishtar.breakable("a_b.c-d").map((/** @type {any} */ p) => p.tag || p), ["a_", "wbr", "b.", "wbr", "c-", "wbr", "d"]);
  assert.deepEqual(ishtar.breakable("1. x"), ["1. x"]);
  const symbol = ishtar.symbol("n_{e,max}");
  assert.deepEqual([symbol.textContent, symbol.children[0].tag, symbol.children[0].textContent], ["ne,max", "sub", "e,max"]);
  assert.equal(ishtar.symbol("P").children.length, 0);
});

test("what is written into the address is read from it again, whatever is in it", () => {
  for (const filter of ["gas = Ar; Te > 3", "100 %", "a&b=c#d", "ü €", "a,b", "%41", "\"x\"", "="]) {
    const { page, ishtar } = paged();
    ishtar.place.write({ filter, columns: [filter, "b,c", "&"], sort: "", none: undefined, empty: [] }, true);
    const there = ishtar.place.read();
    assert.equal(there.text("filter"), filter);
    assert.deepEqual(there.list("columns"), [filter, "b,c", "&"]);
    assert.deepEqual(["sort", "none", "empty", "columns"].map(there.has), [false, false, false, true]);
    assert.doesNotMatch(page.location.hash.slice(1), /[#\s"]/);
  }
});

test("addresses that people write and mail programs damage are read as well as they can be", () => {
  const read = (/** @type {string} */ hash) => paged(hash).ishtar.place.read();
  assert.equal(read("#filter=gas=Ar").text("filter"), "gas=Ar");
  assert.equal(read("#filter=100%").text("filter"), "100%"); // a damaged escape stands for itself
  assert.deepEqual(read("#shots=7,,8").list("shots"), ["7", "8"]);
  assert.deepEqual(read("#&x&=y&").has("x"), false);
  assert.equal(read("").text("x"), "");
});

test("the address only changes when the state does; steps are what the back button returns from", () => {
  const { page, ishtar } = paged();
  const { place } = ishtar;
  place.write({ shots: ["7"] }, true);
  place.write({ shots: ["7"] }, true);
  place.write({ shots: ["7", "8"] }, false);
  place.write({}, true);
  place.write({}, true);
  assert.deepEqual(page.steps, [["push", "#shots=7"], ["replace", "#shots=7,8"], ["push", "/site/table.html"]]);
});

test("of many things in a row only the last waits for its pause", () => {
  const { page, ishtar } = paged();
  let n = 0;
  const later = ishtar.afterPause(() => { n += 1; }, 100);
  later(), later(), later();
  assert.equal(n, 0);
  page.pass();
  assert.equal(n, 1);
});
