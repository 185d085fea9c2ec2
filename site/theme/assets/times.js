// Times on an axis and in words, and how a view of them moves.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar;
  const UNITS = /** @type {const} */ ([["s", 1], ["ms", 1e3], ["µs", 1e6], ["ns", 1e9]]);
  const NO_BREAK = "\u00a0", MINUS = "−";

  /** @param {number} seconds @returns {readonly [string, number]} the unit in which it is one or more */
  const unitOf = (seconds) => UNITS.find(([, scale]) => Math.abs(seconds) * scale >= 1) || UNITS[UNITS.length - 1];

  /** @param {number} value @param {number} decimals @returns {string} */
  const fixed = (value, decimals) => {
    const text = value.toFixed(Math.min(Math.max(decimals, 0), 15));
    return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", MINUS);
  };

  /** @param {number} step @returns {number} decimals that tell numbers this far apart */
  const decimalsFor = (step) => step > 0 ? Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)) : 3;

  ishtar.times = {
    unit(view) {
      const length = view[1] - view[0];
      const [name, scale] = unitOf(length);
      // far from zero the digits that all labels share go into the name of the axis
      const grain = 10 ** Math.ceil(Math.log10(length));
      const far = Math.max(Math.abs(view[0]), Math.abs(view[1])) > 200 * length;
      const offset = far ? Math.floor(view[0] / grain) * grain : 0;
      const since = far ? ` since ${fixed(offset, decimalsFor(grain))}${NO_BREAK}s` : "";
      return { name, scale, offset, label: `Time${since} [${name}]` };
    },

    text(seconds, step) {
      const [name, scale] = unitOf(Math.max(Math.abs(seconds), step));
      return `${fixed(seconds * scale, decimalsFor(step * scale))}${NO_BREAK}${name}`;
    },

    range([from, to]) {
      const [name, scale] = unitOf(Math.max(Math.abs(from), Math.abs(to)));
      const decimals = decimalsFor((to - from) * scale / 1e3);
      return `${fixed(from * scale, decimals)} to ${fixed(to * scale, decimals)}${NO_BREAK}${name}`;
    },

    length(seconds) {
      const [name, scale] = unitOf(seconds);
      return `${Number((seconds * scale).toPrecision(3))}${NO_BREAK}${name}`;
    },
  };

  ishtar.view = {
    zoom(view, at, factor, whole, least) {
      const length = Math.min(Math.max((view[1] - view[0]) * factor, least), whole[1] - whole[0]);
      const share = (at - view[0]) / (view[1] - view[0]);
      const start = Math.min(Math.max(at - share * length, whole[0]), whole[1] - length);
      return [start, start + length];
    },

    pan(view, by, whole) {
      const length = view[1] - view[0];
      const start = Math.min(Math.max(view[0] + by, whole[0]), whole[1] - length);
      return [start, start + length];
    },
  };
})();
