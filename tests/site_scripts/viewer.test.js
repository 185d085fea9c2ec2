// The trace viewer: keys and fields, and what its address says.
"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { dataOf, load, settled } = require("./scripts.js");
const { makePage } = require("./fake_page.js");

// keys, wheel, fingers and fields ------------------------------------------------------------------

const keyed = () => {
  const page = makePage();
  page.add("div#trace-plots");
  for (const id of ["trace-from", "trace-to", "trace-cursor"]) page.add(`input#${id}`);
  for (const act of ["whole", "in", "out", "left", "right"]) page.add(`button[data-do=${act}]`);
  page.add("button#trace-copy");
  page.add("div#table.scroll");
  /** @type {any[]} */
  const asked = [];
  const says = (/** @type {string} */ what) => (/** @type {any[]} */ ...given) => { asked.push([what, ...given]); };
  // 100 px are one second
  const viewer = {
    view: () => [2, 4], whole: () => [0, 10], cursor: () => 3, plots: () => [{ timeAt: (/** @type {number} */ x) => x / 100 }],
    ...Object.fromEntries(["show", "zoom", "pan", "step", "point", "settle"].map((what) => [what, says(what)])),
  };
  load(["tracekeys"], { ...page.globals, ishtar: { viewer } });
  const asks = (/** @type {() => any} */ doing) => {
    asked.length = 0;
    doing();
    return asked.slice();
  };
  return { page, asks, box: page.get("trace-plots"), key: (/** @type {string} */ key, more = {}) => asks(() => page.body.happen("keydown", { key, ...more })) };
};

test("keys do what the page says of them", () => {
  const { key } = keyed();
  for (const [name, more, does] of [
    ["ArrowLeft", {}, ["pan", -0.25]], ["ArrowRight", {}, ["pan", 0.25]], ["ArrowRight", { shiftKey: true }, ["pan", 1]], ["ArrowLeft", { shiftKey: true }, ["pan", -1]],
    ["+", {}, ["zoom", 3, 0.5]], ["=", {}, ["zoom", 3, 0.5]], ["-", {}, ["zoom", 3, 2]], ["Escape", {}, ["show", [0, 10]]], ["0", {}, ["show", [0, 10]]],
    [",", {}, ["step", -1]], [".", {}, ["step", 1]], ["<", { shiftKey: true }, ["step", -10]], [">", { shiftKey: true }, ["step", 10]],
  ]) assert.deepEqual(key(name, more), [does], name);
  assert.deepEqual(key("x"), []);
  for (const held of ["altKey", "ctrlKey", "metaKey", "defaultPrevented"]) assert.deepEqual(key("ArrowLeft", { [held]: true }), []);
});

test("keys in fields and in a table that scrolls are theirs", () => {
  const { page, asks } = keyed();
  for (const id of ["trace-from", "table"]) assert.deepEqual(asks(() => page.get(id).happen("keydown", { key: "ArrowLeft" })), []);
});

test("buttons do what they say", () => {
  const { page, asks } = keyed();
  const buttons = page.document.querySelectorAll("button[data-do]");
  assert.deepEqual(buttons.flatMap((/** @type {any} */ b) => asks(() => b.click())), [["show", [0, 10]], ["zoom", 3, 0.5], ["zoom", 3, 2], ["pan", -0.25], ["pan", 0.25]]);
});

test("the wheel zooms with Ctrl, or where the plots have the focus; else the page scrolls", () => {
  const { page, asks, box } = keyed();
  const turn = (/** @type {object} */ more) => {
    /** @type {any} */
    let event;
    const done = asks(() => { event = box.happen("wheel", { clientX: 250, deltaY: 120, ctrlKey: false, ...more }); });
    return [done, event.defaultPrevented];
  };
  assert.deepEqual(turn({}), [[], false]);
  assert.deepEqual(turn({ ctrlKey: true }), [[["zoom", 2.5, Math.SQRT2]], true]);
  const [[[, , factor]]] = turn({ ctrlKey: true, deltaY: -9999 }); // no more than a notch
  assert.ok(Math.abs(factor - Math.SQRT1_2) < 1e-9);
  box.happen("mousedown");
  assert.deepEqual(turn({ deltaY: 240 })[1], true);
});

