// Values of curves at a time, and their format.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar;
  const MINUS = "−";

  /** @param {Piece} piece @param {number} time @returns {number} the last point not after a time; -1 before the first */
  const before = (piece, time) => {
    let [low, high] = [0, piece.n];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (piece.time(middle) <= time) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  };

  /** @param {Piece[]} pieces @param {number} time @returns {[Piece, number] | null} a point: the nearest sample, or the stretch around a time */
  const find = (pieces, time) => {
    for (const piece of pieces) {
      if (time < piece.time(0) && piece !== pieces[0] || time > piece.time(piece.n) && piece !== pieces[pieces.length - 1]) continue;
      let i = before(piece, time);
      if (piece.stride === 1) {
        if (i < 0 || i + 1 < piece.n && piece.time(i + 1) - time < time - piece.time(i)) i += 1;
        // half a sample beyond the record counts as its end
        const last = piece.n - 1, each = piece.time(piece.n) - piece.time(last);
        if (i === 0 && piece.time(0) - time > each || i === last && time - piece.time(last) > each) continue;
        return [piece, i];
      }
      if (i >= 0 && time <= piece.time(piece.n)) return [piece, Math.min(i, piece.n - 1)];
    }
    return null;
  };

  /** @param {number} value @returns {number} */
  const exponent = (value) => value ? Math.floor(Math.log10(Math.abs(value))) : 0;

  ishtar.readings = {
    at(pieces, time) {
      const found = find(pieces, time);
      if (!found) return null;
      const [piece, i] = found;
      const low = piece.low(i);
      return Number.isNaN(low) ? null : { low, high: piece.high(i), step: piece.step(i), stride: piece.stride };
    },

    next(pieces, time, by) {
      const found = find(pieces, time);
      if (!found) return null;
      let k = pieces.indexOf(found[0]), i = found[1] + by;
      while (i < 0 && k > 0) i += pieces[--k].n;
      while (i >= pieces[k].n && k + 1 < pieces.length) i -= pieces[k++].n;
      i = Math.min(Math.max(i, 0), pieces[k].n - 1);
      const piece = pieces[k];
      return piece.stride > 1 ? (piece.time(i) + piece.time(i + 1)) / 2 : piece.time(i);
    },

    text({ low, high, step, stride }) {
      const values = stride === 1 ? [low] : [low, high];
      const size = Math.max(...values.map(Math.abs));
      const power = exponent(size), fine = exponent(step || size * 1e-4 || 1);
      const out = power >= -2 && power < 6 ? 0 : power;
      const decimals = Math.min(Math.max(out - fine, 0), Math.max(6 - power + out, 0), 12);
      const text = values.map((value) => {
        const digits = (value / 10 ** out).toFixed(decimals);
        return (Number(digits) === 0 ? digits.replace("-", "") : digits).replace("-", MINUS);
      }).join(" … ");
      if (!out) return text;
      const high10 = [...String(out)].map((c) => c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(c)]).join("");
      return `${stride === 1 ? text : `(${text})`} × 10${high10}`;
    },

    level(stride, each, along) {
      if (!stride) return "loading";
      const told = each > 0 && along.base !== ""; // a point of one sample needs no length
      if (stride === 1) return told ? `single samples, ${along.length(each)} apart` : "single samples";
      const length = told ? ` (${along.length(each * stride)})` : "";
      return `each point is ${stride} samples${length}, minimum and maximum`;
    },
  };
})();
