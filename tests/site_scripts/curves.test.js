// Curves of traces, against signals that are packed here as docs/site-data.md says.
"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { dataOf, load, random } = require("./scripts.js");

const zlib = require("node:zlib");
const BLOCK = 16; // points of a block

const u16 = (/** @type {number} */ x) => [x & 255, x >> 8 & 255];
/** Numbers as bytes by weight. @param {Uint8Array} bytes @param {number} width */
const planes = (bytes, width) => Array.from({ length: width }, (_, k) => [...bytes].filter((_, i) => i % width === k)).flat();
const bytesOf = (/** @type {ArrayLike<number>} */ list, /** @type {any} */ Kind) => new Uint8Array(Kind.from(list).buffer);

/** A column of codes with one of the three predictions. @param {number[]} codes @param {number} kind */
const column = (codes, kind) => {
  const before = codes[codes.length >> 1];
  const off = codes.map((c, i) => {
    const last = codes[i - 1] ?? before, second = codes[i - 2] ?? before;
    const x = (c - (kind === 0 ? before : kind === 1 ? last : 2 * last - second) + 4 * 65536 + 32768) % 65536 - 32768;
    return x < 0 ? -2 * x - 1 : 2 * x;
  });
  return { head: [kind, ...u16(before)], body: planes(bytesOf(off, Uint16Array), 2) };
};

/**
 * A block as docs/site-data.md says. @param {number[]} least @param {number[] | null} most null for samples
 * @param {{kind: number, ladder: number[] | null, times: number[] | null}} how
 */
const block = (least, most, { kind, ladder, times }) => {
  const known = [...least, ...(most || [])].filter((v) => !Number.isNaN(v)), lo = Math.min(...known), step = (Math.max(...known) - lo) / 65534 || 1;
  const code = (/** @type {number} */ v, /** @type {(x: number) => number} */ round) => ladder ? ladder.indexOf(v) : Number.isNaN(v) ? 65535 : Math.min(65534, Math.max(0, round((v - lo) / step)));
  const low = least.map((v) => code(v, most ? Math.floor : Math.round));
  const columns = [column(low, kind)];
  if (most) columns.push(column(most.map((v, i) => low[i] === 65535 ? 0 : code(v, Math.ceil) - low[i]), (kind + 1) % 3));
  return zlib.deflateSync(Buffer.from([
    ...columns.flatMap((c) => c.head), ...(ladder ? [] : bytesOf([lo, step], Float64Array)),
    ...columns.flatMap((c) => c.body), ...(times ? planes(bytesOf(times, Float64Array), 8) : []),
  ]));
};

/**
 * Cut a signal into levels, level 0 in one block, each next level four times finer, down to a stride.
 * @param {number[]} values @param {{t0?: number, dt?: number, times?: number[], deepest?: number, ladder?: number[], x?: object}} [how]
 *   `times` after t0; `ladder`: the values that occur, rising
 */
