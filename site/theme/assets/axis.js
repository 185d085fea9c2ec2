// An axis of a plot: maps values to positions, linear or logarithmic, and chooses round values for its labels.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar;
  const { numbers } = ishtar;
  const ROOM = 0.06; // of its length, beyond the outermost values
  const FAR = 3; // a bar that reaches further down than this factor leaves a logarithmic axis

  /** Round places of a time axis, days or parts of a day. @param {number} low @param {number} high @param {number} most */
  const timeTicks = (low, high, most) => {
    const MINUTE = 60e3, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
    const steps = [MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 91 * DAY, 365 * DAY, 3650 * DAY];
    const fits = steps.findIndex((s) => (high - low) / s <= most);
    let k = fits < 0 ? steps.length - 1 : fits, step = steps[k];
    /** @type {number[]} */
    let at = [];
    // a single label does not show the scale of the axis
    for (; k >= 0 && at.length < 2; k--) {
      step = steps[k];
      at = [];
      for (let t = Math.ceil(low / step) * step; t <= high; t += step) at.push(t);
    }
    return at.map((t) => {
      const iso = new Date(t).toISOString();
      return { at: t, text: step >= DAY || iso.slice(11, 16) === "00:00" ? iso.slice(0, 10) : iso.slice(11, 16) };
    });
  };

  /** @param {number} low @param {number} high @param {number} most @returns {{at: number, text: string}[]} */
  const linearTicks = (low, high, most) => {
    const { at, decimals } = numbers.ticks(low, high, most);
    return at.map((/** @type {number} */ v) => ({ at: v, text: numbers.plain(v, decimals) }));
  };

  /** @param {number} low @param {number} high @param {number} most */
  const wholeTicks = (low, high, most) => linearTicks(low, high, most).filter((t) => Number.isInteger(Math.round(t.at * 1e9) / 1e9))
    .map((t) => ({ at: t.at, text: numbers.plain(t.at, 0) }));

  /** Powers of ten; 1 and 3, or 1, 2 and 5, if these are few; otherwise as on a linear axis. @param {number} low @param {number} high @param {number} most */
  const logTicks = (low, high, most) => {
    const first = Math.floor(Math.log10(low)), last = Math.ceil(Math.log10(high));
    const every = Math.max(1, Math.ceil((last - first) / most));
    for (const steps of [[1], [1, 3], [1, 2, 5]]) {
      const found = [];
      for (let power = Math.ceil(first / every) * every; power <= last; power += every) {
        for (const step of steps) {
          const at = step * 10 ** power;
          // each decade has its most readable form
          if (low <= at && at <= high) found.push({ at, text: -4 < power && power < 5 ? numbers.plain(at, -power) : numbers.powerOfTen(step, power) });
        }
      }
      if (found.length > 2) return found;
    }
    return linearTicks(low, high, most).filter((t) => t.at > 0);
  };

  /**
   * Return an axis over values, with some room around them.
   * @param {ScatterAxis} of @param {{at: number, sigma: number | null}[]} values above zero where it is logarithmic
   * @returns {Axis}
   */
  ishtar.axis = (of, values) => {
    const scale = of.isLog ? Math.log10 : (/** @type {number} */ v) => v;
    const back = of.isLog ? (/** @type {number} */ v) => 10 ** v : (/** @type {number} */ v) => v;
    let low = Infinity, high = -Infinity;
    for (const { at, sigma } of values) {
      const least = at - (sigma ?? 0);
      low = Math.min(low, scale(of.isLog ? Math.max(least, at / FAR) : least));
      high = Math.max(high, scale(at + (sigma ?? 0)));
    }
    if (low === Infinity) [low, high] = [0, 1];
    else {
      const room = high > low ? (high - low) * ROOM : of.isLog ? 0.3 : Math.abs(high) * 0.1 || 1;
      [low, high] = [low - room, high + room];
    }
    return {
      part: (v) => of.isLog && v <= 0 ? 0 : Math.min(1, Math.max(0, (scale(v) - low) / (high - low))),
      ticks: (most) => of.isTime ? timeTicks(low, high, most)
        : of.isLog ? logTicks(back(low), back(high), most)
        : of.isWhole ? wholeTicks(low, high, most) : linearTicks(low, high, most),
    };
  };
})();
