// The columns of the table of shots: cell contents, sorting, and export as CSV.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar;
  const { MISSING, cell, scaleOf, unitText } = ishtar.numbers;
  const MOST_BY_DEFAULT = 8;
  const LONGEST_HEAD = 20;
  const NAMED = 2, SIGNS = 8; // reports that are not ok, in the row of a shot: named, in all
  const LOOKED_AT = 400; // shots used to choose widths and powers of ten

  /** @param {string} id @param {string} title @param {TableColumn["kind"]} kind @returns {TableColumn} */
  const base = (id, title, kind) => ({ id, title, kind, unit: "", template: "", sorts: kind === "reports" ? "" : id, label: "", symbol: "", signed: null });

  const BASE = [
    base("reports", "Reports", "reports"), base("date", "Time", "date"), base("gas", "Gas", "text"),
    base("program", "Program", "text"), base("operator", "Operator", "text"),
  ];
  const SHOT = base("shot", "Shot", "shot"), COMMENT = base("comment", "Comment", "text");

  /** The shortest name of a result. @param {ScrapColumn} s @returns {string} */
  const short = (s) => s.symbol.replace(/[{}]/g, "") || s.label || s.name;

  /** All columns, in display order. @param {ShotArchive} archive @returns {TableColumn[]} */
  const all = (archive) => {
    /** @type {Map<string, number>} */
    const times = new Map();
    for (const s of archive.scraps) times.set(short(s), (times.get(short(s)) || 0) + 1);
    const scraps = archive.scraps.map((s) => {
      const isAlone = times.get(short(s)) === 1;
      return {
        id: s.id, kind: /** @type {const} */ ("scrap"), unit: s.unit, template: s.template, sorts: s.id, label: s.label, signed: s.signed,
        symbol: isAlone ? s.symbol : "", title: isAlone ? short(s) : s.id,
      };
    });
    return [SHOT, ...scraps, ...BASE, COMMENT];
  };

  /**
   * The default columns: the key results, as many of each report as fit.
   * @param {ShotArchive} archive @returns {string[]}
   */
  const usual = (archive) => {
    const keys = archive.scraps.filter((s) => s.key);
    /** @type {Map<string, number>} */
    const seen = new Map();
    const shown = keys.length ? keys : archive.scraps;
    const first = shown.filter((s) => s.place !== null).slice(0, MOST_BY_DEFAULT);
    const ranked = shown.filter((s) => s.place === null).map((s, i) => {
      const rank = seen.get(s.template) || 0;
      seen.set(s.template, rank + 1);
      return { id: s.id, rank, i };
    });
    ranked.sort((a, b) => a.rank - b.rank || a.i - b.i);
    const chosen = new Set([...first, ...ranked.slice(0, MOST_BY_DEFAULT - first.length)].map((r) => r.id));
    return [...archive.scraps.map((s) => s.id).filter((id) => chosen.has(id)), "reports", "date", "gas", "program", "comment"];
  };

  /** @param {any} value @returns {boolean} */
  const isMissing = (value) => value === null || value === undefined || value === "" || (typeof value === "number" && Number.isNaN(value));

  /**
   * Order shots by a column; those without a value always come last, ties by shot, newest first.
   * @param {ShotArchive} archive @param {string} id @param {boolean} down @returns {(a: number, b: number) => number}
   */
  const order = (archive, id, down) => {
    const sign = down ? -1 : 1;
    if (id === "shot") return (a, b) => sign * (a - b);
    const value = (/** @type {number} */ i) => {
      const v = archive.value(id, i);
      return typeof v === "boolean" ? Number(v) : v;
    };
    return (a, b) => {
      const x = value(a), y = value(b);
      const gone = Number(isMissing(x)) - Number(isMissing(y));
      if (gone || isMissing(x)) return gone || b - a;
      if (typeof x === "number" && typeof y === "number") return sign * (x < y ? -1 : x > y ? 1 : 0) || b - a;
      if (typeof x !== typeof y) return typeof x === "number" ? -1 : 1;
      return sign * String(x).localeCompare(String(y), "en", { numeric: true }) || b - a;
    };
  };

  const EXCEPTIONS = ["failed", "timeout", "stale", "skipped"]; // most urgent first

  /** Whether a report in this state is named beside its icon; skipped ones have only the icon. @param {string} state */
  const isLoud = (state) => state !== "skipped";

  /**
   * The states of the reports of a shot: how many there are, how many are ok, and the others.
   * @param {ShotArchive} archive @param {number} i @returns {{ok: number, all: number, exceptions: {template: ShotTemplate, state: string, named: boolean}[], missing: string[], more: number}}
   */
  const states = (archive, i) => {
    const found = archive.templates.map((template) => ({ template, state: archive.value(`${template.name} state`, i) || "missing" }));
    const exceptions = found.filter((f) => EXCEPTIONS.includes(f.state)).sort((a, b) => EXCEPTIONS.indexOf(a.state) - EXCEPTIONS.indexOf(b.state));
    const isFew = exceptions.filter((e) => isLoud(e.state)).length <= NAMED;
    return {
      ok: found.filter((f) => f.state === "ok").length, all: found.length, missing: found.filter((f) => f.state === "missing").map((f) => f.template.title || f.template.name), more: Math.max(0, exceptions.length - SIGNS),
      exceptions: exceptions.slice(0, SIGNS).map((e) => ({ ...e, named: isFew && isLoud(e.state) })),
    };
  };

  /** Scale and unit in the header of a column. @param {ShotArchive} archive @param {TableColumn} column @param {number[]} rows @returns {NumberScale} */
  const scale = (archive, column, rows) => column.kind !== "scrap" ? { power: 0, unit: "" }
    : scaleOf(rows.slice(0, LOOKED_AT).map((i) => archive.value(column.id, i)), column.unit);

  /** @param {ShotArchive} archive @param {TableColumn} column @param {number} i @param {NumberScale} of @returns {string} */
  const text = (archive, column, i, of) => {
    if (column.kind === "shot") return String(archive.shots[i]);
    if (column.kind === "date") return (archive.value("date", i) || MISSING).replace("T", " ").slice(0, 19);
    if (column.kind === "scrap") {
      const stored = archive.columns.get(column.id);
      const other = stored?.units.get(i);
      // another unit than the column's: shown with its own, excluded from plots and comparisons
      if (stored && other !== undefined) return ishtar.numbers.quantity(stored.values[i], stored.sigmas[i] ?? null, other, column.signed);
      return cell(archive.value(column.id, i), archive.sigma(column.id, i), column.unit, of, column.signed);
    }
    const value = archive.value(column.id, i);
    return isMissing(value) ? column.id === "comment" ? "" : MISSING : String(value);
  };

  /** Whether the values of a column are numbers, as far as they are loaded. @param {ShotArchive} archive @param {TableColumn} column @param {number[]} rows */
  const isNumeric = (archive, column, rows) => column.kind === "shot" || (column.kind === "scrap"
    && !rows.slice(0, LOOKED_AT).some((i) => typeof archive.value(column.id, i) === "string"));

  /** How wide a column is, in characters. @param {ShotArchive} archive @param {TableColumn} column @param {number[]} rows @param {NumberScale} of */
  const width = (archive, column, rows, of) => {
    if (column.kind === "shot") return 10;
    if (column.kind === "reports") {
      const lengths = rows.slice(0, LOOKED_AT).map((i) => {
        const { all, exceptions, missing, more } = states(archive, i);
        return `${all} of ${all}`.length + exceptions.reduce((sum, e) => sum + 2.6 + (e.named ? e.template.title.length + 1 : 0), (more ? 12 : 0) + (missing.length ? 2.6 : 0));
      });
      return Math.min(30, Math.max(9, ...lengths) + 2.5);
    }
    if (column.id === "comment") return 42;
    const head = Math.min(LONGEST_HEAD, Math.max(column.title.length, of.unit.length)) + 2;
    const lengths = rows.slice(0, LOOKED_AT).map((i) => text(archive, column, i, of).length);
    return Math.min(34, Math.max(6, head, ...lengths) + 2.5);
  };

  /** @param {string} value @returns {string} a cell that no spreadsheet takes for a formula */
  const csvText = (value) => {
    const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };

  /** @param {any} value @returns {string} */
  const csvCell = (value) => value === null || value === undefined ? "" : typeof value === "number" || typeof value === "boolean" ? String(value) : csvText(String(value));

  /**
   * The rows and columns shown, as CSV: numbers in full with a separate column for sigma, units in the header.
   * @param {ShotArchive} archive @param {TableColumn[]} columns @param {number[]} rows @returns {string}
   */
  const csv = (archive, columns, rows) => {
    const head = columns.flatMap((c) => {
      if (c.kind === "reports") return archive.templates.map((t) => csvText(`${t.name} state`));
      const unit = c.unit ? ` [${c.unit}]` : "";
      return c.kind === "scrap" ? [csvText(c.id + unit), csvText(`${c.id} sigma${unit}`)] : [csvText(c.id)];
    });
    const lines = rows.map((i) => columns.flatMap((c) => {
      if (c.kind === "reports") return archive.templates.map((t) => csvCell(archive.value(`${t.name} state`, i)));
      if (c.kind === "scrap") return [csvCell(archive.value(c.id, i)), csvCell(archive.sigma(c.id, i))];
      return [csvCell(archive.value(c.id, i))];
    }).join(","));
    return `${head.join(",")}\r\n${lines.map((line) => `${line}\r\n`).join("")}`;
  };

  ishtar.columns = { all, csv, isMissing, isNumeric, order, scale, states, text, unitText, usual, width };
})();