test("one finger goes along, two zoom around the one that rests, and a tap puts the cursor", () => {
  const { asks, box } = keyed();
  const finger = (/** @type {string} */ what, /** @type {number} */ pointerId, /** @type {number} */ clientX) => asks(() => box.happen(what, { pointerType: "touch", pointerId, clientX }));
  finger("pointerdown", 1, 300);
  assert.deepEqual(finger("pointermove", 1, 200), [["pan", 0.5]]); // one of two seconds
  assert.deepEqual(finger("pointermove", 1, 201), []); // a tremor
  finger("pointerdown", 2, 300);
  const [[what, held, factor]] = finger("pointermove", 2, 400);
  assert.deepEqual([what, held], ["zoom", 2]);
  assert.ok(Math.abs(factor - 0.5) < 1e-9); // twice as far apart: half of the span
  finger("pointerup", 2, 400);
  finger("pointercancel", 1, 200);
  finger("pointerdown", 3, 350);
  assert.deepEqual(finger("pointerup", 3, 350), [["point", 3.5, false]]);
  assert.deepEqual(finger("pointermove", 3, 500), []); // it has left
});

test("a span and a cursor can be typed, with a comma or a minus as people write them", () => {
  const { page, asks } = keyed();
  const type = (/** @type {Record<string, string>} */ values) => {
    for (const [id, value] of Object.entries(values)) page.get(id).value = value;
    return asks(() => page.get(Object.keys(values)[0]).happen("change"));
  };
  assert.deepEqual(type({ "trace-from": "−0,5", "trace-to": "2" }), [["show", [-0.5, 2]]]);
  assert.equal(page.get("trace-from").getAttribute("aria-invalid"), "false");
  for (const [from, to] of [["3", "2"], ["", "2"], ["a", "2"], ["2", "2"]]) {
    assert.deepEqual(type({ "trace-from": from, "trace-to": to }), [], `${from} ${to}`);
    assert.equal(page.get("trace-to").getAttribute("aria-invalid"), "true");
  }
  assert.deepEqual(type({ "trace-cursor": "3.5" }), [["point", 3.5, true]]);
  assert.deepEqual(type({ "trace-cursor": "7" }), [["pan", 2], ["point", 7, true]]); // the view goes there first
  assert.deepEqual(type({ "trace-cursor": "x" }), []);
});

// what the address says ----------------------------------------------------------------------------

const zlib = require("node:zlib");
// ten samples, all code 0: a constant prediction, the code before, lo and step, the codes
const BYTES = zlib.deflateSync(Buffer.alloc(3 + 16 + 20)), HEAD = zlib.deflateSync(Buffer.from([BYTES.length, 0, 0, 0]));
const PACK = Buffer.concat([HEAD, BYTES]);
/** Ten samples in one block. @param {string} name @param {object} [more] */
const signal = (name, more = {}) => ({
  name, pack: `${name}.pack`, at: 0, size: PACK.length, head: HEAD.length, ladder: null, irregular: false, unit: "V", block: 4096, x_unit: "s", x0: 0, dx: 0.1, n: 10,
  levels: [{ stride: 1, bins: 10, bytes: BYTES.length }], problem: "", ...more,
});
const SIGNALS = [
  signal("A"), signal("B"), signal("dead", { problem: "no calibration", levels: [] }), signal("C"), signal("D"),
  signal("spectrum", { x_unit: "Hz", x0: 0, dx: 1e3 }), signal("counted", { x_unit: "", x0: null, dx: null }),
];
const FILES = /** @type {Record<string, any>} */ ({ "data/index": { shots: "7-9" } });
for (const shot of [7, 8, 9]) {
  FILES[`shots/0000${shot}/traces/index`] = { format: 2, shot, signals: shot === 9 ? [signal("A", { unit: "mA" }), signal("B")] : SIGNALS };
}
let reading = 0; // what is being decompressed takes turns of the event loop
class Answer extends Response {
  async arrayBuffer() {
    reading++;
    return super.arrayBuffer().finally(() => reading--);
  }
}
/** Ten bins of four samples. */
const PAIRS = zlib.deflateSync(Buffer.alloc(6 + 16 + 40)), PAIRS_HEAD = zlib.deflateSync(Buffer.from([PAIRS.length, 0, 0, 0]));
const PAIRS_PACK = Buffer.concat([PAIRS_HEAD, PAIRS]);
const fetchPack = async (/** @type {string} */ url) => new Answer(url.includes("deep") ? PAIRS_PACK : PACK, { status: 206 });
/** Let all run that waits for promises, and for what is being read. */
const unpacked = async () => {
  for (let still = 0; still < 5; still = reading ? 0 : still + 1) await settled();
};

