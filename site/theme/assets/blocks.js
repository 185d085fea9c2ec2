// The bytes of packs: heads and blocks, as docs/site-data.md describes them.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar;
  const NO_VALUE = 65535, DIFFERENCES = 3, LADDER_STEPS = 2 ** 32 - 1;
  const DAMAGED = "its pack is damaged: publish the shot again.";
  const CONSTANT = 0, LAST = 1, LINE = 2;

  /** @param {Uint8Array} content @returns {Promise<Uint8Array>} */
  const inflate = async (content) => {
    if (typeof DecompressionStream === "undefined") {
      throw new Error("This browser cannot read traces: it needs Chrome 80, Firefox 113, Safari 16.4 or newer.");
    }
    const stream = new Blob([/** @type {BlobPart} */ (content)]).stream().pipeThrough(new DecompressionStream("deflate"));
    try {
      return new Uint8Array(await new Response(stream).arrayBuffer());
    } catch {
      throw new Error(DAMAGED);
    }
  };

  /** Numbers from their bytes by weight, the lowest first. @param {Uint8Array} bytes @param {number} width @returns {DataView} */
  const fromPlanes = (bytes, width) => {
    const n = bytes.length / width, out = new Uint8Array(bytes.length);
    for (let k = 0; k < width; k++) for (let i = 0; i < n; i++) out[i * width + k] = bytes[k * n + i];
    return new DataView(out.buffer);
  };

  /** @param {DataView} view @returns {Uint32Array} */
  const words = (view) => Uint32Array.from({ length: view.byteLength / 4 }, (_, i) => view.getUint32(4 * i, true));
  /** @param {DataView} view @returns {Float64Array} */
  const doubles = (view) => Float64Array.from({ length: view.byteLength / 8 }, (_, i) => view.getFloat64(8 * i, true));

  /** @param {Uint8Array} planes of one column @param {number} n @param {number} kind @param {number} before @returns {Uint16Array} */
  const column = (planes, n, kind, before) => {
    if (kind !== CONSTANT && kind !== LAST && kind !== LINE) throw new Error(DAMAGED);
    const out = new Uint16Array(n);
    let last = before, second = before;
    for (let i = 0; i < n; i++) {
      const folded = planes[i] | planes[n + i] << 8;
      const off = (folded >> 1) ^ -(folded & 1);
      const value = (off + (kind === CONSTANT ? before : kind === LAST ? last : 2 * last - second)) & 65535;
      [second, last] = [last, value];
      out[i] = value;
    }
    return out;
  };

  /** @param {number[]} counts of the blocks of each level @param {ArrayLike<number>} values @returns {number[][]} */
  const split = (counts, values) => {
    let at = 0;
    return counts.map((count) => Array.from({ length: count }, () => values[at++]));
  };

  /** Numbers from their third differences, modulo their range. @template {Uint32Array | BigUint64Array} T @param {T} off @returns {T} */
  const summed = (off) => {
    for (let k = 0; k < DIFFERENCES; k++) for (let i = 1; i < off.length; i++) off[i] += /** @type {any} */ (off[i - 1]);
    return off;
  };

  /** The values of a ladder by their codes. @param {TraceLadder} ladder @param {Uint8Array} planes @returns {(code: number) => number} */
  const valuesOf = ({ lo, hi, n, straight, bytes }, planes) => {
    if (straight) return (code) => lo + (hi - lo) * (code / Math.max(n - 1, 1));
    const view = fromPlanes(planes, bytes);
    if (bytes === 4) {
      const parts = summed(words(view));
      return (code) => lo + (hi - lo) * (parts[code] / LADDER_STEPS);
    }
    const values = new Float64Array(summed(BigUint64Array.from({ length: n }, (_, i) => view.getBigUint64(8 * i, true))).buffer);
    return (code) => values[code];
  };

  ishtar.blocks = {
    async head(content, signal) {
      const bytes = await inflate(content);
      const counts = signal.levels.map(({ bins }) => Math.ceil(bins / signal.block));
      const count = counts.reduce((sum, n) => sum + n, 0);
      const ladder = signal.ladder;
      const ofLadder = ladder && !ladder.straight ? ladder.bytes * ladder.n : 0;
      const [first, second] = [4 * count, (signal.irregular ? 12 : 4) * count];
      if (bytes.length !== second + ofLadder) throw new Error(DAMAGED);
      const sizes = split(counts, words(fromPlanes(bytes.subarray(0, first), 4)));
      const starts = signal.irregular ? split(counts, doubles(fromPlanes(bytes.subarray(first, second), 8))) : null;
      return { sizes, starts, value: ladder ? valuesOf(ladder, bytes.subarray(second)) : null };
    },

    async block(content, { n, single, irregular, value }) {
      const bytes = await inflate(content), view = new DataView(bytes.buffer);
      const columns = single ? 1 : 2;
      let at = 3 * columns;
      let valueOf = value;
      if (!valueOf) {
        if (bytes.length < at + 16) throw new Error(DAMAGED);
        const lo = view.getFloat64(at, true), step = view.getFloat64(at + 8, true);
        valueOf = (code) => code === NO_VALUE ? NaN : lo + step * code;
        at += 16;
      }
      if (bytes.length !== at + 2 * n * columns + (irregular ? 8 * n : 0)) throw new Error(DAMAGED);
      /** @param {number} k */
      const decoded = (k) => column(bytes.subarray(at + 2 * n * k, at + 2 * n * (k + 1)), n, bytes[3 * k], view.getUint16(3 * k + 1, true));
      const low = decoded(0), high = single ? low : decoded(1);
      if (!single) for (let i = 0; i < n; i++) high[i] = !value && low[i] === NO_VALUE ? NO_VALUE : low[i] + high[i];
      const times = irregular ? doubles(fromPlanes(bytes.subarray(at + 2 * n * columns), 8)) : null;
      return { n, low, high, times, value: valueOf };
    },
  };
})();
