// Cells and heads of the table of shots as elements.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar;
  const { el, columns } = ishtar;
  const LONG = 20; // characters from which a truncated text has its full form as a tooltip

  /** The number of a shot, with an icon if its data have problems. @param {ShotArchive} archive @param {number} i */
  const shotCell = (archive, i) => {
    const shot = archive.shots[i], problems = archive.value("problems", i) || [];
    const words = problems.length === 1 ? "1 problem with its data" : `${problems.length} problems with its data`;
    return el("th", { scope: "row" }, el("a", { href: `${ishtar.archive.folder(shot)}/index.html` }, shot),
      problems.length ? el("span", { class: "warn", title: problems.join("\n") }, ishtar.icon("problem"), el("span", { class: "vh" }, words)) : null);
  };

  /** One icon for all reports not made yet, which have nothing to open. @param {string[]} titles */
  const notMade = (titles) => {
    const words = `Not made yet: ${titles.join(", ")}`;
    return el("span", { class: "dot", title: words }, ishtar.icon("missing"), el("span", { class: "vh" }, words));
  };

  /** How many reports of a shot are ok, and links to the others. @param {ShotArchive} archive @param {number} i */
  const reportsCell = (archive, i) => {
    const { ok, all, exceptions, missing, more } = columns.states(archive, i);
    return el("td", { class: "reports" }, el("span", { class: "count" }, `${ok} of ${all}`), exceptions.map(({ template, state, named }) => {
      const title = template.title || template.name;
      const href = ishtar.archive.reportPage(archive.shots[i], template.name);
      if (!named) return ishtar.stateMark(state, title, href);
      const words = ishtar.stateWord(state);
      return el("a", { class: `not-ok ${state}`, href, title: `${title}: ${words}` }, ishtar.icon(state), title, el("span", { class: "vh" }, `: ${words}`));
    }), missing.length ? notMade(missing) : null, more ? el("span", { class: "dim" }, ` and ${more} more`) : null);
  };

  /** @param {ShotArchive} archive @param {TableColumn} column @param {number} i @param {NumberScale} scale of the head */
  const cell = (archive, column, i, scale) => {
    if (column.kind === "shot") return shotCell(archive, i);
    if (column.kind === "reports") return reportsCell(archive, i);
    const text = columns.text(archive, column, i, scale);
    const isNumber = column.kind === "scrap" && typeof archive.value(column.id, i) !== "string";
    return el("td", { class: isNumber ? "num" : column.id === "comment" ? "comment" : undefined, title: text.length > LONG && !isNumber ? text : undefined }, text);
  };

  /**
   * The head of a column: name, unit, and a button that sorts by it.
   * @param {TableColumn} column @param {NumberScale} scale @param {boolean} isNumber
   * @param {"" | "up" | "down"} sorted @param {(column: TableColumn) => void} sort
   */
  const head = (column, scale, isNumber, sorted, sort) => {
    const unit = column.kind === "scrap" ? scale.unit : "";
    const about = column.kind === "scrap" ? (column.label ? `${column.label} (${column.id})` : column.id) : undefined;
    const name = [el("span", { class: "name" }, column.symbol ? ishtar.symbol(column.symbol) : column.title, column.symbol && column.label ? el("span", { class: "vh" }, `, ${column.label}`) : null), unit ? el("span", { class: "unit" }, unit) : null];
    const order = sorted === "up" ? "ascending" : sorted === "down" ? "descending" : undefined;
    return el("th", { scope: "col", class: isNumber ? "num" : undefined, "aria-sort": order, "data-id": column.id, title: about },
      column.sorts ? el("button", { type: "button", onclick: () => sort(column) }, name,
        el("span", { class: "arrow", "aria-hidden": "true" }, sorted === "up" ? "▲" : sorted ? "▼" : "")) : name);
  };

  ishtar.cells = { cell, head };
})();
