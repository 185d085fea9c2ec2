// Numbers with sigma and units as the pages write them; the same rules as runner/render/format.py
// and quantities.py.
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
    let text = value.toFixed(Math.min(Math.max(decimals, 0), 15));
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

  /**
   * A row of more than four digits in groups of three. @param {string} digits @param {boolean} [fromLeft] @returns {string}
   */
  const grouped = (digits, fromLeft) => digits.length < 5 ? digits
    : digits.replace(fromLeft ? /(\d{3})(?=\d)/g : /\B(?=(\d{3})+$)/g, fromLeft ? `$1${THIN}` : THIN);

  /** The same as `plain`, long rows of digits in groups. @param {number} value @param {number} decimals @param {boolean} [strip] @returns {string} */
  const told = (value, decimals, strip) => {
    const text = plain(value, decimals, strip);
    const sign = text.startsWith(MINUS) ? MINUS : "";
    const [whole, places] = text.slice(sign.length).split(".");
    return sign + grouped(whole) + (places === undefined ? "" : `.${grouped(places, true)}`);
  };

  /** The decimals that give a sigma two significant digits. @param {number} sigma @returns {number} */
  const sigmaDecimals = (sigma) => {
    const decimals = 1 - exponent(sigma);
    const rounded = Math.round(sigma * 10 ** decimals) / 10 ** decimals;
    // 0.0996 rounds to 0.10: one digit fewer keeps two significant ones
    return rounded >= 10 ** (2 - decimals) ? decimals - 1 : decimals;
  };

  /** @param {number} value @param {number} sigma @returns {string} */
  const withSigma = (value, sigma) => {
    let power = exponent(Math.max(Math.abs(value), sigma));
    if (-3 <= power && power < 5) power = 0;
    const v = value / 10 ** power, s = sigma / 10 ** power;
    const decimals = sigmaDecimals(s);
    let text;
    if (decimals > 14 - exponent(Math.max(Math.abs(v), s))) text = told(v, 12, true); // limit of float64
    else if (decimals > 0) text = `${told(v, decimals)}(${s.toFixed(decimals).replace(".", "").replace(/^0+/, "")})`;
    else {
      const step = 10 ** -decimals;
      text = `${told(Math.round(v / step) * step, 0)}(${(Math.round(s / step) * step).toFixed(0)})`;
    }
    return power ? `${text} ${TIMES}${NO_BREAK}10${superscript(power)}` : text;
  };

  /** Return `4.10(20)`, `3.142`, `12 345`. @param {number} value @param {number | null} [sigma] @returns {string} */
  const number = (value, sigma) => {
    if (!Number.isFinite(value)) return Number.isNaN(value) ? MISSING : value > 0 ? "∞" : `${MINUS}∞`;
    if (isSigma(sigma)) return withSigma(value, /** @type {number} */ (sigma));
    if (Number.isInteger(value) && Math.abs(value) < 1e9) return (value < 0 ? MINUS : "") + grouped(String(Math.abs(value)));
    const size = Math.abs(value);
    return size < 1e-3 || size >= 1e5 ? scientific(value, 4) : told(value, Math.max(0, 3 - exponent(value)), true);
  };

  /** @param {any} sigma @returns {boolean} */
  const isSigma = (sigma) => typeof sigma === "number" && Number.isFinite(sigma) && sigma > 0;

  const NAMES = /** @type {Record<string, string>} */ ({
    dimensionless: "", 1: "", percent: "%", degC: "°C", delta_degC: "°C", deg: "°", degree: "°", ohm: "Ω", Ohm: "Ω",
    us: "µs", um: "µm", uA: "µA", uV: "µV", volt: "V", ampere: "A", watt: "W", kilowatt: "kW", second: "s",
    millisecond: "ms", meter: "m", metre: "m", pascal: "Pa", tesla: "T", hertz: "Hz", electron_volt: "eV",
  });
  const FACTOR = /^([A-Za-z_%°µΩ]+|1)(?:\s*(?:\^|\*\*)\s*([-+]?\d+))?$/;

  /** @param {[string, number][]} powers @returns {string} */
  const product = (powers) => powers.map(([name, power]) => power === 1 ? name : name + superscript(power)).join(NO_BREAK);

  /** Return a unit as it is printed: `1/m^3` is `m⁻³`; anything else stays as it is. @param {string} unit @returns {string} */
  const unitText = (unit) => {
    const text = (unit || "").trim();
    if (!text) return "";
    /** @type {[string, number][]} */
    const powers = [];
    for (const [i, part] of text.replaceAll("**", "^").split("/").entries()) {
      for (const factor of part.trim().split(/[*·\s]+/)) {
        const match = FACTOR.exec(factor);
        if (!match) return text;
        const name = Object.hasOwn(NAMES, match[1]) ? NAMES[match[1]] : match[1];
        if (name) powers.push([name, Number(match[2] || 1) * (i ? -1 : 1)]);
      }
    }
    const over = powers.filter(([, power]) => power > 0), under = powers.filter(([, power]) => power < 0);
    if (under.length === 1 && over.length) return `${product(over)}/${product([[under[0][0], -under[0][1]]])}`;
    return product([...over, ...under]);
  };

  /**
   * Return the power of ten to take out of a column of values; 0 if they are readable as they are.
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

  // units with SI prefixes ------------------------------------------------------------------------

  const PREFIXES = /** @type {Record<string, string>} */ ({ "-15": "f", "-12": "p", "-9": "n", "-6": "µ", "-3": "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T" });
  /** Prefixes from the first to the last that people use with a unit. */
  const PREFIXED = /** @type {Record<string, [number, number]>} */ (Object.fromEntries([
    ...["W", "Hz", "V", "A", "T", "Pa", "J", "Ω", "eV", "F", "H", "N", "C"].map((u) => [u, [-15, 12]]),
    ...["s", "K", "bar", "Torr"].map((u) => [u, [-15, 0]]), ["m", [-15, 3]],
  ]));
  const NEVER_NEGATIVE = ["m⁻³", "cm⁻³"];
  const MAX_DIGITS = 5; // before the point, of the largest value of a column
  const LIMIT_SIGMAS = 1.2816; // 90 % of a normal distribution are below the mean plus this many sigmas

  /** A printed unit without its prefix, and the power of that. @param {string} shown @returns {{base: string, own: number}} `base` is empty if it takes no prefix */
  const split = (shown) => {
    if (Object.hasOwn(PREFIXED, shown)) return { base: shown, own: 0 };
    for (const [power, prefix] of Object.entries(PREFIXES)) {
      const base = shown.slice(1), range = Object.hasOwn(PREFIXED, base) ? PREFIXED[base] : null;
      if (prefix && shown.startsWith(prefix) && range && range[0] <= Number(power) && Number(power) <= range[1]) return { base, own: Number(power) };
    }
    return { base: "", own: 0 };
  };

  /**
   * The most readable power of ten and unit for a value of this size.
   * @param {number} size @param {string} unit @param {boolean} [isLimit] one may begin with 0.1 of the larger unit
   * @returns {{power: number, unit: string}}
   */
  const prefixed = (size, unit, isLimit) => {
    const shown = unitText(unit), { base, own } = split(shown);
    if (!base || !size || !Number.isFinite(size) || (0.1 <= size && size < 1000)) return { power: 0, unit: shown };
    const first = exponent(size) + own;
    const wanted = 3 * Math.floor((isLimit && first < 0 ? first + 1 : first) / 3);
    const best = Math.min(Math.max(wanted, PREFIXED[base][0]), PREFIXED[base][1]);
    return { power: best - own, unit: PREFIXES[String(best)] + base };
  };

  /** The scale of a column of values: a prefix, else a power of ten, if any. @param {Iterable<any>} values @param {string} unit @returns {NumberScale} */
  const scaleOf = (values, unit) => {
    const shown = unitText(unit);
    const powers = [];
    for (const value of values) if (typeof value === "number" && value && Number.isFinite(value)) powers.push(exponent(value));
    if (!powers.length) return { power: 0, unit: shown };
    if (split(shown).base) {
      powers.sort((a, b) => a - b);
      const largest = powers[powers.length - 1], typical = powers.length < 3 ? largest : powers[Math.floor(powers.length / 2)];
      const found = prefixed(Number(`1e${typical}`), unit);
      return largest - found.power < MAX_DIGITS ? found : prefixed(Number(`1e${largest}`), unit);
    }
    const power = commonPower(powers.map((p) => Number(`1e${p}`)));
    return { power, unit: scaledUnit(power, unit) };
  };

  /** @param {string} unit @returns {boolean} whether a quantity with this unit may be negative */
  const isSigned = (unit) => {
    const shown = unitText(unit);
    return split(shown).base !== "W" && !NEVER_NEGATIVE.includes(shown);
  };

  /** Whether a value lies within its sigma of zero, on a scale that ends there. @param {any} value @param {any} sigma @param {string} unit @param {boolean | null} [signed] */
  const isLimit = (value, sigma, unit, signed) => typeof value === "number" && isSigma(sigma) && Math.abs(value) <= sigma && !(signed ?? isSigned(unit));

  /** The upper limit of a quantity at 90 % confidence, rounded up to one digit. @param {number} value @param {number} sigma @returns {number} */
  const upperLimit = (value, sigma) => {
    const limit = Math.max(value, 0) + LIMIT_SIGMAS * sigma, power = exponent(limit);
    return Number(`${Math.ceil(limit / 10 ** power - 1e-9)}e${power}`);
  };

  /** @param {string} text @param {string} unit @returns {string} */
  const joined = (text, unit) => text === MISSING || !unit ? text : text + (unit === "°" || unit === "%" ? "" : NO_BREAK) + unit;

  /**
   * Return a formatted value with its unit: `5.860 419(15) MHz`, `< 0.1 mW`.
   * @param {any} value @param {number | null | undefined} sigma @param {string} unit
   * @param {boolean | null} [signed] whether it can be negative; by default judged from its unit
   * @returns {string}
   */
  const quantity = (value, sigma, unit, signed) => {
    if (value === null || value === undefined) return MISSING;
    if (typeof value === "boolean") return value ? "yes" : "no";
    if (typeof value !== "number") return joined(String(value), unitText(unit));
    if (Number.isNaN(value)) return MISSING;
    if (isLimit(value, sigma, unit, signed)) {
      const limit = upperLimit(value, /** @type {number} */ (sigma)), of = prefixed(limit, unit, true);
      const told = limit / 10 ** of.power;
      return joined(`<${NO_BREAK}${told < 1e5 ? number(told) : scientific(told, 4)}`, of.unit);
    }
    const known = isSigma(sigma) ? /** @type {number} */ (sigma) : null;
    const size = Math.max(Math.abs(value), known || 0);
    const places = known ? sigmaDecimals(known) : 0;
    const rounded = known ? Math.round(size * 10 ** places) / 10 ** places : Number(size.toExponential(3));
    const of = prefixed(rounded, unit);
    if (!known && of.power > 0 && Number.isInteger(value) && Math.abs(value) < 1e9) return joined(told(value / 10 ** of.power, of.power, true), of.unit);
    return joined(of.power ? number(value / 10 ** of.power, known && known / 10 ** of.power) : number(value, known), of.unit);
  };

  /**
   * Return a value for a cell of a table, with the unit in the header. One that would round to zero there,
   * or an upper limit, has its own unit.
   * @param {any} value @param {number | null | undefined} sigma @param {string} unit @param {NumberScale} scale @param {boolean | null} [signed]
   * @returns {string}
   */
  const cell = (value, sigma, unit, scale, signed) => {
    if (value === null || value === undefined) return MISSING;
    if (typeof value === "boolean") return value ? "yes" : "no";
    if (typeof value !== "number") return String(value);
    if (isLimit(value, sigma, unit, signed)) return quantity(value, sigma, unit, signed);
    const size = Math.abs(value) / 10 ** scale.power;
    if (scale.power && size && Number.isFinite(size) && !(1e-3 <= size && size < 1e5)) return quantity(value, sigma, unit, signed);
    if (!scale.power) return number(value, sigma);
    return number(value / 10 ** scale.power, isSigma(sigma) ? /** @type {number} */ (sigma) / 10 ** scale.power : null);
  };

  /** Numbers missing from JSON are texts in the data. @param {any} value @returns {any} */
  const fromData = (value) => value === "nan" ? NaN : value === "inf" ? Infinity : value === "-inf" ? -Infinity : value;

  /**
   * Return round places for an axis that cover a range, and the decimals they need.
   * @param {number} low @param {number} high @param {number} most @returns {{at: number[], decimals: number}}
   */
  const ticks = (low, high, most) => {
    const rough = (high - low) / Math.max(1, most) || 1;
    const base = 10 ** Math.floor(Math.log10(rough));
    const factor = [1, 2, 2.5, 5].find((f) => f * base >= rough * 0.999) || 10, step = factor * base;
    const at = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) at.push(i * step);
    const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9) + (factor === 2.5 ? 1 : 0));
    return { at, decimals };
  };

  ishtar.numbers = { MISSING, cell, commonPower, fromData, isSigned, number, plain, powerOfTen, quantity, scaledUnit, scaleOf, split, ticks, unitText };
})();