const cut = (values, { t0 = 0, dt = 1, times, deepest = 1, ladder, x = {} } = {}) => {
  /** @type {any[]} */
  const levels = [];
  /** @type {Buffer[][]} */
  const blocks = [];
  const starts = [];
  let stride = deepest;
  while (Math.ceil(values.length / stride) > BLOCK) stride *= 4;
  for (let level = 0; stride >= deepest; level++, stride = Math.floor(stride / 4)) {
    const bins = Math.ceil(values.length / stride);
    blocks.push([]);
    for (let k = 0; k < Math.ceil(bins / BLOCK); k++) {
      const own = Array.from({ length: Math.min(BLOCK, bins - k * BLOCK) }, (_, i) => values.slice((k * BLOCK + i) * stride, (k * BLOCK + i + 1) * stride));
      const first = times ? own.map((_, i) => times[(k * BLOCK + i) * stride]) : null;
      if (first) starts.push(first[0]);
      const least = own.map((o) => Math.min(...o)), most = own.map((o) => Math.max(...o));
      blocks[level].push(block(least, stride === 1 ? null : most, { kind: k % 3, ladder: ladder ?? null, times: first }));
    }
    levels.push({ stride, bins, bytes: blocks[level].reduce((sum, b) => sum + b.length, 0) });
    if (stride === 1) break;
  }
  const straight = !ladder || ladder.every((v, i) => !i || Math.abs(v - ladder[i - 1] - (ladder[1] - ladder[0])) < 1e-9);
  const parts = ladder && !straight ? Uint32Array.from(ladder, (v) => Math.round((v - ladder[0]) / (ladder[ladder.length - 1] - ladder[0]) * (2 ** 32 - 1))) : new Uint32Array();
  for (let k = 0; k < 3; k++) for (let i = parts.length - 1; i > 0; i--) parts[i] -= parts[i - 1];
  const head = zlib.deflateSync(Buffer.from([...planes(bytesOf(blocks.flat().map((b) => b.length), Uint32Array), 4), ...planes(bytesOf(starts, Float64Array), 8), ...planes(bytesOf(parts, Uint32Array), 4)]));
  const before = Buffer.from("another signal");
  const file = Buffer.concat([before, head, ...blocks.flat()]);
  const signal = {
    name: "S", pack: "s.pack", at: before.length, size: file.length, head: head.length, unit: "V", block: BLOCK, x_unit: "s", x0: t0, dx: times ? null : dt, n: values.length, levels, problem: "",
    irregular: Boolean(times), ladder: ladder ? { lo: ladder[0], hi: ladder[ladder.length - 1], n: ladder.length, straight, bytes: straight ? 0 : 4 } : null, ...x,
  };
  return { file, signal, index: { format: 2, shot: 7, signals: [signal] }, blocks };
};

/** What a server answers: parts of files, or whole ones. @param {Record<string, Buffer>} files */
const server = (files, { ranges = true, cut: lost = 0 } = {}) => {
  /** @type {[string, number, number][]} */
  const asked = [];
  return {
    asked,
    async fetch(/** @type {string} */ url, /** @type {any} */ { headers }) {
      const file = files[url];
      if (!file) return new Response("", { status: 404 });
      const [from, to] = headers.Range.slice("bytes=".length).split("-").map(Number);
      asked.push([url, from, to + 1]);
      return ranges ? new Response(file.subarray(from, to + 1 - lost), { status: 206 }) : new Response(file, { status: 200 });
    },
  };
};

const PATH = "../shots/00007/traces/s.pack";
/** @param {ReturnType<typeof cut>} one @param {{protocol?: string, coarse?: any, ranges?: boolean, cut?: number, size?: number}} [how] */
const opened = ({ file, signal, index }, { protocol = "http:", coarse, ...how } = {}) => {
  const web = server({ [PATH.replace("7", String(index.shot))]: file }, how);
  const data = dataOf(coarse ? { "shots/00007/traces/coarse": { signals: { S: coarse } } } : {});
  const page = { document: { documentElement: { dataset: { root: "../" } } }, location: { protocol }, fetch: web.fetch, Response, Blob, DecompressionStream };
  const { curves } = load(["blocks", "packs", "curves"], { ishtar: data, ...page });
  if (how.size) signal.size = how.size;
  return { curve: curves.curve(index, signal), asked: web.asked, curves, loaded: data.loaded };
};
const WIDTH = 20; // px

/** Load what a view needs and return its points as [from, to, low, high, stride]. @param {any} curve @param {number[]} view @param {number} [width] */
const look = async (curve, view, width = WIDTH) => {
  const choice = curve.choose(view, width, 0);
  await curve.fetch(choice);
  const { pieces, stride } = curve.best(choice.level, view);
  return { choice, stride, points: pieces.flatMap((/** @type {any} */ p) => Array.from({ length: p.n }, (_, i) => [p.time(i), p.time(i + 1), p.low(i), p.high(i), p.step(i)])) };
};

const next = random(1);
const COARSEST = { level: 0, first: 0, last: 0, held: "" };
const noise = Array.from({ length: 5000 }, (_, i) => Math.sin(i / 300) * 3 + next());

