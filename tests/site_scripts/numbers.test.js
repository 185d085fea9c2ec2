// Numbers as pages write them: read back by a reader of our own, a number must be what it was.
"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { load, random } = require("./scripts.js");

const { numbers } = load(["numbers"]);
const { cell, number, quantity, scaleOf, ticks, unitText } = numbers;

const SI = { f: -15, p: -12, n: -9, µ: -6, m: -3, "": 0, k: 3, M: 6, G: 9, T: 12 };
const digit = (/** @type {string} */ raised) => raised === "⁻" ? "-" : String("⁰¹²³⁴⁵⁶⁷⁸⁹".indexOf(raised));

/**
 * Read `−1.234 5(12) × 10⁻⁷ kW`: value, sigma and worth of the last digit, in the unit without prefix.
 * @param {string} text @param {string} [unit]
 */
const read = (text, unit = "") => {
  const form = /^(−?)(\d[\d\u202f]*(?:\.[\d\u202f]+)?)(?:\((\d+)\))?(?: ×\u00a010([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?(?:\u00a0(.+))?$/u;
  const match = form.exec(text);
  assert.ok(match, `“${text}” is no number`);
  const [, minus, digits, sigma, raised, shown = ""] = match;
  assert.ok(shown.endsWith(unit), `${text} is in ${shown}, not in ${unit}`);
  const prefix = shown.slice(0, shown.length - unit.length);
  assert.ok(prefix in SI, `${prefix} is no prefix`);
  const power = (raised ? Number([...raised].map(digit).join("")) : 0) + SI[prefix];
  const plain = digits.replaceAll("\u202f", "");
  const places = (plain.split(".")[1] || "").length;
  return {
    value: Number(`${minus ? "-" : ""}${plain}e${power}`), last: 10 ** (power - places), digits: plain.replace(".", "").replace(/^0+/, ""),
    sigma: sigma === undefined ? null : Number(`${sigma}e${power - places}`), sigmaDigits: sigma,
  };
};

/** @param {() => number} next @returns {number} of any size from 1e-9 to 1e9 */
const anySize = (next) => (next() < 0.5 ? -1 : 1) * (1 + 9 * next()) * 10 ** Math.floor(-9 + 18 * next());

test("a value with a sigma reads as the same value, to within its last digit, and two digits of the sigma", () => {
  const next = random(1);
  for (let k = 0; k < 1000; k++) {
    const value = anySize(next), sigma = Math.abs(value) * 10 ** (-6 + 7 * next());
    const text = number(value, sigma), got = read(text), near = `${value} ± ${sigma}: ${text}`;
    const worth = Number(got.sigmaDigits) >= 100 ? 10 * got.last : got.last; // 1200(680): zeros that only fill
    assert.ok(Math.abs(got.value - value) <= 0.5001 * sigma / 10, near);
    assert.ok(Math.abs(got.sigma - sigma) <= 0.051 * sigma, near);
    assert.match(got.sigmaDigits, /^[1-9]\d0*$/, near);
    assert.ok(worth <= sigma, near);
  }
});

test("two digits of sigma stay two where it rounds up to the next power of ten", () => {
  assert.equal(number(1.2345, 0.0996), "1.23(10)");
  assert.equal(number(1.2345, 0.0994), "1.234(99)");
  assert.equal(number(12.3, 0.996), "12.3(10)");
});

test("a value without sigma reads as the same to four digits, or exactly where it is whole", () => {
  const next = random(2);
  for (let k = 0; k < 700; k++) {
    const value = anySize(next), got = read(number(value));
    assert.ok(Math.abs(got.value - value) <= 0.00051 * Math.abs(value), `${value}: ${number(value)}`);
    const whole = Math.round(value) + 0; // no -0
    assert.equal(read(number(whole)).value, whole);
  }
});

test("numbers by hand", () => {
  for (const [value, sigma, text] of [
    [4.1, 0.2, "4.10(20)"], [-4.1, 0.2, "−4.10(20)"], [3.14159, null, "3.142"], [12345, null, "12\u202f345"], [1234, null, "1234"],
    [0.25, null, "0.25"], [2e-5, null, "2 ×\u00a010⁻⁵"], [123456.7, null, "1.235 ×\u00a010⁵"], [12345.678, null, "12\u202f346"],
    [1.23456789, 2e-7, "1.234\u202f567\u202f89(20)"], [1.6e17, 2e15, "1.600(20) ×\u00a010¹⁷"], [12345, 678, "12\u202f350(680)"],
    [0.00999, 0.0003, "0.009\u202f99(30)"], [0.000999, 0.00003, "9.99(30) ×\u00a010⁻⁴"], [99999, 10, "99\u202f999(10)"],
    [0, 0.5, "0.00(50)"], [0, null, "0"], [-0.0001, 0.5, "0.00(50)"], [NaN, 1, "–"], [Infinity, null, "∞"], [-Infinity, 1, "−∞"],
    [2, 0, "2"], [2, NaN, "2"], [2, Infinity, "2"], [1, 1e-17, "1"],
  ]) assert.equal(number(value, sigma), text, `${value} ± ${sigma}`);
});

test("a quantity has a prefix that fits, and reads as what it was", () => {
  const next = random(3);
  for (const unit of ["W", "Hz", "V", "A", "T", "Pa", "eV"]) {
    for (let k = 0; k < 100; k++) {
      const value = anySize(next), sigma = k % 2 ? Math.abs(value) * (1e-5 + 0.9 * next()) : null;
      const text = quantity(value, sigma, unit, true), got = read(text, unit), near = `${value} ± ${sigma} ${unit}: ${text}`;
      assert.ok(Math.abs(got.value - value) <= (sigma === null ? 0.00051 * Math.abs(value) : 0.051 * sigma), near);
      if (sigma) assert.ok(Math.abs(got.sigma - sigma) <= 0.051 * sigma, near);
      assert.doesNotMatch(text, /×/, near); // of these sizes every one has a prefix
      const shown = Math.abs(got.value) / 10 ** SI[/\u00a0(.*)$/.exec(text)[1].slice(0, -unit.length)];
      assert.ok(0.0999 <= shown && shown < 1000.1, near);
    }
  }
});

test("quantities by hand", () => {
  for (const [value, sigma, unit, text] of [
    [5860419, 15, "Hz", "5.860\u202f419(15)\u00a0MHz"], [47000, null, "W", "47\u00a0kW"], [999.96, null, "W", "1\u00a0kW"], [0.0047, null, "kW", "4.7\u00a0W"],
    [1500, null, "s", "1500\u00a0s"], [0.0015, null, "s", "1.5\u00a0ms"], [1.2e17, 1e15, "1/m^3", "1.200(10) ×\u00a010¹⁷\u00a0m⁻³"],
    [45, null, "deg", "45°"], [12.5, null, "percent", "12.5%"], [2500, null, "m", "2.5\u00a0km"], [2500, null, "K", "2500\u00a0K"],
    [1234567, null, "Hz", "1.234\u202f567\u00a0MHz"], [0.2, null, "V", "0.2\u00a0V"], [999, null, "V", "999\u00a0V"], [20, null, "dBm", "20\u00a0dBm"],
    [true, null, "", "yes"], [false, null, "", "no"], [null, null, "V", "–"], [undefined, null, "V", "–"], [NaN, null, "V", "–"], ["H", null, "", "H"],
  ]) assert.equal(quantity(value, sigma, unit), text, `${value} ± ${sigma} ${unit}`);
});

/** @param {number} z @returns {number} of a normal distribution, what lies below z; the midpoint rule over its density */
const below = (z) => {
  const steps = 2000, width = (z + 10) / steps;
  let sum = 0;
  for (let k = 0; k < steps; k++) sum += Math.exp(-((-10 + (k + 0.5) * width) ** 2) / 2);
  return sum * width / Math.sqrt(2 * Math.PI);
};

test("what cannot be below zero and is within its sigma of it is an upper limit with 90 % confidence", () => {
  const next = random(4);
  for (let k = 0; k < 200; k++) {
    const sigma = (1 + 9 * next()) * 10 ** Math.floor(-9 + 15 * next()), value = sigma * (2 * next() - 1);
    const text = quantity(value, sigma, "W");
    assert.ok(text.startsWith("<\u00a0"), text);
    const { value: limit, digits } = read(text.slice(2), "W");
    assert.equal(digits.replace(/0+$/, "").length, 1, text); // one digit
    const lead = 10 ** Math.floor(Math.log10(limit * 1.0000001));
    assert.ok(below((limit * 1.000001 - Math.max(value, 0)) / sigma) >= 0.89999, text);
    // one less in that digit (0.9 below 1) would be less than 90 %
    const less = limit / lead < 1.5 ? limit - 0.1 * lead : limit - lead;
    assert.ok(below((less - Math.max(value, 0)) / sigma) < 0.90001, text);
  }
  assert.equal(quantity(2e-5, 7e-5, "W"), "<\u00a00.2\u00a0mW");
  assert.equal(quantity(1e15, 2e15, "m**-3"), "<\u00a04 ×\u00a010¹⁵\u00a0m⁻³");
  assert.equal(quantity(1, 1, "W"), "<\u00a03\u00a0W"); // just within
  assert.equal(quantity(1.01, 1, "W"), "1.0(10)\u00a0W");
});

test("whether a quantity can be below zero is as somebody says, else as its unit suggests", () => {
  assert.match(quantity(0.1, 0.2, "V"), /^0\.10\(20\)/);
  assert.match(quantity(0.1, 0.2, "V", false), /^</);
  assert.match(quantity(0.1, 0.2, "W", true), /^0\.10\(20\)|^100\(200\)/);
  assert.deepEqual(["W", "kW", "1/m^3", "cm^-3", "V", "", "dBm", "m"].map(numbers.isSigned), [false, false, false, false, true, true, true, true]);
});

test("units as they are printed", () => {
  for (const [given, shown] of [
    ["1/m^3", "m⁻³"], ["m**-3", "m⁻³"], ["V/m", "V/m"], ["V*m**-1", "V/m"], ["V * m ** -1", "V * m ** -1"], ["kg*m/s^2", "kg\u00a0m/s²"], ["W/m^2/K", "W\u00a0m⁻²\u00a0K⁻¹"],
    ["degC", "°C"], ["percent", "%"], ["ohm", "Ω"], ["us", "µs"], ["dimensionless", ""], ["1", ""], ["", ""], ["  eV ", "eV"],
    ["A^2", "A²"], ["m^-12", "m⁻¹²"], ["dB(1 mW)", "dB(1 mW)"], ["V·s", "V\u00a0s"], ["toString", "toString"],
  ]) assert.equal(unitText(given), shown, given);
});

test("a printed unit and its prefix", () => {
  for (const [shown, base, own] of [
    ["kW", "W", 3], ["W", "W", 0], ["mPa", "Pa", -3], ["fW", "W", -15], ["Pa", "Pa", 0], ["T", "T", 0], ["TT", "T", 12], ["m", "m", 0], ["km", "m", 3],
    ["Mm", "", 0], ["ms", "s", -3], ["ks", "", 0], ["µΩ", "Ω", -6], ["min", "", 0], ["m⁻³", "", 0], ["", "", 0],
  ]) assert.deepEqual(numbers.split(shown), { base, own }, shown);
});

test("a column is told in what fits its middle value; the head and a cell give back the value", () => {
  for (const [values, unit, power, shown] of [
    [[2e3, 4e3, 9e5], "W", 3, "kW"], [[0.002, 0.004], "V", -3, "mV"], [[1e17, 2e17, 3e18], "m^-3", 17, "10¹⁷\u00a0m⁻³"], [[1, 2, 300], "V", 0, "V"],
    [[], "V", 0, "V"], [[null, "x", NaN, Infinity, 0], "V", 0, "V"], [[2e6, 2e6], "", 6, "10⁶"], [[2e4], "counts", 0, "counts"], [[1e-6, 5e5, 2e6], "arb", 5, "10⁵\u00a0arb"],
  ]) {
    const scale = scaleOf(values, unit);
    assert.deepEqual(scale, { power, unit: shown }, `${values} ${unit}`);
    for (const value of values.filter((v) => typeof v === "number" && v && Number.isFinite(v))) {
      const text = cell(value, null, unit, scale);
      if (text.endsWith(unitText(unit)) && unit && text !== number(value)) continue; // has a unit of its own
      assert.ok(Math.abs(read(text).value * 10 ** scale.power - value) <= 0.0006 * value, `${value} ${unit}: ${text}`);
    }
  }
});

test("a cell that would be all zeros below its head, or an upper limit, has its own unit", () => {
  const kilo = { power: 3, unit: "kW" };
  assert.equal(cell(4700, 100, "W", kilo), "4.70(10)");
  assert.equal(cell(0.5, null, "W", kilo), "0.5\u00a0W");
  assert.equal(cell(1.5, null, "W", kilo), "0.0015");
  assert.equal(cell(3e8, null, "W", kilo), "300\u00a0MW");
  assert.equal(cell(1, 2, "W", kilo), "<\u00a04\u00a0W");
  assert.equal(cell(0, null, "W", kilo), "0");
  assert.deepEqual([null, undefined, true, false, "a", NaN].map((v) => cell(v, null, "W", kilo)), ["–", "–", "yes", "no", "a", "–"]);
});

test("what JSON has no word for is a text in the data", () => {
  assert.deepEqual(["nan", "inf", "-inf", 3, "4", null].map(numbers.fromData), [NaN, Infinity, -Infinity, 3, "4", null]);
});

test("ticks are round, evenly apart, within the range, no more than asked for, and labels tell them exactly", () => {
  const next = random(5);
  for (let k = 0; k < 700; k++) {
    const low = anySize(next), high = low + 10 ** (-8 + 16 * next()) * Math.max(1e-6, Math.abs(low)) * 1e-2, most = 2 + Math.floor(10 * next());
    const { at, decimals } = ticks(low, high, most), near = `${low} … ${high}, ${most}: ${at}`;
    assert.ok(at.length <= most + 1, near);
    if (at.length < 2) {
      assert.ok(most < 5, near); // five places leave room for two round ones
      continue;
    }
    const step = at[1] - at[0], unit = step / 10 ** Math.floor(Math.log10(step * (1 + 1e-4)));
    assert.ok([1, 2, 2.5, 5].some((f) => Math.abs(unit / f - 1) < 1e-4), near);
    assert.ok(at[0] >= low - 1e-6 * step && at[at.length - 1] <= high + 1e-6 * step, near);
    assert.ok(low + step > at[0] - 1e-6 * step && at[at.length - 1] + step > high - 1e-6 * step, near); // none is left out at the ends
    for (let i = 1; i < at.length; i++) assert.ok(Math.abs(at[i] - at[i - 1] - step) < 1e-4 * step, near);
    for (const v of at) if (decimals <= 15) assert.ok(Math.abs(Number(numbers.plain(v, decimals).replace("−", "-")) - v) <= 1e-4 * step, near);
    if (decimals) assert.ok(at.some((v) => !numbers.plain(v, decimals).endsWith("0")), near); // no more digits than needed
  }
  assert.deepEqual(ticks(3, 3, 5).at, [3]);
  assert.deepEqual(ticks(1, 10, 4), { at: [2.5, 5, 7.5, 10], decimals: 1 });
  assert.deepEqual(ticks(0, 1e-3, 4).decimals, 5); // 0.25, 0.5 … × 10⁻³
});

test("a column of mostly nothing has the unit of its largest values", () => {
  assert.equal(scaleOf([0.8, 29e-6, 31e-6, 2e-6, 28e-6], "W").unit, "W");
  assert.equal(scaleOf([0.02, 29e-6, 31e-6, 2e-3, 28e-6], "W").unit, "µW");
});
