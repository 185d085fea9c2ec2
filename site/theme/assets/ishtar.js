// What scripts add to the pages: jump to a shot, arrow keys, copy buttons, unfolding all code, and
// the scroll position when moving from a shot to the next. Every page is readable without it. A
// classic script, as ES modules do not load from file:// in any browser.
// @ts-check
"use strict";

(() => {
  /** @param {string} selector @returns {HTMLElement[]} */
  const all = (selector) => [...document.querySelectorAll(selector)].filter((e) => e instanceof HTMLElement);

  // Arrow keys: the previous and next shot, day, or the same report of these.
  const KEPT = "ishtar-scroll";
  const reportName = location.pathname.split("/").pop() || "";

  /** @param {string} rel */
  const follow = (rel) => {
    const link = document.querySelector(`.pager a[rel=${rel}]`);
    if (link instanceof HTMLAnchorElement) link.click();
  };

  /** @param {EventTarget | null} target */
  const takesArrows = (target) => target instanceof HTMLElement
    && (target.matches("input, textarea, select, [contenteditable]")
      || target.scrollWidth > target.clientWidth + 1 && target.tabIndex === 0 && target !== document.body && target.id !== "main");

  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || takesArrows(event.target)) return;
    if (event.key === "ArrowLeft") follow("prev");
    if (event.key === "ArrowRight") follow("next");
  });

  // The slash: the search, from any page. On some keyboards it needs Shift.
  document.addEventListener("keydown", (event) => {
    const types = event.target instanceof HTMLElement && event.target.matches("input, textarea, select, [contenteditable]");
    if (event.key !== "/" || event.altKey || event.ctrlKey || event.metaKey || types) return;
    const field = document.getElementById("q");
    const link = document.querySelector('nav a[href$="search.html"]');
    if (field) field.focus();
    else if (link instanceof HTMLAnchorElement) link.click();
    else return;
    event.preventDefault();
  });

  // The same report of another shot opens at the same scroll position.
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEPT) || "null");
    sessionStorage.removeItem(KEPT);
    if (kept && kept.name === reportName && !location.hash) {
      addEventListener("load", () => scrollTo({ top: kept.y, behavior: "instant" }));
    }
    for (const link of all(".pager a")) {
      link.addEventListener("click", () => {
        sessionStorage.setItem(KEPT, JSON.stringify({ name: reportName, y: scrollY }));
      });
    }
  } catch {
    // storage may be forbidden; the page then opens at its top
  }

  // The wall display reloads itself; without scripts the page does.
  const refresh = document.querySelector('meta[name="refresh-s"]');
  if (refresh instanceof HTMLMetaElement) setTimeout(() => location.reload(), 1000 * Number(refresh.content));

  // Jump to a shot by its number.
  /** @param {string} text @returns {[number, number][]} */
  const spans = (text) => text.split(",").filter(Boolean).map((span) => {
    const [first, last] = span.split("-").map(Number);
    return [first, last === undefined ? first : last];
  });

  for (const form of all("form.jump")) {
    form.hidden = false;
    const known = spans(form.dataset.shots || "");
    const input = form.querySelector("input");
    const answer = form.querySelector("output");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!input || !answer) return;
      const text = input.value.trim();
      const shot = Number(text);
      answer.textContent = "";
      if (!/^\d+$/.test(text)) {
        answer.textContent = "Type the number of a shot.";
      } else if (known.some(([first, last]) => first <= shot && shot <= last)) {
        location.href = `shots/${String(shot).padStart(5, "0")}/index.html`;
      } else {
        const ends = known.flat().sort((a, b) => Math.abs(a - shot) - Math.abs(b - shot));
        answer.textContent = ends.length ? `There is no shot ${shot}; the nearest is ${ends[0]}.` : "There are no shots yet.";
      }
    });
  }

  // Copy a command.
  for (const button of all("button.copy")) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(button.dataset.copy || "");
        button.textContent = "Copied";
      } catch {
        button.textContent = "Select it";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1600);
    });
  }

  // Unfold all code of a report.
  for (const button of all("button.unfold")) {
    const parts = [...document.querySelectorAll("details.code")];
    if (!parts.length) continue;
    button.hidden = false;
    button.addEventListener("click", () => {
      const open = parts.some((part) => part instanceof HTMLDetailsElement && !part.open);
      for (const part of parts) if (part instanceof HTMLDetailsElement) part.open = open;
      button.textContent = open ? "Fold all code" : "Unfold all code";
    });
  }
})();