const opened = async (/** @type {string} */ address, files = FILES) => {
  const page = makePage(address);
  for (const id of ["viewer", "trace-plots", "trace-problems", "trace-status", "trace-said"]) page.add(`div#${id}`);
  page.add("tbody", page.add("table#trace-values"));
  for (const id of ["trace-from", "trace-to", "trace-cursor"]) page.add(`input#${id}`);
  /** @type {any[]} */
  let drawn = [];
  const tracePlot = (/** @type {any} */ options) => ({
    draw: (/** @type {any} */ view, /** @type {any[]} */ curves) => { drawn = [...drawn.filter((d) => d.label !== options.label), { label: options.label, view, curves: curves.length }]; return 0; },
    cursor() {}, width: () => 500, resize() {}, destroy: () => { drawn = drawn.filter((d) => d.label !== options.label); },
  });
  const ishtar = load(["dom", "numbers", "blocks", "packs", "curves", "times", "readings", "traces"], {
    ...page.globals, fetch: fetchPack, Response: Answer, Blob, DecompressionStream, ishtar: { ...dataOf(files), tracePlot, MOST_SHOTS: 2, swatch: () => "" },
  });
  const all = async () => {
    for (let k = 0; k < 3; k++) {
      await unpacked();
      page.pass();
    }
    await unpacked();
  };
  await all();
  return {
    page, viewer: ishtar.viewer, all, plots: () => drawn.map((d) => `${/^\S+/.exec(d.label)?.[0]} ${d.curves}`),
    problems: () => page.get("trace-problems").textContent, hash: () => page.location.hash,
    async go(/** @type {string} */ hash) {
      page.go(hash, "hashchange");
      await all();
    },
  };
};
const near = (/** @type {number[]} */ got, /** @type {number[]} */ wanted) => assert.ok(got.every((x, i) => Math.abs(x - wanted[i]) < 1e-9), `${got}, not ${wanted}`);

test("without an address: the newest shot, the first signals that can be drawn, the whole record", async () => {
  const newest = await opened("");
  assert.deepEqual(newest.viewer.shots(), [9]);
  const { viewer, plots, problems } = await opened("#shots=7");
  assert.deepEqual([viewer.signals(), plots()], [["A", "B", "C"], ["A 1", "B 1", "C 1"]]);
  near(viewer.view(), [0, 1]);
  assert.equal(problems(), "");
});

test("an address with shots, signals, span and cursor is shown so, and stays what it is", async () => {
  const address = "#shots=7,8&signals=D,A&t=0.2,0.7&cursor=0.31";
  const { viewer, plots, hash, page } = await opened(address);
  assert.deepEqual([viewer.shots(), viewer.signals(), plots()], [[7, 8], ["D", "A"], ["D 2", "A 2"]]);
  near(viewer.view(), [0.2, 0.7]);
  assert.equal(viewer.cursor(), 0.31);
  assert.equal(hash(), address);
  assert.equal(page.document.title, "D, A, shot 7, 8");
});

test("what no page can show is named, and the rest is shown", async () => {
  const { plots, problems } = await opened("#shots=7,6&signals=A,none,dead");
  assert.deepEqual(plots(), ["A 1"]);
  assert.match(problems(), /There is no shot 6 on this site\./);
  assert.match(problems(), /Shot 7 has no signal none\./);
  assert.match(problems(), /dead of shot 7 cannot be drawn: no calibration\./);
  const many = await opened("#shots=7,8,9&signals=B");
  assert.match(many.problems(), /At most 2 shots/);
  assert.deepEqual(many.viewer.shots(), [7, 8]);
  const units = await opened("#shots=7,9&signals=A");
  assert.match(units.problems(), /A of shot 9 is in mA, not in V; it is left out\./);
  assert.deepEqual(units.plots(), ["A 1"]);
});

