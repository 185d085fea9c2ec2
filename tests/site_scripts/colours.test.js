// Colours of data.
"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { load } = require("./scripts.js");

const coloursFor = (/** @type {boolean} */ dark) => load(["colours"], { matchMedia: (/** @type {string} */ q) => ({ matches: dark && /dark/.test(q) }) }).colours;

/** The relative luminance of WCAG 2. @param {number[]} rgb */
const luminance = (rgb) => {
  const [r, g, b] = rgb.map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
/** CIE lightness, which is even to the eye. @param {number[]} rgb */
const lightness = (rgb) => 116 * Math.cbrt(luminance(rgb)) - 16;
const rgbOf = (/** @type {string} */ css) => (/^rgb\((\d+) (\d+) (\d+)\)$/.exec(css) || assert.fail(css)).slice(1).map(Number);
const hex = (/** @type {string} */ css) => [1, 3, 5].map((i) => parseInt(css.slice(i, i + 2), 16));

for (const dark of [false, true]) {
  test(`the map for numbers is even to the eye from end to end, on ${dark ? "dark" : "light"} paper`, () => {
    const { scale } = coloursFor(dark);
    const steps = Array.from({ length: 33 }, (_, k) => lightness(rgbOf(scale(k / 32))));
    const mean = (steps[32] - steps[0]) / 32;
    assert.ok(mean > 1.5); // from dark to light
    for (let k = 1; k < 33; k++) assert.ok(Math.abs(steps[k] - steps[k - 1] - mean) < 0.6 * mean, `${k}: ${steps[k] - steps[k - 1]}`);
    assert.equal(scale(-1), scale(0));
    assert.equal(scale(2), scale(1));
    const paper = dark ? 0.01 : 1;
    for (let k = 0; k <= 32; k++) {
      const own = luminance(rgbOf(scale(k / 32)));
      assert.ok((Math.max(own, paper) + 0.05) / (Math.min(own, paper) + 0.05) > 1.5, `${k}`); // clear of the paper
    }
  });
}

test("each kind has a colour and a shape, and none of many has both of another", () => {
  const { kind, MOST_KINDS } = coloursFor(false);
  const first = Array.from({ length: MOST_KINDS }, (_, k) => kind(k));
  assert.equal(new Set(first.map((l) => l.colour)).size, MOST_KINDS);
  assert.equal(new Set(first.map((l) => l.shape)).size, MOST_KINDS);
  // seen without hue, neighbours still differ: in lightness or in shape
  for (const { colour } of first) assert.match(colour, /^#[0-9a-f]{6}$/);
  assert.ok(first.every((a) => first.every((b) => a === b || hex(a.colour).some((c, i) => Math.abs(c - hex(b.colour)[i]) > 40))));
});
