// The search over everything: shots from their data, the rest from a list that the server made.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar;
  const { el, place, ranking, archive: addresses } = ishtar;

  /** @param {string} id @returns {any} */
  const byId = (id) => document.getElementById(id);
  const input = byId("q"), status = byId("status"), results = byId("results");
  const FEW = 12; // of a kind, until more are asked for
  const MANY = 200;
  const KINDS = /** @type {[string, string][]} */ ([
    ["shot", "Shots"], ["result", "Results"], ["attribute", "Attributes"], ["template", "Templates"], ["signal", "Signals"], ["device", "Devices"],
    ["calibration", "Calibrations"], ["day", "Days"], ["reference", "References"], ["page", "Pages"],
  ]);

  /** @param {ShotArchive} archive @param {SearchEntry[]} given */
  const start = (archive, given) => {
    const entries = given.filter((e) => e.href);
    /** @type {Set<number>} */
    const taken = new Set();
    /** @type {Set<string>} */
    const opened = new Set();
    let chosen = -1;
    let query = "";
    let isLoading = false;

    /** Make entries of the shots of the parts that are loaded. */
    const take = () => {
      for (const [i, shot] of archive.shots.entries()) {
        if (taken.has(shot) || !archive.has(archive.part(i), [])) continue;
        taken.add(shot);
        const get = (/** @type {string} */ id) => archive.value(id, i) || "";
        const problems = (archive.value("problems", i) || []).join("; ");
        entries.push({
          kind: "shot", shot, title: String(shot), href: `${addresses.folder(shot)}/index.html`,
          text: [get("date").replace("T", " ").slice(0, 16), get("gas"), get("program"), get("operator"), get("comment"), ...others(i), problems].filter(Boolean).join(" · "),
        });
      }
    };

    const FIRST = new Set(["gas", "program", "operator", "comment"]); // shown without their names
    /** @param {number} i @returns {string[]} the other attributes of a shot, as `name value` */
    const others = (i) => archive.attributes.filter((name) => !FIRST.has(name)).flatMap((name) => {
      const value = archive.value(`attribute ${name}`, i);
      return value === null || value === undefined || value === "" ? [] : [`${name} ${typeof value === "boolean" ? (value ? "yes" : "no") : value}`];
    });

    const options = () => [...results.querySelectorAll("[role=option]")];

    /** @param {number} next */
    const choose = (next) => {
      const all = options();
      chosen = all.length ? Math.max(-1, Math.min(next, all.length - 1)) : -1;
      for (const [k, option] of all.entries()) option.setAttribute("aria-selected", String(k === chosen));
      if (chosen >= 0) {
        input.setAttribute("aria-activedescendant", all[chosen].id);
        all[chosen].scrollIntoView({ block: "nearest" });
      } else input.removeAttribute("aria-activedescendant");
    };

    /** @param {SearchEntry} entry @param {string[]} words @param {number} n */
    const option = (entry, words, n) => {
      const marked = (/** @type {string} */ text) => ranking.cut(text, words).map((p) => p.found ? el("mark", null, p.text) : p.text);
      const text = entry.text.length > 240 ? `${entry.text.slice(0, 240)}…` : entry.text;
      return el("a", { role: "option", id: `hit-${n}`, href: entry.href, tabIndex: -1, "aria-selected": "false" },
        el("b", null, entry.kind === "shot" ? "Shot " : "", marked(entry.title)), el("span", null, marked(text)));
    };

    const show = () => {
      const words = ranking.wordsOf(query);
      input.setAttribute("aria-expanded", String(words.length > 0));
      if (!words.length) {
        results.replaceChildren();
        status.textContent = `Searches ${archive.shots.length} shots and ${given.length} other entries. Move with the arrow keys, open with Enter.`;
        return choose(-1);
      }
      const hits = ranking.find(entries, words);
      const filter = ishtar.query.SIGNS.test(query) ? ishtar.filter.of(query.trim(), archive) : null;
      if (filter?.isSet) {
        const href = `table.html${place.text({ query: query.trim() })}`;
        hits.unshift({ score: Infinity, entry: { kind: "page", title: "The table of the shots that meet this", text: query.trim(), href } });
      }
      // the number of a shot is known before the shot is loaded
      const number = /^0*\d+$/.test(query.trim()) ? Number(query) : NaN;
      const exact = archive.at.has(number) ? number : NaN;
      if (!Number.isNaN(exact)) {
        const at = hits.findIndex((h) => h.entry.shot === exact);
        const hit = at >= 0 ? hits.splice(at, 1)[0] : { score: 0, entry: { kind: "shot", shot: exact, title: String(exact), text: "", href: `${addresses.folder(exact)}/index.html` } };
        hits.unshift(hit);
      }
      let n = 0;
      const groups = KINDS.map(([kind, title]) => ({ kind, title, of: hits.filter((h) => h.entry.kind === kind) })).filter((g) => g.of.length);
      // the kind that has the best hit comes first; an exact number is the best of all
      const rank = (/** @type {any} */ g) => !Number.isNaN(exact) && g.kind === "shot" ? -Infinity : -g.of[0].score;
      groups.sort((a, b) => rank(a) - rank(b));
      results.replaceChildren(...groups.map((g) => {
        const most = opened.has(g.kind) ? MANY : FEW;
        return el("section", { role: "group", "aria-label": g.title },
          el("h2", { role: "presentation" }, g.title, " ", el("span", { class: "dim" }, g.of.length)),
          el("div", { role: "presentation" }, g.of.slice(0, most).map((h) => option(h.entry, words, n++))),
          g.of.length > most && most === FEW ? el("button", { type: "button", onclick: () => { opened.add(g.kind); show(); input.focus(); } }, `Show ${Math.min(MANY, g.of.length)} of ${g.of.length}`) : null,
          g.of.length > MANY && most === MANY ? el("p", { class: "hint" }, `The first ${MANY} of ${g.of.length}. Add a word to narrow the search.`) : null);
      }));
      status.textContent = filter?.problem && !hits.length ? `As a condition on shots: ${filter.problem}` : `${hits.length} found${isLoading ? ", reading older shots …" : hits.length ? "" : ". Try fewer or shorter words."}`;
      choose(hits.length ? 0 : -1);
    };

    const loadShots = async () => {
      isLoading = true;
      let drawn = 0;
      try {
        await archive.load(archive.parts, [], () => {
          if (performance.now() - drawn < 300) return;
          take();
          if (query) show();
          drawn = performance.now();
        });
        isLoading = false;
        take();
        show();
      } catch (error) {
        isLoading = false;
        status.textContent = error instanceof Error ? error.message : String(error);
      }
    };

    const remember = ishtar.afterPause(() => place.write({ q: query.trim() }, false), 300);
    input.addEventListener("input", () => {
      query = input.value;
      opened.clear();
      remember();
      show();
    });
    input.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      const all = options();
      if (event.key === "ArrowDown") choose(Math.min(chosen + 1, all.length - 1));
      else if (event.key === "ArrowUp") choose(Math.max(chosen - 1, 0));
      else if (event.key === "Enter") {
        if (chosen >= 0) {
          place.write({ q: query.trim() }, false); // so that going back finds it again
          all[chosen].click();
        }
      } else return;
      event.preventDefault();
    });
    input.form.addEventListener("submit", (/** @type {Event} */ event) => event.preventDefault());
    const arrive = () => {
      query = input.value = place.read().text("q");
      show();
    };
    place.follow(arrive);
    arrive();
    loadShots();
  };

  input.focus();
  Promise.all([addresses.open(), ishtar.load("data/search")]).then(([archive, given]) => start(archive, given))
    .catch((/** @type {any} */ error) => { status.textContent = error instanceof Error ? error.message : String(error); });
})();
