// A searchable list to choose from: shots, signals.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar;
  const MOST = 200; // shown at once

  ishtar.picker = ({ host, label, hint, items, chosen, toggle }) => {
    const count = ishtar.el("span", { class: "dim" });
    const search = /** @type {HTMLInputElement} */ (ishtar.el("input", { type: "search", "aria-label": hint, placeholder: hint, autocomplete: "off", spellcheck: false }));
    const list = /** @type {HTMLElement} */ (ishtar.el("ul", { class: "plain" }));
    const more = /** @type {HTMLElement} */ (ishtar.el("p", { class: "dim", role: "status" }));
    const panel = ishtar.el("div", { class: "panel" }, search, list, more);
    const box = /** @type {HTMLDetailsElement} */ (ishtar.el("details", { class: "pick" },
      ishtar.el("summary", { class: "button" }, label, " ", count), panel));

    const fill = () => {
      const typed = search.value.trim().toLowerCase();
      const all = items();
      const found = typed ? all.filter((i) => i.text.toLowerCase().includes(typed) || i.note.toLowerCase().includes(typed)) : all;
      const on = chosen();
      const focused = document.activeElement instanceof HTMLInputElement && list.contains(document.activeElement)
        ? document.activeElement.value : null;
      list.replaceChildren(...found.slice(0, MOST).map((item) => ishtar.el("li", null, ishtar.el("label", null,
        ishtar.el("input", {
          type: "checkbox", value: item.value, checked: on.has(item.value),
          disabled: item.disabled && !on.has(item.value),
          onchange: () => toggle(item.value),
        }),
        ishtar.el("span", { class: "name" }, item.text),
        ishtar.el("span", { class: "dim note" }, item.note)))));
      if (focused !== null) {
        const again = [...list.querySelectorAll("input")].find((i) => i.value === focused);
        again?.focus();
      }
      more.textContent = !found.length ? "Nothing matches."
        : found.length > MOST ? `The first ${MOST} of ${found.length}. Type to narrow the list.` : "";
    };

    const refresh = () => {
      count.textContent = String(chosen().size);
      if (box.open) fill();
    };

    search.addEventListener("input", fill);
    search.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      const first = list.querySelector("input:not(:disabled)"); // Enter after typing selects the first match
      if (first instanceof HTMLInputElement) first.click();
    });
    box.addEventListener("toggle", () => {
      if (!box.open) return;
      fill();
      search.focus();
    });
    box.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !box.open) return;
      event.stopPropagation();
      box.open = false;
      box.querySelector("summary")?.focus();
    });
    document.addEventListener("pointerdown", (event) => {
      if (box.open && event.target instanceof Node && !box.contains(event.target)) box.open = false;
    });
    host.append(box);
    refresh();
    return { refresh };
  };
})();