test("at any zoom the points hold every sample of the view, and no more than a step beyond", async () => {
  const { curve } = opened(cut(noise, { t0: -0.5, dt: 1e-3 }));
  for (let k = 0; k < 60; k++) {
    const from = -0.5 + 4.9 * next(), view = [from, Math.min(4.5, from + 10 ** (-2.5 + 3 * next()))];
    const { points, stride, choice } = await look(curve, view);
    assert.equal(stride, curve.signal.levels[choice.level].stride);
    assert.equal(choice.held, "");
    for (let i = Math.max(0, Math.ceil((view[0] + 0.5) / 1e-3)); i <= Math.min(4999, Math.floor((view[1] + 0.5) / 1e-3)); i++) {
      const at = -0.5 + i * 1e-3;
      const point = points.find((/** @type {number[]} */ p) => p[0] - 1e-9 <= at && at < p[1] - 1e-9);
      assert.ok(point, `no point at ${at} of ${view}`);
      const [, , low, high, step] = point;
      const slack = stride === 1 ? 0.5001 * step : 1e-9;
      assert.ok(low - slack <= noise[i] && noise[i] <= high + slack, `${i}: ${noise[i]} is not in ${low} … ${high}`);
      const own = noise.slice(Math.floor(i / stride) * stride, Math.floor(i / stride) * stride + stride);
      assert.ok(low >= Math.min(...own) - 1.001 * step && high <= Math.max(...own) + 1.001 * step);
    }
  }
});

test("the level is the coarsest that has half a point for each pixel", () => {
  const { curve } = opened(cut(noise, { t0: 0, dt: 1 }));
  assert.deepEqual(curve.signal.levels.map((/** @type {any} */ l) => l.stride), [1024, 256, 64, 16, 4, 1]);
  for (const [view, stride] of [[[0, 5000], 256], [[0, 2560], 256], [[0, 2559], 64], [[100, 740], 64], [[100, 739], 16], [[0, 40], 4], [[0, 39], 1], [[10, 12], 1]]) {
    assert.equal(curve.signal.levels[curve.choose(view, WIDTH, 0).level].stride, stride, `${view}`);
  }
  assert.equal(curve.choose([0, 5000], 8, 0).level, 0); // eight pixels: five points are enough
});

test("a view asks for the blocks that hold it and a point on either side, and for no other, together", async () => {
  const one = cut(noise, { dt: 1 }), { curve, asked } = opened(one);
  const { at, head, levels } = one.signal;
  await curve.fetch(COARSEST);
  assert.deepEqual(asked, [[PATH, at, at + head + levels[0].bytes]]); // the head, and level 0 with it
  /** @param {number} k @param {number} last of the finest level */
  const span = (k, last) => {
    const sizes = one.blocks[5].map((b) => b.length), sum = (/** @type {number[]} */ list) => list.reduce((x, y) => x + y, 0);
    const from = one.file.length - levels[5].bytes + sum(sizes.slice(0, k));
    return [PATH, from, from + sum(sizes.slice(k, last + 1))];
  };
  await look(curve, [33, 41], 10); // single samples: 32 … 47 are block 2
  assert.deepEqual(asked.slice(1), [span(2, 2)]);
  await look(curve, [33, 41], 10);
  assert.equal(asked.length, 2); // once
  await look(curve, [32, 41], 10); // the line comes from sample 31
  assert.deepEqual(asked.slice(2), [span(1, 1)]);
  await look(curve, [33, 47], 10); // and goes to sample 48
  assert.deepEqual(asked.slice(3), [span(3, 3)]);
  await look(curve, [70, 90], 60);
  assert.deepEqual(asked.slice(4), [span(4, 5)]); // side by side: one request
});

