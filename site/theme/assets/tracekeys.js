// Keys, mouse, touch, buttons and fields of the trace viewer.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar;
  const { viewer } = ishtar;
  if (!viewer) return;
  const IN = 0.5, OUT = 2, ALONG = 0.25;
  const box = /** @type {HTMLElement} */ (document.getElementById("trace-plots"));

  /** @type {Record<string, () => void>} */
  const acts = {
    whole: () => viewer.show(viewer.whole()),
    in: () => viewer.zoom(viewer.cursor(), IN),
    out: () => viewer.zoom(viewer.cursor(), OUT),
    left: () => viewer.pan(-ALONG),
    right: () => viewer.pan(ALONG),
  };
  for (const button of document.querySelectorAll("button[data-do]")) {
    if (button instanceof HTMLElement) button.addEventListener("click", acts[button.dataset.do || "whole"]);
  }

  // keys: everywhere but in fields ----------------------------------------------------------------

  /** @param {KeyboardEvent} event @returns {(() => void) | null} */
  const keyAct = ({ key, shiftKey }) => {
    const far = shiftKey ? 1 : ALONG, points = shiftKey ? 10 : 1;
    switch (key) {
      case "ArrowLeft": return () => viewer.pan(-far);
      case "ArrowRight": return () => viewer.pan(far);
      case "+": case "=": return acts.in;
      case "-": case "_": return acts.out;
      case "Escape": case "0": return acts.whole;
      case ",": case "<": case ";": return () => viewer.step(-points);
      case ".": case ">": case ":": return () => viewer.step(points);
      default: return null;
    }
  };

  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented) return;
    const on = event.target instanceof HTMLElement ? event.target : document.body;
    if (on.matches("input, textarea, select") || on.closest(".scroll")) return;
    const act = keyAct(event);
    if (!act) return;
    event.preventDefault();
    act();
  });

  // wheel: zoom with Ctrl, and without it after a click into the plots; else the page scrolls ---------

  /** @param {number} clientX @returns {number | null} the time at a position on the screen */
  const timeAt = (clientX) => viewer.plots()[0]?.timeAt(clientX) ?? null;

  box.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !box.contains(document.activeElement)) return;
    const at = timeAt(event.clientX);
    if (at === null) return;
    event.preventDefault();
    viewer.zoom(at, 2 ** (Math.sign(event.deltaY) * Math.min(Math.abs(event.deltaY), 120) / 240));
  }, { passive: false });
  box.addEventListener("mousedown", () => box.focus({ preventScroll: true }));

  // touch: one finger pans, two zoom ---------------------------------------------------------------

  /** @type {Map<number, number>} */
  const fingers = new Map();
  let moved = false;
  /** @param {PointerEvent} event */
  const release = (event) => { fingers.delete(event.pointerId); };

  box.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch") return;
    fingers.set(event.pointerId, event.clientX);
    moved = false;
  });
  box.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (before === undefined) return;
    const [at, was] = [timeAt(event.clientX), timeAt(before)];
    if (at === null || was === null || Math.abs(event.clientX - before) < 2) return;
    moved = true;
    const other = [...fingers].find(([id]) => id !== event.pointerId);
    fingers.set(event.pointerId, event.clientX);
    if (!other) {
      viewer.pan((was - at) / (viewer.view()[1] - viewer.view()[0]));
    } else {
      const apart = Math.abs(event.clientX - other[1]), wasApart = Math.abs(before - other[1]);
      const held = timeAt(other[1]);
      if (apart > 8 && held !== null) viewer.zoom(held, wasApart / apart);
    }
  });
  box.addEventListener("pointerup", (event) => {
    if (fingers.has(event.pointerId) && !moved && fingers.size === 1) {
      const at = timeAt(event.clientX);
      if (at !== null) viewer.point(at, false);
    }
    release(event);
  });
  box.addEventListener("pointercancel", release);

  // fields --------------------------------------------------------------------------------------------

  /** @param {string} id @returns {HTMLInputElement} */
  const field = (id) => /** @type {HTMLInputElement} */ (document.getElementById(id));
  const [from, to, cursor] = ["trace-from", "trace-to", "trace-cursor"].map(field);
  /** @param {HTMLInputElement} input @returns {number} */
  const seconds = (input) => Number(input.value.trim().replace("−", "-").replace(",", ".") || NaN);

  /** @param {HTMLInputElement[]} inputs @param {() => boolean} take returns whether the values are valid */
  const listen = (inputs, take) => {
    for (const input of inputs) {
      input.addEventListener("change", () => {
        const good = take();
        for (const each of inputs) each.setAttribute("aria-invalid", String(!good));
      });
    }
  };
  listen([from, to], () => {
    const [a, b] = [seconds(from), seconds(to)];
    if (!(a < b)) return false;
    viewer.show([a, b]);
    return true;
  });
  listen([cursor], () => {
    const time = seconds(cursor);
    if (!Number.isFinite(time)) return false;
    const [a, b] = viewer.view();
    if (time < a || time > b) viewer.pan((time - (a + b) / 2) / (b - a));
    viewer.point(time, true);
    return true;
  });

  // the link to this view -------------------------------------------------------------------------------

  const copy = /** @type {HTMLButtonElement} */ (document.getElementById("trace-copy"));
  copy.hidden = !navigator.clipboard;
  copy.addEventListener("click", async () => {
    try {
      viewer.settle(); // the address may lag behind
      await navigator.clipboard.writeText(location.href);
      copy.textContent = "Copied";
    } catch {
      copy.textContent = "Copy it from the address bar";
    }
    setTimeout(() => { copy.textContent = "Copy link"; }, 1600);
  });
})();
