// Decode packs as the viewer does: node decode_packs.js FOLDER. For tests/test_pack_values.py, which
// writes FOLDER/packs.json, a list of signals of an index with their files, and reads FOLDER/decoded.json.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { load } = require("./scripts.js");

const folder = process.argv[2];
const { blocks } = load(["blocks"], { Response, Blob, DecompressionStream });

/** JSON has neither NaN nor -0. @param {number} x */
const written = (x) => Object.is(x, -0) ? "-0" : Number.isFinite(x) ? x : String(x);

/** @param {any} signal */
const decoded = async (signal) => {
  const file = new Uint8Array(fs.readFileSync(path.join(folder, signal.pack)));
  let at = signal.at + signal.head;
  const head = await blocks.head(file.subarray(signal.at, at), signal);
  const levels = [];
  for (const [i, { stride, bins }] of signal.levels.entries()) {
    /** @type {{low: any[], high: any[], places: any[]}} */
    const level = { low: [], high: [], places: [] };
    for (const [k, size] of head.sizes[i].entries()) {
      const n = Math.min(signal.block, bins - k * signal.block);
      const found = await blocks.block(file.subarray(at, at += size), { n, single: stride === 1, irregular: signal.irregular, value: head.value });
      for (let j = 0; j < n; j++) {
        level.low.push(written(found.value(found.low[j])));
        level.high.push(written(found.value(found.high[j])));
        if (found.times) level.places.push(found.times[j]);
      }
      if (head.starts && head.starts[i][k] !== found.times?.[0]) throw new Error(`block ${k} of level ${i} begins elsewhere`);
    }
    levels.push(level);
  }
  return levels;
};

const main = async () => {
  const signals = JSON.parse(fs.readFileSync(path.join(folder, "packs.json"), "utf8"));
  fs.writeFileSync(path.join(folder, "decoded.json"), JSON.stringify(await Promise.all(signals.map(decoded))));
};
main();
