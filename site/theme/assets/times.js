// Times (frequencies, sample numbers) on an axis and in words, and zooming and panning of a view.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar;
  const NO_BREAK = "\u00a0", MINUS = "−";

  // Sample axes by unit: the name, and the units for display, the largest first. Samples that are
  // only counted have none.
  /** @typedef {{name: string, units: readonly (readonly [string, number])[]}} Kind */
  /** @type {Record<string, Kind>} */
  const KINDS = {
    s: { name: "Time", units: [["s", 1], ["ms", 1e3], ["µs", 1e6], ["ns", 1e9]] },
    Hz: { name: "Frequency", units: [["GHz", 1e-9], ["MHz", 1e-6], ["kHz", 1e-3], ["Hz", 1]] },
    "": { name: "Sample", units: [["", 1]] },
  };

  /** @param {number} value @param {number} decimals @returns {string} */
  const fixed = (value, decimals) => {
    const text = value.toFixed(Math.min(Math.max(decimals, 0), 15));
    return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", MINUS);
  };

  /** @param {number} step @returns {number} decimals needed to distinguish numbers this far apart */
  const decimalsFor = (step) => step > 0 ? Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)) : 3;

  ishtar.along = (base) => {
    const kind = KINDS[base] || { name: base.endsWith("Hz") ? "Frequency" : "Place", units: [[base, 1]] };
    /** @param {number} value @returns {readonly [string, number]} the unit in which it is one or more */
    const unitOf = (value) => kind.units.find(([, scale]) => Math.abs(value) * scale >= 1) || kind.units[kind.units.length - 1];
    /** @param {string} name */
    const after = (name) => name ? `${NO_BREAK}${name}` : "";
    /** @param {number} step */
    const decimals = (step) => base ? decimalsFor(step) : 0; // sample numbers are whole
    /** @param {string} text */
    const counted = (text) => base ? text : `sample${NO_BREAK}${text}`;

    return {
      name: kind.name,
      base,

      unit(view) {
        const length = view[1] - view[0];
        const [name, scale] = unitOf(length);
        // far from zero the digits common to all labels move into the axis title
        const grain = 10 ** Math.ceil(Math.log10(length));
        const far = Math.max(Math.abs(view[0]), Math.abs(view[1])) > 200 * length;
        const offset = far ? Math.floor(view[0] / grain) * grain : 0;
        const since = far ? ` since ${fixed(offset, decimals(grain))}${after(base)}` : "";
        return { name, scale, offset, label: `${kind.name}${since}${name ? ` [${name}]` : ""}` };
      },

      text(value, step) {
        const [name, scale] = unitOf(Math.max(Math.abs(value), step));
        return counted(`${fixed(value * scale, decimals(step * scale))}${after(name)}`);
      },

      range([from, to]) {
        const [name, scale] = unitOf(Math.max(Math.abs(from), Math.abs(to)));
        const places = decimals((to - from) * scale / 1e3);
        return counted(`${fixed(from * scale, places)} to ${fixed(to * scale, places)}${after(name)}`);
      },

      length(value) {
        const [name, scale] = unitOf(value);
        return base ? `${Number((value * scale).toPrecision(3))}${after(name)}` : `${Math.round(value)} samples`;
      },
    };
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
