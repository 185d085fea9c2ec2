// Colours of data: a perceptually uniform map for numbers, the Okabe–Ito palette for kinds.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar;

  // The ends of cividis (Nuñez, Anderton, Renslow 2018) stay clear of both papers: in the dark the map begins
  // lighter, in the light it ends darker.
  const CIVIDIS = [
    [0, 34, 78], [8, 51, 112], [53, 69, 108], [79, 87, 108], [102, 105, 112], [125, 124, 120],
    [148, 142, 119], [174, 163, 113], [200, 184, 102], [229, 207, 82], [254, 232, 56],
  ];
  // Okabe and Ito, 2008; black and white give way to the ink of the page
  const KINDS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442"];
  const SHAPES = ["circle", "square", "triangle", "diamond", "cross", "plus", "down"];

  const isDark = () => matchMedia("(prefers-color-scheme: dark)").matches;

  /** @param {number} part 0 … 1 @returns {string} */
  const scale = (part) => {
    const [low, high] = isDark() ? [0.3, 1] : [0, 0.88];
    const at = (low + (high - low) * Math.min(1, Math.max(0, part))) * (CIVIDIS.length - 1);
    const i = Math.min(CIVIDIS.length - 2, Math.floor(at)), f = at - i;
    const mixed = CIVIDIS[i].map((c, k) => Math.round(c + (CIVIDIS[i + 1][k] - c) * f));
    return `rgb(${mixed.join(" ")})`;
  };

  /** The colour and shape of the k-th kind; when the colours repeat, the shapes change. @param {number} k */
  const kind = (k) => ({ colour: KINDS[k % KINDS.length], shape: SHAPES[k % SHAPES.length] });

  ishtar.colours = { scale, kind, isDark, MOST_KINDS: KINDS.length };
})();
