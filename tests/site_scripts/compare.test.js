// The page that compares shots: which ones stands in its address.
"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { dataOf, load, settled } = require("./scripts.js");
const { makePage } = require("./fake_page.js");
const { SITE } = require("./site.js");

const facts = (/** @type {number} */ shot, /** @type {string} */ gas) => ({
  shot, date: "2026-11-22T10:00:00", attributes: { gas, program: "ramp" }, problems: [], wiring: [], components: [],
  reports: [{ template: "a", title: "Alpha", state: "ok", html: `shots/${shot}/a.html`, figures: [], scraps: [{ name: "Te", value: shot / 1000, sigma: 0.01, unit: "eV" }] }],
});
const FILES = { ...SITE, ...Object.fromEntries([[998, "Ar"], [999, "Ar"], [1000, "He"], [1001, "Ar"], [2005, "Ar"]].map(([n, gas]) => [`shots/${String(n).padStart(5, "0")}/shot`, facts(Number(n), String(gas))])) };

/** @param {string} address */
const opened = async (address = "", files = FILES) => {
  const page = makePage(address);
  for (const what of ["section#app[data-most=3]", "p#problem", "ul#chips", "div#beside", "input#differing", "a#traces", "form#picker", "button#before", "button#after"]) page.add(what);
  page.add("input#add", page.get("picker"));
  load(["dom", "numbers", "archive", "differences", "compare"], { ...page.globals, ishtar: dataOf(files) });
  await settled();
  const press = async (/** @type {string} */ id) => { page.get(id).click(); await settled(); };
  return {
    page, press,
    problem: () => page.get("problem").textContent,
    shots: () => page.get("chips").querySelectorAll("a").map((/** @type {any} */ a) => a.textContent),
    /** @param {string} text */
    async add(text) {
      page.get("add").value = text;
      page.get("picker").happen("submit");
      await settled();
    },
    rows: () => Object.fromEntries(page.get("beside").querySelectorAll("tbody tr").map((/** @type {any} */ r) => [r.children[0].textContent, [...r.children.slice(1).map((/** @type {any} */ c) => c.textContent), r.classList.contains("differs")]])),
  };
};

test("the address says which shots: each once, no more than fit, and what is none is said", async () => {
  const { shots, problem } = await opened("#shots=1000,998,1000,7,999,2005");
  assert.deepEqual(shots(), ["Shot 1000", "Shot 998", "Shot 999"]);
  assert.equal(problem(), "There is no shot 7.");
  const words = await opened("#shots=abc");
  assert.deepEqual([words.shots(), words.problem()], [[], "There is no shot abc."]);
});

test("shots are added by number, several at once, and the address is a step each time", async () => {
  const { page, add, shots, problem } = await opened();
  await add("998, 1000");
  assert.deepEqual(shots(), ["Shot 998", "Shot 1000"]);
  await add("1000;2005");
  assert.deepEqual(page.steps, [["push", "#shots=998,1000"], ["push", "#shots=998,1000,2005"]]);
  assert.equal(page.get("traces").href, "traces.html#shots=998,1000,2005");
  assert.equal(page.get("add").value, "");
  await add("999");
  assert.equal(problem(), "Up to 3 shots fit side by side. Remove one first.");
  assert.equal(page.get("add").value, "999"); // what was typed stays
  page.go("#shots=998", "popstate");
  await settled();
  assert.deepEqual([shots(), problem()], [["Shot 998"], ""]);
});

test("a shot that is not there is answered with the nearest, and what is no number with what to type", async () => {
  const { add, problem, shots } = await opened();
  await add("1500");
  assert.equal(problem(), "There is no shot 1500; the nearest is 1001.");
  await add("1503.5");
  assert.equal(problem(), "Type the number of a shot.");
  await add("  ");
  assert.equal(problem(), "Type the number of a shot.");
  assert.deepEqual(shots(), []);
});

test("the shot before and after are those beside what is there, and end at the ends", async () => {
  const { press, shots, problem } = await opened();
  await press("after"); // with nothing there: the newest
  assert.deepEqual(shots(), ["Shot 2005"]);
  await press("before");
  assert.deepEqual(shots(), ["Shot 2005", "Shot 1001"]);
  await press("after");
  assert.equal(problem(), "There is no later shot yet.");
  const two = await opened("#shots=1001,999");
  await two.press("before"); // before the earliest of them
  assert.deepEqual(two.shots(), ["Shot 1001", "Shot 999", "Shot 998"]);
  const first = await opened("#shots=998");
  await first.press("before");
  assert.equal(first.problem(), "There is no earlier shot.");
  await first.press("after");
  assert.deepEqual(first.shots(), ["Shot 998", "Shot 999"]);
});

test("a shot is removed by its button", async () => {
  const { page, shots } = await opened("#shots=998,1000");
  page.get("chips").querySelector("button").click();
  await settled();
  assert.deepEqual([shots(), page.location.hash], [["Shot 1000"], "#shots=1000"]);
});

test("side by side: what differs is marked, or alone there", async () => {
  const { page, rows } = await opened("#shots=998,1000");
  assert.deepEqual(rows()["gas differs"], ["Ar", "He", true]);
  assert.deepEqual(rows().program, ["ramp", "ramp", false]);
  assert.deepEqual(rows()["Te electron temperature"], ["0.998(10)\u00a0eV", "1.000(10)\u00a0eV+2\u00a0meV, 0.14 σ", false]);
  page.get("differing").checked = true;
  page.get("differing").happen("change");
  await settled();
  assert.deepEqual(rows()["gas differs"], ["Ar", "He", true]);
  assert.equal(rows().program, undefined);
});

test("figures of a report side by side; a shot that has none says so; what is alike is counted", async () => {
  const wired = (/** @type {string} */ device) => ["A", "B"].map((signal) => ({ signal, channel: signal, device: signal === "A" ? device : "d", calibration: "", problem: "" }));
  const figure = { file: "shots/a b.png", width: 10, height: 5, alt: "" };
  const { page } = await opened("#shots=998,1000", {
    ...FILES, "shots/00998/shot": { ...facts(998, "Ar"), wiring: wired("d1"), reports: [{ ...facts(998, "").reports[0], figures: [figure] }] },
    "shots/01000/shot": { ...facts(1000, "Ar"), wiring: wired("d2"), reports: [] },
  });
  const image = page.get("beside").querySelector("img");
  assert.deepEqual([image.src, image.alt], ["shots/a%20b.png", "Alpha of shot 998"]);
  const text = page.get("beside").textContent;
  assert.match(text, /Shot 1000 has no such figure\./);
  assert.match(text, /Alpha of shot 1000: not made yet/);
  assert.match(text, /Otherwise 1 signal is wired and calibrated alike\./);
});

test("a shot whose data cannot be read is said", async () => {
  const { "shots/01000/shot": _, ...others } = FILES;
  const { problem } = await opened("#shots=998,1000", others);
  assert.match(problem(), /shots\/01000\/shot\.js is missing/);
});
