// The page of all shots as a table: filter, columns, order, plot, and their state in the address.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar;
  const { el, cells, columns, place } = ishtar;

  /** @typedef {{filter: string, columns: string[] | null, sort: string, up: boolean, x: string, y: string, c: string, log: string[]}} State */

  const page = {
    status: /** @type {HTMLElement} */ (document.getElementById("status")),
    filter: /** @type {HTMLInputElement} */ (document.getElementById("filter")),
    problem: /** @type {HTMLElement} */ (document.getElementById("filter-problem")),
    choice: /** @type {HTMLElement} */ (document.getElementById("choice")),
    box: /** @type {HTMLElement} */ (document.getElementById("grid")),
    compare: /** @type {HTMLAnchorElement} */ (document.getElementById("compare")),
    csv: /** @type {HTMLButtonElement} */ (document.getElementById("csv")),
    plot: /** @type {HTMLElement} */ (document.getElementById("plot")),
    axes: {
      x: /** @type {HTMLSelectElement} */ (document.getElementById("axis-x")),
      y: /** @type {HTMLSelectElement} */ (document.getElementById("axis-y")),
      c: /** @type {HTMLSelectElement} */ (document.getElementById("axis-c")),
    },
    log: {
      x: /** @type {HTMLInputElement} */ (document.getElementById("log-x")),
      y: /** @type {HTMLInputElement} */ (document.getElementById("log-y")),
    },
  };

  const MOST_COMPARED = Number(page.compare.dataset.most);

  /** @param {ShotArchive} archive @returns {State} */
  const read = (archive) => {
    const from = place.read();
    return {
      filter: from.has("query") ? from.text("query") : ishtar.filter.upgraded(from.text("filter"), archive), // of older pages
      columns: from.has("columns") ? from.list("columns") : null,
      sort: from.text("sort") || "shot",
      up: from.text("order") === "up",
      x: from.text("x"),
      y: from.text("y"),
      c: from.text("c"),
      log: from.list("log"),
    };
  };

  /** @param {State} state */
  const asPlace = (state) => ({
    query: state.filter, columns: state.columns || [], sort: state.sort === "shot" ? "" : state.sort,
    order: state.up ? "up" : "", x: state.x, y: state.y, c: state.c, log: state.log,
  });

  /** @param {any} error */
  const fail = (error) => {
    page.status.classList.add("wrong");
    page.status.textContent = error instanceof Error ? error.message : String(error);
  };

  /** @param {ShotArchive} archive */
  const start = (archive) => {
    const all = columns.all(archive);
    const byId = new Map(all.map((c) => [c.id, c]));
    const usual = columns.usual(archive);
    const drawPlot = ishtar.plot.plotOf(page.plot, archive);
    /** @type {State} */
    let state = read(archive);
    let filter = ishtar.filter.of("", archive);
    /** @type {TableColumn[]} */
    let shown = [];
    /** @type {number[]} */
    let rows = [];
    /** @type {Map<string, NumberScale>} */
    let scales = new Map();
    let turn = 0;
    /** @type {RowBox | null} */
    let table = null;

    const templateOf = (/** @type {string} */ id) => byId.get(id)?.template || "";
    const isPlotted = () => byId.has(state.x) && byId.has(state.y);
    const needed = () => [...new Set([
      ...shown.map((c) => c.template), templateOf(state.sort), ...filter.fields.map(templateOf),
      ...(isPlotted() ? [state.x, state.y, state.c].map(templateOf) : []),
    ])].filter(Boolean);
    const needsAll = () => filter.isSet || state.sort !== "shot" || isPlotted();

    // what is shown -------------------------------------------------------------------------------

    const choose = () => {
      const everything = archive.shots.map((_, i) => i);
      const templates = needed();
      const loaded = new Map(archive.parts.map((part) => [part, archive.has(part, templates)]));
      let found = everything;
      if (needsAll()) {
        found = everything.filter((i) => {
          if (!loaded.get(archive.part(i))) return false;
          return filter.test(i) === true;
        });
      }
      const order = columns.order(archive, state.sort, !state.up);
      rows = found.sort(order);
      const known = rows.filter((i) => loaded.get(archive.part(i)));
      scales = new Map(shown.map((c) => [c.id, columns.scale(archive, c, known)]));
      return known;
    };

    /** @param {TableColumn} c @returns {NumberScale} */
    const scaleOf = (c) => scales.get(c.id) || { power: 0, unit: columns.unitText(c.unit) };

    /** @param {number} i */
    const makeRow = (i) => archive.has(archive.part(i), needed())
      ? el("tr", null, shown.map((c) => cells.cell(archive, c, i, scaleOf(c))))
      : el("tr", { class: "wait" }, el("th", { scope: "row" }, el("a", { href: `${ishtar.archive.folder(archive.shots[i])}/index.html` }, archive.shots[i])), el("td", { colSpan: shown.length - 1 }, "…"));

    const seen = (/** @type {number} */ first, /** @type {number} */ last) => {
      const templates = needed();
      const parts = [...new Set(rows.slice(first, last).map((i) => archive.part(i)))].filter((part) => !archive.has(part, templates));
      if (!parts.length || needsAll()) return;
      archive.load(parts, templates, () => {
        // widths and units come from the shots loaded first
        if (![...scales.values()].some((s) => s.power)) arrange();
        else table?.redrawSome((i) => parts.includes(archive.part(i)));
      }).catch(fail);
    };

    const sortBy = (/** @type {TableColumn} */ column) => {
      const same = state.sort === column.sorts;
      change({ sort: column.sorts, up: same ? !state.up : column.kind === "text" }, true);
      /** @type {HTMLElement | null} */ (page.box.querySelector(`th[data-id="${CSS.escape(column.id)}"] button`))?.focus();
    };

    /** Rebuild the table with other columns, units, or widths. */
    const arrange = () => {
      const known = choose();
      const widths = shown.map((c) => columns.width(archive, c, known, scaleOf(c)));
      const numeric = shown.map((c) => c.kind === "scrap" && columns.isNumeric(archive, c, known));
      const cols = widths.map((w) => {
        const col = el("col");
        col.style.width = `${w * 0.52}rem`;
        return col;
      });
      const grid = el("table", { class: "grid" }, el("caption", { class: "vh" }, "Shots; the buttons in the column headers sort them"),
        el("colgroup", null, cols), el("thead", null, el("tr", { "aria-rowindex": 1 }, shown.map((c, k) => cells.head(c, scaleOf(c), numeric[k], state.sort === c.sorts ? (state.up ? "up" : "down") : "", sortBy)))), el("tbody"));
      grid.style.width = `${widths.reduce((a, b) => a + b, 0) * 0.52}rem`;
      const { scrollTop, scrollLeft } = page.box;
      page.box.replaceChildren(grid);
      table = ishtar.rowBox(page.box, grid, makeRow, seen);
      table.show(rows);
      page.box.scrollTop = scrollTop;
      page.box.scrollLeft = scrollLeft;
      page.compare.hidden = !(filter.isSet && 1 < rows.length && rows.length <= MOST_COMPARED);
      if (!page.compare.hidden) page.compare.href = `compare.html${place.text({ shots: rows.map((i) => String(archive.shots[i])) })}`;
      document.documentElement.classList.toggle("plots", isPlotted()); // see plotplace.js
      drawPlot({ x: state.x, y: state.y, c: state.c, log: state.log }, rows);
    };

    /** @param {number} done @param {number} of */
    const say = (done, of) => {
      page.status.classList.remove("wrong");
      const total = archive.shots.length;
      const count = filter.isSet ? `${rows.length} of ${total} shots` : `${total} shots`;
      page.status.textContent = done < of ? `${count} – reading part ${done + 1} of ${of} …` : filter.isSet && !rows.length ? "No shot matches the filter." : count;
    };

    /** Say at the field what is wrong with the filter, and mark the place. @param {{problem: string, at: number, end: number}} of */
    const complain = ({ problem, at, end }) => {
      const { filter: text } = state;
      const place = problem && at < end && (at > 0 || end < text.length) ? [el("code", null, text.slice(0, at), el("mark", null, text.slice(at, end)), text.slice(end)), " "] : [];
      page.problem.replaceChildren(...place, problem);
      page.filter.setAttribute("aria-invalid", String(Boolean(problem)));
    };

    /** Show the state: loaded shots at once, the others as they arrive. */
    const refresh = async () => {
      const mine = ++turn;
      const wanted = state.columns || usual;
      shown = all.filter((c) => c.id === "shot" || wanted.includes(c.id));
      const parsed = ishtar.filter.of(state.filter, archive);
      complain(parsed);
      const before = filter;
      if (!parsed.problem) filter = parsed;
      const templates = needed();
      const parts = needsAll() ? archive.parts : archive.parts.slice(0, 1);
      const missing = parts.filter((part) => !archive.has(part, templates)).length;
      page.box.setAttribute("aria-busy", "true");
      let drawn = 0;
      try {
        if (missing) {
          say(0, missing);
          await archive.load(parts, templates, (done, of) => {
            // redrawing after each part would cost more than reading them
            if (mine !== turn || (drawn && performance.now() - drawn < 400)) return;
            arrange();
            say(done, of);
            drawn = performance.now();
          });
        }
        if (mine !== turn) return;
        const wrong = parsed.problem ? null : filter.check();
        if (wrong) {
          complain(wrong);
          filter = before;
        }
        arrange();
        say(1, 1);
      } catch (error) {
        if (mine === turn) fail(error);
      } finally {
        if (mine === turn) page.box.removeAttribute("aria-busy");
      }
    };

    /** @param {Partial<State>} changed @param {boolean} step */
    const change = (changed, step) => {
      state = { ...state, ...changed };
      if ("filter" in changed || "sort" in changed) page.box.scrollTop = 0;
      place.write(asPlace(state), step);
      refresh();
    };

    // controls ------------------------------------------------------------------------------------

    const boxes = () => {
      const wanted = new Set(state.columns || usual);
      const row = (/** @type {TableColumn} */ c) => el("label", null,
        el("input", { type: "checkbox", value: c.id, checked: wanted.has(c.id), onchange: picked }), " ", c.symbol ? ishtar.symbol(c.symbol) : c.title, c.symbol && c.label ? `, ${c.label}` : "",
        columns.unitText(c.unit) ? el("span", { class: "unit" }, ` ${columns.unitText(c.unit)}`) : null);
      /** @type {Map<string, any[]>} */
      const groups = new Map([["", []]]);
      for (const c of all) if (c.kind !== "shot") groups.set(c.template, [...(groups.get(c.template) || []), c]);
      page.choice.replaceChildren(...[...groups].map(([name, list]) => {
        const title = archive.index.templates.find((t) => t.name === name)?.title || name || "The shot";
        return el("fieldset", null, el("legend", null, title), list.map(row));
      }), el("p", null, el("button", { type: "button", onclick: () => { change({ columns: null }, true); boxes(); } }, "Back to the default columns")));
    };
    const picked = () => {
      const chosen = [...page.choice.querySelectorAll("input")].filter((b) => b.checked).map((b) => b.value);
      const same = chosen.length === usual.length && chosen.every((id) => usual.includes(id));
      // choosing no columns is valid, too; the shot is always shown
      change({ columns: same ? null : chosen.length ? chosen : ["shot"] }, true);
    };

    const pull = () => {
      page.filter.value = state.filter;
      for (const [name, select] of Object.entries(page.axes)) select.value = state[/** @type {"x" | "y" | "c"} */ (name)];
      for (const [name, box] of Object.entries(page.log)) {
        box.checked = state.log.includes(name);
        box.disabled = !ishtar.plot.canBeLog(byId.get(state[/** @type {"x" | "y"} */ (name)]));
      }
      boxes();
    };

    const typed = ishtar.afterPause(() => change({ filter: page.filter.value.trim() }, true), 350);
    page.filter.addEventListener("input", typed);
    page.filter.form?.addEventListener("submit", (event) => {
      event.preventDefault();
      change({ filter: page.filter.value.trim() }, true);
    });
    const drawable = all.filter((c) => c.kind === "shot" || c.kind === "date" || c.kind === "scrap");
    const colourable = all.filter((c) => c.kind !== "reports" && c.id !== "comment");
    page.axes.x.replaceChildren(...ishtar.plot.options(archive, drawable, "–"));
    page.axes.y.replaceChildren(...ishtar.plot.options(archive, drawable, "–"));
    page.axes.c.replaceChildren(...ishtar.plot.options(archive, colourable, "one colour"));
    for (const [name, select] of Object.entries(page.axes)) {
      select.addEventListener("change", () => {
        const next = { [name]: select.value };
        // a plot needs two axes: the other is the shot until it is chosen
        if (name === "y" && select.value && !state.x) next.x = "shot";
        change(next, true);
        pull();
      });
    }
    for (const [name, box] of Object.entries(page.log)) {
      box.addEventListener("change", () => change({ log: [...state.log.filter((n) => n !== name), ...(box.checked ? [name] : [])].sort() }, true));
    }
    page.csv.addEventListener("click", async () => {
      try {
        await archive.load(archive.parts, needed());
        choose();
      } catch (error) {
        return fail(error);
      }
      const text = columns.csv(archive, shown, rows);
      const url = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv" }));
      const link = el("a", { href: url, download: "shots.csv" });
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
    });
    place.follow(() => {
      state = read(archive);
      pull();
      refresh();
    });
    pull();
    refresh();
  };

  ishtar.archive.open().then(start).catch(fail);
})();
