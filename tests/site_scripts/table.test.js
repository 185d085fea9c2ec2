// The page of all shots: rows in a box that scrolls, filter, order and address.
"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { dataOf, load, settled } = require("./scripts.js");
const { makePage } = require("./fake_page.js");
const { SITE } = require("./site.js");

/** A box with rows of 10 px, of which 100 px are seen. */
const boxed = () => {
  const page = makePage(), ishtar = load(["dom"], page.globals);
  const box = page.add("div"), table = page.add("table", box), body = page.add("tbody", table);
  box.clientHeight = 100;
  /** @type {number[]} */
  const made = [];
  /** @type {any} */
  let seen = null;
  load(["rows"], { ...page.globals, ishtar });
  const rows = ishtar.rowBox(box, table, (/** @type {number} */ i) => {
    made.push(i);
    const row = ishtar.el("tr", { "data-i": i });
    row.clientHeight = 10;
    return row;
  }, (/** @type {number} */ first, /** @type {number} */ last) => { seen = [first, last]; });
  return { page, box, table, body, rows, made, seen: () => seen, shown: () => body.querySelectorAll("tr:not(.space)").map((/** @type {any} */ r) => Number(r.dataset.i)) };
};
const range = (/** @type {number} */ from, /** @type {number} */ to) => Array.from({ length: to - from }, (_, i) => from + i);

test("of ten thousand rows only those in view and a few around are elements, and the rest keeps its room", () => {
  const { page, box, table, body, rows, shown, seen, made } = boxed();
  rows.show(range(0, 10000));
  const height = () => body.children.reduce((/** @type {number} */ sum, /** @type {any} */ c) => sum + (c.clientHeight || Number.parseFloat(c.style.height)), 0);
  for (const top of [0, 7, 5000, 5010, 99900, 50000]) {
    box.scrollTop = top;
    box.happen("scroll");
    page.pass();
    const here = shown();
    assert.deepEqual(here, range(here[0], here[here.length - 1] + 1));
    assert.ok(here[0] <= top / 10 && here[here.length - 1] >= Math.min(9999, (top + 99) / 10 - 1), `${top}: ${here}`);
    assert.ok(here.length < 50);
    assert.equal(height(), 100000);
    assert.deepEqual(seen(), [here[0], here[here.length - 1] + 1]);
    const [first] = body.querySelectorAll("tr:not(.space)");
    assert.equal(first.getAttribute("aria-rowindex"), String(here[0] + 2)); // the head is the first
  }
  assert.equal(table.getAttribute("aria-rowcount"), "10001");
  assert.ok(made.length < 250);
});

test("rows that stay are the same elements, in the new order", () => {
  const { body, rows, made } = boxed();
  rows.show([1, 2, 3, 4]);
  const before = new Map(body.querySelectorAll("tr:not(.space)").map((/** @type {any} */ r) => [r.dataset.i, r]));
  rows.show([4, 2, 9]);
  const after = body.querySelectorAll("tr:not(.space)");
  assert.deepEqual(after.map((/** @type {any} */ r) => r.dataset.i), ["4", "2", "9"]);
  assert.deepEqual([after[0] === before.get("4"), after[1] === before.get("2")], [true, true]);
  assert.deepEqual(made, [1, 2, 3, 4, 9]);
  rows.redrawSome((/** @type {number} */ i) => i === 2);
  assert.deepEqual(body.querySelectorAll("tr:not(.space)").map((/** @type {any} */ r) => r === before.get(r.dataset.i)), [true, false, false]);
});

/** The whole page, with its plot left out. @param {string} address */
const opened = async (address = "", files = SITE) => {
  const page = makePage(address), data = dataOf(files);
  for (const what of ["p#status", "form#form", "p#filter-problem", "div#choice", "div#grid", "a#compare[data-most=3]", "button#csv", "div#plot",
    "select#axis-x", "select#axis-y", "select#axis-c", "input#log-x", "input#log-y"]) page.add(what);
  page.add("input#filter", page.get("form"));
  page.get("grid").clientHeight = 1000;
  /** @type {any[]} */
  const plots = [], /** @type {any} */ files_ = [];
  const ishtar = load(["dom", "numbers", "archive", "query", "filter", "columns", "cells", "rows"], {
    ...page.globals, ishtar: { ...data, plot: { canBeLog: (/** @type {any} */ c) => c?.kind === "scrap", options: () => [], plotOf: () => (/** @type {any} */ axes, /** @type {any} */ rows) => plots.push([axes, rows]) } },
  });
  load(["table"], {
    ...page.globals, ishtar, Blob: class { constructor(/** @type {string[]} */ parts) { files_.push(parts.join("")); } }, URL: { createObjectURL: () => "blob:1", revokeObjectURL() {} },
  });
  await settled();
  return {
    page, plots, loaded: data.loaded, files: files_,
    shots: () => page.get("grid").querySelectorAll("tbody tr:not(.space)").map((/** @type {any} */ r) => r.children[0].querySelector("a").textContent),
    heads: () => page.get("grid").querySelectorAll("thead th").map((/** @type {any} */ h) => h.dataset.id),
    /** @param {string} text */
    async filter(text) {
      page.get("filter").value = text;
      page.get("form").happen("submit");
      await settled();
    },
    /** @param {string} id */
    async sort(id) {
      page.get("grid").querySelector(`th[data-id="${id}"] button`).click();
      await settled();
    },
  };
};