test("what was not kept finer is said, and so is a level that is coarser for others' sake", () => {
  const { curve } = opened(cut(noise, { dt: 1, deepest: 64 }));
  assert.equal(curve.choose([0, 100], WIDTH, 0).held, "kept");
  assert.equal(curve.choose([0, 5000], WIDTH, 0).held, "");
  const full = opened(cut(noise, { dt: 1 })).curve;
  const one = full.choose([0, 100], WIDTH, 0);
  assert.deepEqual([full.choose([0, 100], WIDTH, 1).level, full.choose([0, 100], WIDTH, 1).held], [one.level - 1, "budget"]);
  assert.equal(full.choose([0, 100], WIDTH, 99).level, 0);
});

test("until a block has come, what is there is drawn, as fine as it is", async () => {
  const { curve } = opened(cut(noise, { dt: 1 }));
  assert.deepEqual(curve.best(5, [0, 50]), { pieces: [], stride: 0 });
  await curve.fetch(COARSEST);
  assert.equal(curve.best(5, [0, 50]).stride, 1024);
  await curve.fetch({ level: 4, first: 0, last: 0, held: "" });
  assert.equal(curve.best(5, [0, 50]).stride, 4);
  assert.equal(curve.best(5, [0, 500]).stride, 1024); // its second block is not there
  assert.equal(curve.best(3, [0, 50]).stride, 1024); // not finer than asked for
});

test("samples without a value have none, and the whole record is the whole record", async () => {
  const { curve } = opened(cut([1, NaN, 3, -2], { t0: 2, dt: 0.5 }));
  const { points } = await look(curve, [2, 4]);
  assert.deepEqual(points.map((/** @type {number[]} */ p) => [p[0], Number.isNaN(p[2]) ? null : Math.round(1e3 * p[2]) / 1e3]), [[2, 1], [2.5, null], [3, 3], [3.5, -2]]);
  assert.deepEqual(curve.span(), [2, 4]);
});

test("samples that are only counted lie at their numbers, frequencies at theirs", async () => {
  const counted = opened(cut([1, 2, 3], { x: { x_unit: "", x0: null, dx: null } })).curve;
  assert.deepEqual([counted.unit, counted.each, counted.span()], ["", 1, [0, 3]]);
  const lines = opened(cut([1, 2, 3], { x: { x_unit: "Hz", x0: 1e6, dx: 500 } })).curve;
  assert.deepEqual([lines.unit, lines.each, lines.span()], ["Hz", 500, [1e6, 1001500]]);
  assert.deepEqual((await look(lines, [1e6, 1.0011e6])).points.map((/** @type {number[]} */ p) => p[0]), [1e6, 1000500, 1001000]);
});

test("irregular sampling: each point at its own time, whatever block it is in", async () => {
  const times = [0];
  for (let i = 1; i < 300; i++) times.push(times[i - 1] + 0.5 + next());
  const values = times.map((_, i) => i), { curve } = opened(cut(values, { t0: 10, times }));
  await curve.fetch(COARSEST);
  const [start, end] = curve.span();
  assert.equal(start, 10);
  assert.ok(end >= 10 + times[288] && end < 10 + 1.2 * times[299]); // nearly: no sample says when it ends
  for (let k = 0; k < 100; k++) {
    const view = [10 + times[299] * 0.9 * next(), 0];
    view[1] = view[0] + 3 + 10 * next();
    const choice = { ...curve.choose(view, 1e6, 0) };
    assert.equal(curve.signal.levels[choice.level].stride, 1);
    const { points } = await look(curve, view, 1e6);
    for (const [i, t] of times.entries()) {
      if (10 + t < view[0] || 10 + t > view[1]) continue;
      const at = points.findIndex((/** @type {number[]} */ p) => p[0] === 10 + t);
      assert.ok(at >= 0, `${t}`);
      assert.ok(Math.abs(points[at][2] - i) <= 0.5001 * points[at][4]);
      if (i < 299 && at < points.length - 1) assert.equal(points[at][1], 10 + times[i + 1]);
    }
  }
});

