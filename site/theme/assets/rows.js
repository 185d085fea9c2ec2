// A table of any length in a scrolling box: only the rows in or near the view are elements.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar;
  const { el } = ishtar;
  const AROUND = 15; // rows above and below the view

  /**
   * @param {HTMLElement} box that scrolls
   * @param {HTMLTableElement} table in it, with an empty tbody
   * @param {(i: number) => HTMLTableRowElement} makeRow
   * @param {(first: number, last: number) => void} seen called with the first row that is an element, and the one after the last
   * @returns {RowBox}
   */
  const rowBox = (box, table, makeRow, seen) => {
    const body = table.tBodies[0];
    const above = el("tr", { class: "space", "aria-hidden": "true" }), below = above.cloneNode();
    /** @type {number[]} */
    let rows = [];
    /** @type {Map<number, HTMLTableRowElement>} */
    const made = new Map();
    let height = 0;

    const draw = () => {
      if (!height) {
        // of any row, as all have the same
        height = body.querySelector("tr:not(.space)")?.getBoundingClientRect().height || 0;
      }
      const each = height || 34;
      const first = Math.max(0, Math.floor(box.scrollTop / each) - AROUND);
      const last = Math.min(rows.length, Math.ceil((box.scrollTop + box.clientHeight) / each) + AROUND);
      const kept = new Set(rows.slice(first, last));
      for (const [i, row] of made) {
        if (!kept.has(i)) {
          row.remove();
          made.delete(i);
        }
      }
      above.style.height = `${first * each}px`;
      below.style.height = `${(rows.length - last) * each}px`;
      // rows that stay are not moved, so that focus stays in them
      let next = above.nextSibling;
      for (let k = first; k < last; k++) {
        const i = rows[k];
        let row = made.get(i);
        if (!row) {
          row = makeRow(i);
          made.set(i, row);
        }
        row.setAttribute("aria-rowindex", String(k + 2));
        if (row === next) next = row.nextSibling;
        else body.insertBefore(row, next);
      }
      table.setAttribute("aria-rowcount", String(rows.length + 1));
      seen(first, last);
    };

    /** @param {(i: number) => boolean} wanted */
    const redrawSome = (wanted) => {
      for (const [i, old] of made) {
        if (!wanted(i)) continue;
        const row = makeRow(i);
        const focused = old.contains(document.activeElement);
        old.replaceWith(row);
        made.set(i, row);
        if (focused) row.querySelector("a")?.focus({ preventScroll: true });
      }
      draw();
    };

    let asked = false;
    const later = () => {
      if (asked) return;
      asked = true;
      requestAnimationFrame(() => { asked = false; draw(); });
    };
    box.addEventListener("scroll", later, { passive: true });
    addEventListener("resize", () => { height = 0; later(); });
    body.replaceChildren(above, below);
    return {
      show: (next) => { rows = next; draw(); if (!height) draw(); },
      redrawSome,
    };
  };

  ishtar.rowBox = rowBox;
})();
