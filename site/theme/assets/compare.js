// The page that compares shots; the address lists them (`#shots=7,8`).
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar;
  const { el, place, differences, archive: addresses } = ishtar;

  /** @param {string} id @returns {any} */
  const byId = (id) => document.getElementById(id);
  const app = byId("app"), input = byId("add"), problem = byId("problem"), chips = byId("chips");
  const beside = byId("beside"), differing = byId("differing"), traces = byId("traces");
  const MOST = Number(app.dataset.most);

  /** @param {ShotArchive} archive */
  const start = (archive) => {
    /** @type {number[]} */
    let shots = [];
    let turn = 0;

    const read = () => [...new Set(place.read().list("shots").map(Number))].filter((n) => archive.at.has(n)).slice(0, MOST);
    const wrongOf = () => place.read().list("shots").filter((/** @type {string} */ t) => !archive.at.has(Number(t)));

    /** @param {number[]} next */
    const change = (next) => {
      shots = next;
      place.write({ shots: shots.map(String) }, true);
      refresh();
    };

    /** @param {number[]} more */
    const add = (more) => {
      const unknown = more.find((n) => !archive.at.has(n));
      if (unknown !== undefined) {
        const near = archive.shots.reduce((a, b) => Math.abs(b - unknown) < Math.abs(a - unknown) ? b : a, Infinity);
        problem.textContent = Number.isFinite(near) ? `There is no shot ${unknown}; the nearest is ${near}.` : "There are no shots yet.";
        return false;
      }
      const next = [...new Set([...shots, ...more])];
      if (next.length > MOST) {
        problem.textContent = `Up to ${MOST} shots fit side by side. Remove one first.`;
        return false;
      }
      problem.textContent = "";
      change(next);
      return true;
    };

    // what is shown -------------------------------------------------------------------------------

    /** @param {ShotData[]} data @param {ComparedRow[]} rows @param {string} caption */
    const table = (data, rows, caption) => {
      const shown = differing.checked ? rows.filter((r) => r.differs) : rows;
      if (!shown.length) return el("p", { class: "hint" }, rows.length ? "The same in all of them." : "None.");
      const cols = [el("col"), ...data.map(() => el("col"))];
      const beside = el("table", { class: "beside" }, el("caption", { class: "vh" }, caption), el("colgroup", null, cols),
          el("thead", null, el("tr", null, el("td"), data.map((d) => el("th", { scope: "col" }, el("a", { href: `${addresses.folder(d.shot)}/index.html` }, `Shot ${d.shot}`))))),
          el("tbody", null, shown.map((r) => el("tr", { class: r.differs ? "differs" : undefined },
            el("th", { scope: "row", title: r.title || undefined }, r.symbol ? [ishtar.symbol(r.symbol), " ", el("span", { class: "label" }, ishtar.breakable(r.name))] : ishtar.breakable(r.name), r.differs ? el("span", { class: "vh" }, " differs") : null),
            r.cells.map((/** @type {any} */ c) => el("td", null, c.text, c.by ? el("span", { class: "by" }, c.by) : null))))));
      beside.style.minWidth = `${8 + 9.5 * data.length}rem`;
      return el("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": `${caption}: table` }, beside);
    };

    /** @param {string} title @param {...any} content */
    const section = (title, ...content) => el("section", { "aria-label": title }, el("h2", null, title), content);

    /** @param {ShotData[]} data @param {ComparedReport} of */
    const figures = (data, of) => {
      const most = Math.max(...of.reports.map((r) => r?.figures?.length || 0));
      const marks = data.map((d, k) => {
        const report = of.reports[k];
        return ishtar.stateMark(report?.state || "missing", `${of.title} of shot ${d.shot}`, report?.html);
      });
      const rows = Array.from({ length: most }, (_, n) => el("div", { class: "pair-row", tabIndex: 0, role: "group", "aria-label": `${of.title}, figure ${n + 1}` }, data.map((d, k) => {
        const report = of.reports[k], figure = report?.figures?.[n];
        if (!report || !figure) return el("p", { class: "none" }, `Shot ${d.shot} has no such figure.`);
        return el("figure", null,
          el("a", { href: report.html }, el("img", { src: figure.file.split("/").map(encodeURIComponent).join("/"), width: figure.width, height: figure.height, alt: figure.alt || `${of.title} of shot ${d.shot}`, loading: "lazy", decoding: "async" })),
          el("figcaption", null, `Shot ${d.shot}`));
      })));
      return el("section", { class: "figures", "aria-label": of.title },
        el("h3", null, of.title, " ", marks), rows.length ? rows : el("p", { class: "hint" }, "No figures."));
    };

    /** @param {ShotData[]} data */
    const show = (data) => {
      const keys = archive.scraps.filter((s) => s.key).map((s) => s.id);
      const results = differences.results(data, keys, archive.byId);
      const wiring = differences.wiring(data), components = differences.components(data);
      const same = [
        wiring.same ? `${wiring.same} signal${wiring.same === 1 ? " is" : "s are"} wired and calibrated alike` : "",
        components.same ? `${components.same} component${components.same === 1 ? " is" : "s are"} the same` : "",
      ].filter(Boolean).join("; ");
      const changed = [...wiring.rows, ...components.rows];
      beside.replaceChildren(
        section("Configuration", changed.length ? table(data, changed, "What differs in wiring, calibrations and components") : el("p", { class: "hint" }, "Wiring, calibrations and components are the same."),
          changed.length && same ? el("p", { class: "hint" }, `Otherwise ${same}.`) : null),
        section("Attributes", table(data, differences.attributes(data), "Attributes")),
        section("Key results", el("p", { class: "hint" }, `Compared with shot ${data[0].shot}. Marked: results that differ by more than their combined sigma.`), table(data, results.key, "Key results"),
          results.others.length ? el("details", null, el("summary", null, `${results.others.length} other result${results.others.length === 1 ? "" : "s"}`), table(data, results.others, "Other results")) : null),
        section("Reports", ...differences.reports(data).map((of) => figures(data, of))),
      );
    };

    const refresh = async () => {
      const mine = ++turn;
      chips.replaceChildren(...shots.map((n) => el("li", null, el("a", { href: `${addresses.folder(n)}/index.html` }, `Shot ${n}`),
        el("button", { type: "button", "aria-label": `Remove shot ${n}`, onclick: () => { change(shots.filter((s) => s !== n)); input.focus(); } }, "×"))));
      traces.hidden = shots.length === 0;
      traces.href = `traces.html${place.text({ shots: shots.map(String) })}`;
      if (!shots.length) {
        beside.replaceChildren(el("p", { class: "hint" }, archive.shots.length ? "Add two shots to compare them." : "There are no shots yet."));
        return;
      }
      try {
        const data = await Promise.all(shots.map((n) => ishtar.load(`${addresses.folder(n)}/shot`)));
        if (mine === turn) show(data);
      } catch (error) {
        if (mine === turn) problem.textContent = error instanceof Error ? error.message : String(error);
      }
    };

    byId("picker").addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      const parts = input.value.split(/[\s,;]+/).filter(Boolean);
      if (!parts.length || parts.some((/** @type {string} */ p) => !/^\d+$/.test(p))) problem.textContent = "Type the number of a shot.";
      else if (add(parts.map(Number))) input.value = "";
    });
    /** @param {number} step */
    const neighbour = (step) => {
      // of what is there already: on from its end
      const ends = step < 0 ? Math.min(...shots) : Math.max(...shots);
      const i = shots.length ? (archive.at.get(ends) ?? 0) + step : archive.shots.length - 1;
      if (i in archive.shots) add([archive.shots[i]]);
      else problem.textContent = step < 0 ? "There is no earlier shot." : "There is no later shot yet.";
    };
    byId("before").addEventListener("click", () => neighbour(-1));
    byId("after").addEventListener("click", () => neighbour(1));
    differing.addEventListener("change", refresh);
    const arrive = () => {
      shots = read();
      const wrong = wrongOf();
      problem.textContent = wrong.length ? `There is no shot ${wrong[0]}.` : "";
      refresh();
    };
    place.follow(arrive);
    arrive();
  };

  addresses.open().then(start).catch((/** @type {any} */ error) => { problem.textContent = error instanceof Error ? error.message : String(error); });
})();