test("a plan of many curves costs no more than is allowed, is as fine as that lets it, and treats shots in one plot alike", async () => {
  const of = (/** @type {number} */ shot) => {
    const one = cut(noise, { dt: 1 });
    one.index.shot = shot;
    return opened(one);
  };
  const [a, b, c, d] = [1, 2, 3, 4].map(of);
  for (const { curve } of [a, b, c, d]) await curve.fetch(COARSEST);
  const plots = [[a.curve, b.curve], [c.curve], [d.curve]];
  for (const view of [[0, 5000], [100, 600], [2000, 2030]]) {
    for (const budget of [0, 300, 600, 1000, 2000, 9999]) {
      const choices = a.curves.plan(plots, view, 60, budget);
      const costs = plots.map((curves, i) => curves.reduce((sum, curve, k) => sum + curve.cost(choices[i][k]), 0));
      const total = costs.reduce((x, y) => x + y, 0);
      const coarsest = choices.flat().every((choice) => choice.level === 0);
      assert.ok(total <= budget || coarsest, `${total} of ${budget}`);
      assert.equal(choices[0][0].level, choices[0][1].level);
      const levels = choices.map((row) => row[0].level);
      assert.ok(Math.max(...levels) - Math.min(...levels) <= 1);
      // one level finer for any of the coarsest plots that would like it: too much
      for (const [i, curves] of plots.entries()) {
        const wish = curves[0].choose(view, 60, 0).level;
        if (levels[i] === wish || levels[i] > Math.min(...levels)) continue;
        const more = curves.reduce((sum, curve) => sum + curve.cost(curve.choose(view, 60, wish - levels[i] - 1)), 0);
        assert.ok(total - costs[i] + more > budget, `${view}, ${budget}: plot ${i} could be finer`);
      }
    }
  }
});

test("what is loaded costs nothing; the coarsest block stays when many others go", async () => {
  const one = cut(noise.concat(noise, noise), { dt: 1 }), { curve, asked } = opened(one);
  const finest = curve.signal.levels.length - 1;
  assert.equal(curve.cost(COARSEST), one.signal.head + one.signal.levels[0].bytes);
  await curve.fetch(COARSEST);
  assert.equal(curve.cost(COARSEST), 0);
  for (let k = 0; k < 600; k++) await curve.fetch({ level: finest, first: k, last: k, held: "" });
  assert.equal(curve.cost({ level: finest, first: 599, last: 599, held: "" }), 0);
  assert.equal(curve.cost({ level: finest, first: 0, last: 0, held: "" }), one.blocks[finest][0].length); // long gone
  assert.equal(curve.cost(COARSEST), 0);
  assert.equal(new Set(asked.map(String)).size, asked.length);
});

test("a converter's samples have the values of a ladder, straight or not", async () => {
  for (const ladder of [[-1, 0, 1, 2, 3, 4, 5], [-3, -2.5, 0, 0.125, 7, 8, 100]]) {
    const values = Array.from({ length: 300 }, () => ladder[Math.floor(next() * 7)]);
    const { curve } = opened(cut(values, { ladder }));
    await curve.fetch(COARSEST);
    for (const [from, to] of [[100, 103], [0, 299], [0, 60]]) {
      const { points, stride } = await look(curve, [from, to]);
      for (const [at, , low, high] of points) {
        const own = values.slice(at, at + stride);
        assert.ok(Math.abs(low - Math.min(...own)) < 1e-6 && Math.abs(high - Math.max(...own)) < 1e-6, `${low} … ${high} at ${at} of ${own}`);
      }
    }
  }
});

test("from disk there are the first levels, and the view says so", async () => {
  const one = cut(noise, { dt: 1 });
  const coarse = one.blocks.slice(0, 2).map((level) => level.map((b) => b.toString("base64")));
  const { curve, asked, loaded } = opened(one, { protocol: "file:", coarse });
  await curve.fetch(COARSEST);
  assert.deepEqual([asked, loaded], [[], ["shots/00007/traces/coarse"]]);
  assert.deepEqual([curve.choose([0, 5000], 8, 0).held, curve.choose([0, 5000], WIDTH, 0).held], ["", ""]);
  const { choice, stride, points } = await look(curve, [100, 900]);
  assert.deepEqual([choice.held, stride], ["disk", 256]);
  const [at, , low, high, step] = points[1], own = noise.slice(at, at + 256);
  assert.ok(Math.abs(low - Math.min(...own)) <= step && Math.abs(high - Math.max(...own)) <= step);
});

