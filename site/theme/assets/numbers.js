// Numbers with sigma and units as the pages write them; the same rules as runner/publish/format.py.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar = window.ishtar || /** @type {Ishtar} */ ({});

  const MISSING = "–", NO_BREAK = "\u00a0", MINUS = "−", TIMES = "×", THIN = "\u202f";

  /** @param {number} power @returns {string} */
  const superscript = (power) => [...String(power)].map((c) => c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(c)]).join("");

  /** @param {number} value @returns {number} */
  const exponent = (value) => value ? Number(Math.abs(value).toExponential().split("e")[1]) : 0;

  /** @param {number} value @param {number} decimals @param {boolean} [strip] @returns {string} */
  const plain = (value, decimals, strip) => {
    let text = value.toFixed(Math.min(Math.max(decimals, 0), 12));
    if (strip && text.includes(".")) text = text.replace(/\.?0+$/, "");
    if (Number(text) === 0) text = text.replace("-", "");
    return text.replace("-", MINUS);
  };

  /** Return `10⁻⁶`, `2 × 10⁻⁶`. @param {number} factor @param {number} power @returns {string} */
  const powerOfTen = (factor, power) => `${factor === 1 ? "" : `${factor} ${TIMES}${NO_BREAK}`}10${superscript(power)}`;

  /** @param {number} value @param {number} digits @returns {string} */
  const scientific = (value, digits) => {
    const [mantissa, power] = value.toExponential(digits - 1).split("e");
    const short = mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa;
    return `${short.replace("-", MINUS)} ${TIMES}${NO_BREAK}10${superscript(Number(power))}`;
  };

  /** @param {number} value @param {number} sigma @returns {string} */
  const withSigma = (value, sigma) => {
    let power = exponent(Math.max(Math.abs(value), sigma));
    if (-3 <= power && power < 5) power = 0;
    const v = value / 10 ** power, s = sigma / 10 ** power;
    let decimals = 1 - exponent(s);
    // 0.0996 rounds to 0.10: one digit fewer keeps two significant ones
    if (Number(s.toFixed(Math.min(Math.max(decimals, 0), 12))) >= 10 ** (2 - decimals)) decimals -= 1;
    const pair = `${plain(v, decimals)} ±${NO_BREAK}${plain(s, decimals)}`;
    return power ? `(${pair}) ${TIMES}${NO_BREAK}10${superscript(power)}` : pair;
  };

  /** Return `4.10 ± 0.20`, `3.142`, `12345`. @param {number} value @param {number | null} [sigma] @returns {string} */
  const number = (value, sigma) => {
    if (!Number.isFinite(value)) return Number.isNaN(value) ? MISSING : value > 0 ? "∞" : `${MINUS}∞`;
    if (sigma !== null && sigma !== undefined && Number.isFinite(sigma) && sigma > 0) return withSigma(value, sigma);
    if (Number.isInteger(value) && Math.abs(value) < 1e9) {
      const digits = String(Math.abs(value));
      const grouped = digits.length > 4 ? digits.replace(/\B(?=(\d{3})+$)/g, THIN) : digits;
      return (value < 0 ? MINUS : "") + grouped;
    }
    const size = Math.abs(value);
    return size < 1e-3 || size >= 1e5 ? scientific(value, 4) : plain(value, Math.max(0, 3 - exponent(value)), true);
  };

  const NAMES = /** @type {Record<string, string>} */ ({
    dimensionless: "", 1: "", percent: "%", degC: "°C", delta_degC: "°C", deg: "°", degree: "°", ohm: "Ω", Ohm: "Ω",
    us: "µs", um: "µm", uA: "µA", uV: "µV", volt: "V", ampere: "A", watt: "W", kilowatt: "kW", second: "s",
    millisecond: "ms", meter: "m", metre: "m", pascal: "Pa", tesla: "T", hertz: "Hz", electron_volt: "eV",
  });
  const FACTOR = /^([A-Za-z_%°µΩ]+|1)(?:\s*(?:\^|\*\*)\s*([-+]?\d+))?$/;

  /** @param {[string, number][]} powers @returns {string} */
  const product = (powers) => powers.map(([name, power]) => power === 1 ? name : name + superscript(power)).join(NO_BREAK);

  /** Return a unit as it is printed: `1/m^3` is `m⁻³`; what is no product of powers stays. @param {string} unit @returns {string} */
  const unitText = (unit) => {
    const text = (unit || "").trim();
    if (!text) return "";
    /** @type {[string, number][]} */
    const powers = [];
    for (const [i, part] of text.replaceAll("**", "^").split("/").entries()) {
      for (const factor of part.trim().split(/[*·\s]+/)) {
        const match = FACTOR.exec(factor);
        if (!match) return text;
        const name = match[1] in NAMES ? NAMES[match[1]] : match[1];
        if (name) powers.push([name, Number(match[2] || 1) * (i ? -1 : 1)]);
      }
    }
    const over = powers.filter(([, power]) => power > 0), under = powers.filter(([, power]) => power < 0);
    if (under.length === 1 && over.length) return `${product(over)}/${product([[under[0][0], -under[0][1]]])}`;
    return product([...over, ...under]);
  };

  /**
   * Return the power of ten to take out of a column of values; 0 where they read well as they are.
   * @param {Iterable<any>} values @returns {number}
   */
  const commonPower = (values) => {
    const powers = [];
    for (const value of values) if (typeof value === "number" && value && Number.isFinite(value)) powers.push(exponent(value));
    if (!powers.length) return 0;
    powers.sort((a, b) => a - b);
    const power = powers.length < 3 ? powers[powers.length - 1] : powers[Math.floor(powers.length / 2)];
    return -3 <= power && power < 5 ? 0 : power;
  };

  /** @param {number} power @param {string} unit @returns {string} `10¹⁷ m⁻³` */
  const scaledUnit = (power, unit) => {
    const shown = unitText(unit);
    return power ? `10${superscript(power)}${shown ? NO_BREAK + shown : ""}` : shown;
  };

  /**
   * Return a value as a cell of a table writes it, its unit and power of ten being in the head.
   * @param {any} value @param {number | null} [sigma] @param {number} [power] @returns {string}
   */
  const cell = (value, sigma, power) => {
    if (value === null || value === undefined) return MISSING;
    if (typeof value === "boolean") return value ? "yes" : "no";
    if (typeof value !== "number") return String(value);
    if (!power) return number(value, sigma);
    return number(value / 10 ** power, sigma === null || sigma === undefined ? null : sigma / 10 ** power);
  };

  /** Return a value with its unit. @param {any} value @param {number | null} sigma @param {string} unit @returns {string} */
  const quantity = (value, sigma, unit) => {
    const text = cell(value, sigma), shown = unitText(unit);
    return text === MISSING || !shown ? text : text + (shown === "°" || shown === "%" ? "" : NO_BREAK) + shown;
  };

  /** Numbers that JSON has no word for are texts in the data. @param {any} value @returns {any} */
  const fromData = (value) => value === "nan" ? NaN : value === "inf" ? Infinity : value === "-inf" ? -Infinity : value;

  /**
   * Return round places for an axis that cover a range, and the decimals they need.
   * @param {number} low @param {number} high @param {number} most @returns {{at: number[], decimals: number}}
   */
  const ticks = (low, high, most) => {
    const rough = (high - low) / Math.max(1, most) || 1;
    const base = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 2.5, 5, 10].map((f) => f * base).find((s) => s >= rough * 0.999) || 10 * base;
    const at = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) at.push(i * step);
    const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9) + (step / base === 2.5 ? 1 : 0));
    return { at, decimals };
  };

  ishtar.numbers = { MISSING, cell, commonPower, fromData, number, plain, powerOfTen, quantity, scaledUnit, ticks, unitText };
})();