test("an address that makes no sense is as if that were not there", async () => {
  for (const t of ["0.7,0.2", "0.2", "a,b", "0.2,0.3,0.4", ""]) {
    const { viewer } = await opened(`#shots=7,7,x&signals=A,A&t=${t}&cursor=x`);
    assert.deepEqual([viewer.shots(), viewer.signals()], [[7], ["A"]]);
    near(viewer.view(), [0, 1]);
    near([viewer.cursor()], [0.5]);
  }
});

test("a span beyond the record is moved into it, and one below a few samples is as long as these", async () => {
  near((await opened("#shots=7&signals=A&t=0.8,1.3")).viewer.view(), [0.5, 1]);
  near((await opened("#shots=7&signals=A&t=-9,99")).viewer.view(), [0, 1]);
  const { viewer } = await opened("#shots=7&signals=A&t=0.5,0.50001");
  near([viewer.view()[1] - viewer.view()[0]], [0.4]);
});

test("times and frequencies are never under one axis: the first signal decides, the other is named", async () => {
  const { plots, problems, go, viewer, hash, all } = await opened("#shots=7&signals=A,spectrum,counted&t=0.2,0.7");
  assert.deepEqual(plots(), ["A 1"]);
  assert.match(problems(), /spectrum of shot 7 is against frequency \[Hz\], and A is against time \[s\]: draw it alone\./);
  assert.match(problems(), /counted of shot 7 has no time base/);
  await go("#shots=7&signals=spectrum&t=2000,7000");
  near(viewer.view(), [2000, 7000]); // a span of the address is one of its axis
  viewer.take([7], ["A"]);
  await all();
  near(viewer.view(), [0, 1]); // but a span of frequencies is none of times
  assert.equal(hash(), "#shots=7&signals=A");
});

test("where the viewer ends it says how to get the samples, if the site has them", async () => {
  const deep = signal("deep", { n: 40, dx: 0.025, size: PAIRS_PACK.length, head: PAIRS_HEAD.length, levels: [{ stride: 4, bins: 10, bytes: PAIRS.length }] });
  const files = { ...FILES, "shots/00007/traces/index": { format: 2, shot: 7, signals: [deep] } };
  const without = await opened("#shots=7&signals=deep&t=0.2,0.4", files);
  assert.equal(without.problems(), "");
  const { problems } = await opened("#shots=7&signals=deep&t=0.2,0.4", { ...files, "data/index": { shots: "7-9", archive: { raw: "raw" } } });
  assert.match(problems(), /Single samples of deep are in the raw data of this site\. .*ishtar\.open\("https:\/\/lab\.example\/site\/"\)\[7\]\["deep"\]\[0\.2:0\.4\]\.load\(\)/);
});

test("zooming, panning and the cursor go into the address; the whole record is no span", async () => {
  const { viewer, hash, all } = await opened("#shots=7&signals=A");
  viewer.zoom(0.5, 0.5);
  assert.equal(hash(), "#shots=7&signals=A&t=0.25,0.75");
  viewer.pan(0.5);
  assert.equal(hash(), "#shots=7&signals=A&t=0.5,1");
  viewer.point(0.6, false);
  await all();
  assert.equal(hash(), "#shots=7&signals=A&t=0.5,1&cursor=0.6");
  viewer.show([0, 0.5]); // the cursor that was put at 0.6 is not in it
  assert.equal(hash(), "#shots=7&signals=A&t=0,0.5");
  viewer.show(viewer.whole());
  assert.equal(hash(), "#shots=7&signals=A");
});

test("the cursor steps from sample to sample, and the view follows it", async () => {
  const { viewer, page } = await opened("#shots=7&signals=A&t=0.2,0.6&cursor=0.5");
  viewer.step(1);
  near([viewer.cursor()], [0.6]);
  viewer.step(2);
  near([viewer.cursor()], [0.8]);
  near(viewer.view(), [0.6, 1]);
  const middle = await opened("#shots=7&signals=A&t=0.1,0.5&cursor=0.4");
  middle.viewer.step(2);
  near(middle.viewer.view(), [0.4, 0.8]); // around it
  assert.match(page.get("trace-said").textContent, /^800\.0\u00a0ms; A, shot 7: 0/);
});

test("an index that is missing is said; shots of the address are shown all the same", async () => {
  const { "data/index": _, ...others } = FILES;
  const { problems, plots } = await opened("#shots=7&signals=A", others);
  assert.deepEqual(plots(), ["A 1"]);
  assert.match(problems(), /data\/index\.js is missing/);
});
