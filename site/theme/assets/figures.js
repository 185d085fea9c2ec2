// A figure of a report in full size over the page. Without this script its link opens the file.
// @ts-check
"use strict";

(() => {
  /** @type {HTMLDialogElement | null} */
  let dialog = null;

  /** @param {HTMLAnchorElement} link @param {HTMLImageElement} image */
  const open = (link, image) => {
    if (!dialog) {
      dialog = document.createElement("dialog");
      dialog.className = "full";
      const made = dialog;
      // a click anywhere closes it, as Escape does by itself
      made.addEventListener("click", (event) => {
        if (!(event.target instanceof HTMLAnchorElement)) made.close();
      });
      document.body.append(made);
    }
    const full = document.createElement("img");
    full.src = link.href;
    full.alt = image.alt;
    const file = document.createElement("a");
    file.href = link.href;
    file.textContent = "Open the file";
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = "Close";
    const bar = document.createElement("p");
    bar.append(file, close);
    dialog.setAttribute("aria-label", image.alt || "Figure in full size");
    dialog.replaceChildren(bar, full);
    dialog.showModal();
    close.focus();
  };

  for (const link of document.querySelectorAll(".body figure a")) {
    const image = link.querySelector("img");
    if (!(link instanceof HTMLAnchorElement) || !image) continue;
    link.addEventListener("click", (event) => {
      // the user asked for a new tab or window
      if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      open(link, image);
    });
  }
})();