test("a server without parts of files: small files as a whole, of large ones the first levels", async () => {
  const one = cut(noise, { dt: 1 });
  const small = opened(one, { ranges: false });
  await small.curve.fetch(COARSEST);
  assert.equal((await look(small.curve, [33, 41], 10)).stride, 1);
  assert.equal(small.asked.length, 1); // it is kept
  const coarse = one.blocks.slice(0, 1).map((level) => level.map((b) => b.toString("base64")));
  const large = opened(one, { ranges: false, size: 5e6, coarse });
  await large.curve.fetch(COARSEST);
  const { choice, stride } = await look(large.curve, [33, 41], 10);
  assert.deepEqual([choice.held, stride], ["ranges", 1024]);
});

test("a pack that is gone, cut off, or damaged is an error that says so, and a later try may succeed", async () => {
  const one = cut(noise, { dt: 1 });
  await assert.rejects(opened(one, { cut: 1 }).curve.fetch(COARSEST), /^Error: S of shot 7: .* was cut off/);
  const elsewhere = cut(noise, { dt: 1, x: { pack: "other.pack" } });
  await assert.rejects(opened(elsewhere).curve.fetch(COARSEST), /S of shot 7: .*other.pack is gone: reload the page/);
  const damaged = cut(noise, { dt: 1 });
  const byte = damaged.signal.at + damaged.signal.head + 9;
  damaged.file[byte] ^= 255;
  const { curve } = opened(damaged);
  await assert.rejects(curve.fetch(COARSEST), /S of shot 7/);
  damaged.file[byte] ^= 255;
  await curve.fetch(COARSEST);
  assert.equal(curve.best(0, [0, 5000]).stride, 1024);
});

/** A curve of a server that answers as it likes, and what is asked. @param {ReturnType<typeof cut>} one @param {(from: number, to: number, n: number) => Response} answer */
const served = ({ file, signal, index }, answer) => {
  let asked = 0;
  const fetch = async (/** @type {string} */ _, /** @type {any} */ { headers }) => {
    const [from, to] = headers.Range.slice("bytes=".length).split("-").map(Number);
    return answer(from, to + 1, asked++);
  };
  const page = { document: { documentElement: { dataset: { root: "../" } } }, location: { protocol: "http:" }, fetch, Response, Blob, DecompressionStream };
  const { curves } = load(["blocks", "packs", "curves"], { ishtar: dataOf({ "shots/00007/traces/coarse": { signals: {} } }), ...page });
  return { curve: curves.curve(index, signal), file };
};
/** A body that ends before it should. @param {Uint8Array} content */
const broken = (content) => new ReadableStream({ start(to) { to.enqueue(content); to.error(new TypeError("terminated")); } });

