// Choosing shots and signals in the trace viewer.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar;
  const { el, viewer } = ishtar;
  if (!viewer) return;
  const host = /** @type {HTMLElement} */ (document.getElementById("trace-pick"));

  /** @template T @param {T[]} list @param {T} value @returns {T[]} */
  const toggled = (list, value) => list.includes(value) ? list.filter((v) => v !== value) : [...list, value];
  /** @param {number} shot */
  const toggleShot = (shot) => viewer.take(toggled(viewer.shots(), shot), viewer.signals());

  /** @returns {PickerItem[]} the newest first */
  const shotItems = () => viewer.known().map((n) => ({
    value: String(n), text: String(n), note: "", disabled: viewer.shots().length >= ishtar.MOST_SHOTS,
  })).reverse();

  /** @returns {PickerItem[]} of all shots shown; a signal can be chosen if some of them can draw it */
  const signalItems = () => {
    /** @type {Map<string, PickerItem>} */
    const found = new Map();
    for (const shot of viewer.shots()) {
      for (const signal of viewer.index(shot)?.signals || []) {
        const { name, unit, problem, levels, x_unit: x } = signal;
        const usable = !problem && levels.length > 0;
        if (!usable && found.has(name)) continue;
        const over = x === "s" ? "" : x === "" ? "no time base" : `over ${x}`;
        const note = usable ? [ishtar.numbers.unitText(unit), over].filter(Boolean).join(", ") : problem;
        found.set(name, { value: name, text: name, note, disabled: !usable });
      }
    }
    return [...found.values()];
  };

  const lists = [
    ishtar.picker({
      host, label: "Shots", hint: "Find a shot", items: shotItems,
      chosen: () => new Set(viewer.shots().map(String)),
      toggle: (value) => toggleShot(Number(value)),
    }),
    ishtar.picker({
      host, label: "Signals", hint: "Find a signal", items: signalItems,
      chosen: () => new Set(viewer.signals()),
      toggle: (value) => viewer.take(viewer.shots(), toggled(viewer.signals(), value)),
    }),
  ];

  const chips = el("ul", { class: "chips", "aria-label": "Shots being drawn" });
  host.append(chips);

  /** @param {number | undefined} shot @param {string} text */
  const stepTo = (shot, text) => shot === undefined ? ""
    : el("li", null, el("button", { type: "button", onclick: () => viewer.take([shot], viewer.signals()) }, text));

  /** @param {number} shot @param {number} k */
  const chip = (shot, k) => {
    const there = viewer.known().includes(shot);
    return el("li", { class: "chip" }, ishtar.swatch(k),
      el(there ? "a" : "span", { href: there ? `${ishtar.packs.folder(shot)}/index.html` : null }, `Shot ${shot}`),
      el("button", { type: "button", "aria-label": `Remove shot ${shot}`, onclick: () => toggleShot(shot) }, "×"));
  };

  const refresh = () => {
    for (const list of lists) list.refresh();
    const shots = viewer.shots(), known = viewer.known(), at = shots.length === 1 ? known.indexOf(shots[0]) : -1;
    const [before, after] = at < 0 ? [] : [known[at - 1], known[at + 1]];
    chips.replaceChildren(stepTo(before, `‹ ${before}`), ...shots.map(chip), stepTo(after, `${after} ›`));
  };
  viewer.follow(refresh);
  refresh();
})();
