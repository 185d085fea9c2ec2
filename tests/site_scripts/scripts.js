// Loads scripts of the site outside of a browser. They are plain scripts that share one global,
// `ishtar`, so each is compiled as a function that gets the globals of a page as parameters.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const vm = require("node:vm");

const ASSETS = path.join(__dirname, "..", "..", "site", "theme", "assets");

/**
 * Run scripts in the order of their names, as a page does, and return what they put into `ishtar`.
 * @param {string[]} names without suffix
 * @param {Record<string, any>} [globals] what else a page has: `document`, `location`, …; `ishtar`
 *   is what is there before the first script
 */
const load = (names, globals = {}) => {
  const { ishtar = {}, ...others } = globals;
  const window = { ishtar };
  for (const name of names) {
    const filename = path.join(ASSETS, `${name}.js`);
    const run = vm.compileFunction(fs.readFileSync(filename, "utf8"), ["window", ...Object.keys(others)], { filename });
    run(window, ...Object.values(others));
  }
  return window.ishtar;
};

/** The same numbers at each run, evenly in 0 … 1. @param {number} seed @returns {() => number} */
const random = (seed) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
};

/**
 * What data files say, by path, in place of `ishtar.load`; `loaded` lists what was asked for.
 * @param {Record<string, any>} files
 */
const dataOf = (files) => {
  /** @type {string[]} */
  const loaded = [];
  return {
    loaded,
    unload() {},
    async load(/** @type {string} */ name) {
      loaded.push(name);
      if (!(name in files)) throw new Error(`${name}.js is missing`);
      return files[name];
    },
  };
};

/** Let all that waits for promises run. */
const settled = () => new Promise((resolve) => { setImmediate(resolve); });

module.exports = { ASSETS, dataOf, load, random, settled };
