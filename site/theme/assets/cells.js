// Cells and heads of the table of shots as elements.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar;
  const { el, columns } = ishtar;
  const LONG = 20; // characters from which a text that is cut off is told in full when pointed at

  /** The number of a shot, with a sign where something is wrong with its data. @param {ShotArchive} archive @param {number} i */
  const shotCell = (archive, i) => {
    const shot = archive.shots[i], problems = archive.value("problems", i) || [];
    const words = problems.length === 1 ? "1 problem with its data" : `${problems.length} problems with its data`;
    return el("th", { scope: "row" }, el("a", { href: `${ishtar.archive.folder(shot)}/index.html` }, shot),
      problems.length ? el("span", { class: "warn", title: problems.join("\n") }, ishtar.stateMark("stale", words).firstChild, el("span", { class: "vh" }, words)) : null);
  };

  /** Signs of the reports of a shot, which lead to them. @param {ShotArchive} archive @param {number} i */
  const reportsCell = (archive, i) => el("td", { class: "reports" }, columns.reports(archive).map((t) => {
    const state = archive.value(`${t.name} state`, i), title = t.title || t.name;
    return state ? ishtar.stateMark(state, title, ishtar.archive.reportPage(archive.shots[i], t.name)) : ishtar.stateMark("missing", title);
  }));

  /** @param {ShotArchive} archive @param {TableColumn} column @param {number} i @param {number} power of ten in the head */
  const cell = (archive, column, i, power) => {
    if (column.kind === "shot") return shotCell(archive, i);
    if (column.kind === "reports") return reportsCell(archive, i);
    const text = columns.text(archive, column, i, power);
    const isNumber = column.kind === "scrap" && typeof archive.value(column.id, i) !== "string";
    return el("td", { class: isNumber ? "num" : column.id === "comment" ? "comment" : undefined, title: text.length > LONG && !isNumber ? text : undefined }, text);
  };

  /**
   * The head of a column: name, unit, and a button that sorts by it.
   * @param {TableColumn} column @param {number} power @param {boolean} isNumber
   * @param {"" | "up" | "down"} sorted @param {(column: TableColumn) => void} sort
   */
  const head = (column, power, isNumber, sorted, sort) => {
    const unit = column.kind === "scrap" ? columns.scaledUnit(power, column.unit) : "";
    const name = [el("span", { class: "name" }, column.title), unit ? el("span", { class: "unit" }, unit) : null];
    const order = sorted === "up" ? "ascending" : sorted === "down" ? "descending" : undefined;
    return el("th", { scope: "col", class: isNumber ? "num" : undefined, "aria-sort": order, "data-id": column.id, title: column.template ? `${column.title}, of ${column.template}` : undefined },
      column.sorts ? el("button", { type: "button", onclick: () => sort(column) }, name,
        el("span", { class: "arrow", "aria-hidden": "true" }, sorted === "up" ? "▲" : sorted ? "▼" : "")) : name);
  };

  ishtar.cells = { cell, head };
})();