test("without an address: the newest first, the usual columns, and only the newest part is read", async () => {
  const { page, shots, heads, loaded } = await opened("", { ...SITE, "data/index": { ...SITE["data/index"], shots: "1000-1400,2005-2300" } });
  assert.deepEqual(shots().slice(0, 2), ["2300", "2299"]);
  assert.deepEqual(heads(), ["shot", "b.P", "a.ne", "a.Te", "reports", "date", "gas", "program", "comment"]);
  assert.ok(!loaded.some((n) => n.endsWith("0000") || n.endsWith("0001")), `${loaded}`);
  assert.equal(page.get("status").textContent, "697 shots");
});

test("a head sorts by its column, again to reverse, and the address says so", async () => {
  const { page, shots, sort } = await opened();
  await sort("a.Te");
  assert.deepEqual(shots(), ["1000", "998", "2005", "1001", "999"]);
  assert.equal(page.location.hash, "#sort=a.Te");
  page.get("grid").scrollTop = 50;
  await sort("a.Te");
  assert.deepEqual(shots(), ["998", "1000", "2005", "1001", "999"]);
  assert.equal(page.get("grid").scrollTop, 0); // another order begins at its top
  assert.equal(page.location.hash, "#sort=a.Te&order=up");
  assert.equal(page.get("grid").querySelector("th[data-id=a.Te]").getAttribute("aria-sort"), "ascending");
  await sort("program"); // a text begins with a
  assert.equal(page.location.hash, "#sort=program&order=up");
  assert.ok(page.steps.every((/** @type {any} */ s) => s[0] === "push"));
  page.go("", "popstate"); // back to where it began
  await settled();
  assert.deepEqual(shots(), ["2005", "1001", "1000", "999", "998"]);
});

test("what the address says is shown: filter, columns and order", async () => {
  const { shots, heads, page } = await opened("#filter=gas=Ar&columns=a.Te,gas&sort=a.ne&order=up");
  assert.deepEqual(shots(), ["999", "998", "2005"]);
  assert.deepEqual(heads(), ["shot", "a.Te", "gas"]);
  assert.equal(page.get("status").textContent, "3 of 5 shots");
  assert.equal(page.get("filter").value, "gas = Ar");
});

test("a filter goes into the address; one that cannot be read leaves the table as it was", async () => {
  const { shots, filter, page } = await opened();
  await filter("gas = Ar");
  assert.deepEqual(shots(), ["2005", "999", "998"]);
  assert.equal(page.location.hash, "#query=gas%20=%20Ar");
  await filter("nothing > 3");
  assert.deepEqual(shots(), ["2005", "999", "998"]);
  assert.match(page.get("filter-problem").textContent, /no column “nothing”/);
  await filter("gas = Xe");
  assert.equal(page.get("status").textContent, "No shot matches the filter.");
});

test("two or three shots that a filter leaves can be compared", async () => {
  const { filter, page } = await opened();
  const compare = page.get("compare");
  assert.equal(compare.hidden, true); // without a filter
  await filter("gas = Ar");
  assert.deepEqual([compare.hidden, compare.href], [false, "compare.html#shots=2005,999,998"]);
  await filter("gas = He");
  assert.equal(compare.hidden, true);
  await filter("shot > 0");
  assert.equal(compare.hidden, true); // five are too many
});

test("choosing columns: the usual ones are no choice, and none at all is one", async () => {
  const { page, heads } = await opened();
  const tick = async (/** @type {(id: string) => boolean} */ wanted) => {
    const boxes = page.get("choice").querySelectorAll("input");
    for (const box of boxes) box.checked = wanted(box.value);
    boxes[0].happen("change");
    await settled();
  };
  await tick((id) => id === "gas" || id === "b.Te");
  assert.deepEqual(heads(), ["shot", "b.Te", "gas"]);
  assert.equal(page.location.hash, "#columns=gas,b.Te");
  await tick(() => false);
  assert.deepEqual([heads(), page.location.hash], [["shot"], "#columns=shot"]);
  await tick((id) => ["b.P", "a.ne", "a.Te", "reports", "date", "gas", "program", "comment"].includes(id));
  assert.equal(page.location.hash, "");
});

test("one axis alone draws nothing: the other is the shot until it is chosen", async () => {
  const { page, plots } = await opened();
  const y = page.get("axis-y");
  y.value = "a.Te";
  y.happen("change");
  await settled();
  assert.equal(page.location.hash, "#x=shot&y=a.Te");
  assert.deepEqual(plots[plots.length - 1], [{ x: "shot", y: "a.Te", c: "", log: [] }, [4, 3, 2, 1, 0]]);
  page.get("axis-x").value = "b.P";
  page.get("axis-x").happen("change");
  y.value = "";
  y.happen("change");
  assert.equal(page.location.hash, "#x=b.P");
  y.value = "a.Te";
  y.happen("change");
  page.get("axis-x").value = "shot";
  page.get("axis-x").happen("change");
  page.get("log-y").checked = true;
  page.get("log-y").happen("change");
  assert.equal(page.location.hash, "#x=shot&y=a.Te&log=y");
});

test("the download has all that is shown, in its order, older shots as well", async () => {
  const { page, files } = await opened("#filter=gas=Ar&columns=a.Te&sort=a.Te");
  page.get("csv").click();
  await settled();
  assert.equal(files[0], "\ufeffshot,a.Te [eV],a.Te sigma [eV]\r\n998,3,0.1\r\n2005,,\r\n999,NaN,\r\n");
  assert.deepEqual([page.clicked[1].download, page.clicked[1].href], ["shots.csv", "blob:1"]);
});

test("a part that cannot be read is said, and the rest of the page stays", async () => {
  const { "data/shots/0002": gone, ...others } = SITE;
  const { page } = await opened("", others);
  assert.match(page.get("status").textContent, /data\/shots\/0002\.js is missing/);
});