test("whatever a server answers, there is a sentence that names the signal, and a later try succeeds", async () => {
  const one = cut(noise, { dt: 1 }), { file } = one;
  /** @type {[string, (from: number, to: number) => Response, RegExp][]} */
  const servers = [
    ["a page in place of the file", () => new Response("<!doctype html>Log in", { status: 200 }), /is not what was published/],
    ["no bytes", () => new Response("", { status: 200 }), /is not what was published/],
    ["half of the file", () => new Response(file.subarray(0, 900), { status: 200 }), /is not what was published/],
    ["a file that ends early", () => new Response(broken(file.subarray(0, 900)), { status: 200 }), /was cut off/],
    ["a part that ends early", (from) => new Response(broken(file.subarray(from, from + 3)), { status: 206 }), /was cut off/],
    ["other bytes", (from, to) => new Response(file.subarray(from - 1, to - 1), { status: 206, headers: { "Content-Range": `bytes ${from - 1}-${to - 2}/${file.length}` } }), /is not what was published/],
    ["bytes of another file", (from, to) => new Response(file.subarray(from, to), { status: 206, headers: { "Content-Range": `bytes ${from}-${to - 1}/77` } }), /is not what was published/],
    ["no range", () => new Response("", { status: 416, headers: { "Content-Range": "bytes */3" } }), /is not what was published/],
    ["an error", () => new Response("oops", { status: 500 }), /the server answers 500/],
    ["noughts", (from, to) => new Response(new Uint8Array(to - from), { status: 206 }), /its pack is damaged: publish the shot again/],
  ];
  for (const [what, oddly, sentence] of servers) {
    const good = (/** @type {number} */ from, /** @type {number} */ to) => new Response(file.subarray(from, to), { status: 206, headers: { "Content-Range": `bytes ${from}-${to - 1}/${file.length}` } });
    const { curve } = served(one, (from, to, n) => n === 0 ? oddly(from, to) : good(from, to));
    await assert.rejects(curve.fetch(COARSEST), (/** @type {Error} */ error) => /^S of shot 7: /.test(error.message) && sentence.test(error.message), what);
    await curve.fetch(COARSEST);
    assert.equal(curve.best(0, [0, 5000]).stride, 1024, what);
    const later = served(one, (from, to, n) => n === 1 ? oddly(from, to) : good(from, to)).curve;
    await later.fetch(COARSEST);
    const choice = later.choose([33, 41], 10, 0);
    await assert.rejects(later.fetch(choice), (/** @type {Error} */ error) => /^S of shot 7: /.test(error.message) && sentence.test(error.message), what);
    await later.fetch(choice);
    assert.equal(later.best(choice.level, [33, 41]).stride, 1, what);
  }
});

test("many curves of one file at once, of a server that sends whole files", async () => {
  const one = cut(noise, { dt: 1 });
  const { curve, asked, curves } = opened(one, { ranges: false });
  const many = [curve, ...Array.from({ length: 39 }, () => curves.curve(one.index, one.signal))];
  await Promise.all(many.map((c) => c.fetch(COARSEST)));
  await Promise.all(many.map((c, i) => c.fetch({ level: 5, first: i, last: i + 20, held: "" })));
  for (const c of many) assert.equal(c.best(5, [400, 410]).stride, 1);
  assert.ok(asked.length <= 40);
});

test("without its first levels a signal from disk is named", async () => {
  const one = cut(noise, { dt: 1 });
  await assert.rejects(opened({ ...one, signal: { ...one.signal, name: "T" } }, { protocol: "file:", coarse: [] }).curve.fetch(COARSEST), /^Error: T of shot 7: its first levels are missing/);
});

test("an index of another version has its signals, each with a sentence in place of levels", async () => {
  const old = { shot: 7, tile: 2048, signals: [{ name: "S", unit: "V", x_unit: "s", n: 9, levels: [{ stride: 1, tiles: 1 }], problem: "" }, { name: "T", levels: [], problem: "not wired" }] };
  const page = { document: { documentElement: { dataset: {} } }, location: { protocol: "http:" } };
  const { curves } = load(["blocks", "packs", "curves"], { ishtar: dataOf({ "shots/00007/traces/index": old }), ...page });
  const { signals } = await curves.index(7);
  assert.deepEqual(signals.map((/** @type {any} */ s) => [s.name, s.levels.length]), [["S", 0], ["T", 0]]);
  assert.match(signals[0].problem, /another version than this page/);
  assert.equal(signals[1].problem, "not wired");
});

test("a shot without traces has none, and the others are where they are", async () => {
  const one = cut([1, 2]);
  const page = { document: { documentElement: { dataset: {} } }, location: { protocol: "http:" } };
  const { curves } = load(["blocks", "packs", "curves"], { ishtar: dataOf({ "shots/00007/traces/index": one.index }), ...page });
  assert.equal(await curves.index(7), one.index);
  assert.equal(await curves.index(8), null);
});
