// The plot of the table of shots: any column against any other, coloured by a third.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar;
  const { el, svg, numbers, colours, columns } = ishtar;

  /**
   * A value as a position on an axis; NaN if it has none. Times are the testbed's, whatever the reader's zone.
   * @param {string} id @param {any} value @returns {number}
   */
  const place = (id, value) => {
    if (id === "date") return value ? Date.parse(`${String(value).slice(0, 19)}Z`) : NaN;
    if (typeof value === "boolean") return Number(value);
    return typeof value === "number" && Number.isFinite(value) ? value : NaN;
  };

  /** @param {TableColumn} column @returns {string} `electron temperature T_e` */
  const named = (column) => column.symbol && column.label ? `${column.label} ${column.title}` : column.title;

  /** @param {TableColumn} column @param {NumberScale} scale @returns {string} `electron temperature T_e (eV)` */
  const label = (column, scale) => {
    const unit = column.kind === "scrap" ? scale.unit : "";
    return unit ? `${named(column)} (${unit})` : column.id === "date" ? "Time (of the testbed)" : named(column);
  };

  /** Whether an axis has no natural zero: shot numbers and times. @param {TableColumn | undefined} column @returns {boolean} */
  const canBeLog = (column) => column?.kind === "scrap";

  /** Options of a list of columns, results below the name of their report. @param {ShotArchive} archive @param {TableColumn[]} given @param {string} none */
  const options = (archive, given, none) => {
    const plain = given.filter((c) => c.kind !== "scrap").map((c) => el("option", { value: c.id }, c.title));
    /** @type {Map<string, HTMLElement>} */
    const groups = new Map();
    for (const c of given.filter((c) => c.kind === "scrap")) {
      let group = groups.get(c.template);
      if (!group) {
        const title = archive.index.templates.find((t) => t.name === c.template)?.title || c.template;
        group = el("optgroup", { label: title });
        groups.set(c.template, /** @type {HTMLElement} */ (group));
      }
      const unit = numbers.unitText(c.unit);
      /** @type {HTMLElement} */ (group).append(el("option", { value: c.id }, named(c) + (unit ? ` (${unit})` : "")));
    }
    return [el("option", { value: "" }, none), ...plain, ...groups.values()];
  };

  /**
   * Colour shots by a column: a colour map with a bar for numbers, a palette with a list for categories.
   * @param {ShotArchive} archive @param {TableColumn} column @param {number[]} rows
   * @returns {{of: (i: number) => Look, key: HTMLElement | null, words: string}}
   */
  const colouring = (archive, column, rows) => {
    // a ring, as the map already contains grey
    const ring = { colour: "none", shape: "hollow" };
    if (!column) return { of: () => ({ colour: "", shape: "circle" }), key: null, words: "" };
    const value = (/** @type {number} */ i) => archive.value(column.id, i);
    const isNumber = column.id === "shot" || column.id === "date" || rows.some((i) => typeof value(i) === "number");
    if (isNumber) {
      const places = rows.map((i) => place(column.id, value(i))).filter((v) => !Number.isNaN(v)).sort((a, b) => a - b);
      // among many shots, a few outliers do not compress the colours of the others
      const cut = places.length > 50 ? Math.floor(places.length / 50) : 0;
      const low = places[cut], high = places[places.length - 1 - cut];
      const span = high - low || 1;
      const scale = columns.scale(archive, column, rows);
      const end = (/** @type {number} */ v) => column.id === "date" ? new Date(v).toISOString().slice(0, 10) : numbers.cell(column.id === "shot" ? v : Number(v.toPrecision(3)), null, column.unit, scale, true);
      const bar = svg("svg", { class: "bar", viewBox: "0 0 64 1", preserveAspectRatio: "none", "aria-hidden": "true" },
        ...Array.from({ length: 64 }, (_, k) => svg("rect", { x: k, y: 0, width: 1.05, height: 1, fill: colours.scale(k / 63) })));
      const key = places.length ? el("p", { class: "key" }, el("span", null, label(column, scale)), el("span", null, (places[0] < low ? "≤ " : "") + end(low)), bar, el("span", null, (places[places.length - 1] > high ? "≥ " : "") + end(high)),
        places.length < rows.length ? el("span", null, shape(ring), " none") : null) : null;
      return {
        of: (i) => {
          const v = place(column.id, value(i));
          return Number.isNaN(v) ? ring : { colour: colours.scale((v - low) / span), shape: "circle" };
        },
        key,
        words: places.length ? `, coloured by ${label(column, scale)} from ${end(low)} to ${end(high)}` : "",
      };
    }
    /** @type {Map<string, number>} */
    const counts = new Map();
    for (const i of rows) {
      const v = value(i);
      if (!columns.isMissing(v)) counts.set(kindOf(v), (counts.get(kindOf(v)) || 0) + 1);
    }
    const names = [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0])).map(([name]) => name);
    const shown = names.slice(0, colours.MOST_KINDS);
    const rank = new Map(shown.map((name, k) => [name, colours.kind(k)]));
    const others = names.length - shown.length, none = rows.some((i) => columns.isMissing(value(i)));
    const sign = (/** @type {{colour: string, shape: string}} */ look) => el("span", { class: `sign ${look.shape}` }, shape(look));
    const key = el("ul", { class: "key", "aria-label": column.title }, el("li", null, column.title),
      ...shown.map((name) => el("li", null, sign(/** @type {any} */ (rank.get(name))), name.length > 40 ? `${name.slice(0, 40)}…` : name)),
      others || none ? el("li", null, sign(ring), others ? `${others} more${none ? ", or none" : ""}` : "none") : null);
    return { of: (i) => rank.get(kindOf(value(i))) || ring, key, words: `, coloured by ${column.title}` };
  };

  /** The key's label for a value that is neither a number nor missing. @param {any} value @returns {string} */
  const kindOf = (value) => typeof value === "boolean" ? (value ? "yes" : "no") : String(value ?? numbers.MISSING);

  const PATHS = /** @type {Record<string, string>} */ ({
    circle: "M10 6a4 4 0 1 1-8 0a4 4 0 1 1 8 0", square: "M2.5 2.5h7v7h-7z", triangle: "M6 1.5l4.5 8h-9z", down: "M6 10.5l4.5-8h-9z",
    diamond: "M6 1l5 5-5 5-5-5z", cross: "M2 3.5L3.5 2 6 4.5 8.500 2 10 3.5 7.500 6 10 8.500 8.500 10 6 7.500 3.5 10 2 8.500 4.500 6z",
    plus: "M4.5 1h3v3.500h3.500v3h-3.500V11h-3V7.500H1v-3h3.500z",
  });

  /** @param {{colour: string, shape: string}} look */
  const shape = (look) => svg("svg", { viewBox: "0 0 12 12", width: 12, height: 12, "aria-hidden": "true" },
    svg("path", { d: PATHS[look.shape === "hollow" ? "circle" : look.shape], fill: look.colour, class: look.shape === "hollow" ? "ring" : "" }));

  /**
   * @param {HTMLElement} box @param {ShotArchive} archive
   * @returns {(axes: PlotAxes, rows: number[]) => void} draws the shots given
   */
  const plotOf = (box, archive) => {
    const all = new Map(columns.all(archive).map((/** @type {any} */ c) => [c.id, c]));
    const note = el("p", { class: "hint" }), key = el("div", { class: "keys" }), area = el("div", { class: "area" });
    box.replaceChildren(key, area, note);
    const draw = ishtar.scatter(area);

    return (axes, rows) => {
      const x = all.get(axes.x), y = all.get(axes.y), c = all.get(axes.c);
      if (!x || !y) {
        draw(null);
        key.replaceChildren();
        note.textContent = "";
        return;
      }
      const xScale = columns.scale(archive, x, rows), yScale = columns.scale(archive, y, rows);
      const isLog = { x: axes.log.includes("x") && canBeLog(x), y: axes.log.includes("y") && canBeLog(y) };
      // values of zero or below have no place on a logarithmic axis
      const on = (/** @type {any} */ column, /** @type {boolean} */ log, /** @type {number} */ i) => {
        const at = place(column.id, archive.value(column.id, i));
        return log && at <= 0 ? NaN : at;
      };
      const places = rows.map((i) => [on(x, isLog.x, i), on(y, isLog.y, i)]);
      const drawn = rows.filter((_, k) => !Number.isNaN(places[k][0]) && !Number.isNaN(places[k][1]));
      const colour = colouring(archive, c, drawn);
      key.replaceChildren(...(colour.key ? [colour.key] : []));
      /** @type {any[]} */
      const points = [];
      for (const [k, i] of rows.entries()) {
        const [px, py] = places[k];
        if (Number.isNaN(px) || Number.isNaN(py)) continue;
        const sx = x.kind === "scrap" ? archive.sigma(x.id, i) : null, sy = y.kind === "scrap" ? archive.sigma(y.id, i) : null;
        points.push({
          i, x: px / 10 ** xScale.power, y: py / 10 ** yScale.power,
          sx: sx === null ? null : sx / 10 ** xScale.power, sy: sy === null ? null : sy / 10 ** yScale.power, ...colour.of(i),
        });
      }
      const left = rows.length - points.length;
      const above = isLog.x || isLog.y ? " (above zero, as an axis is logarithmic)" : "";
      note.textContent = points.length
        ? left ? `${left} of ${rows.length} shots are not drawn: they lack a number${above} on one of the axes.` : ""
        : `No shot has a number${above} for both ${y.title} and ${x.title}.`;
      const said = (/** @type {any} */ column, /** @type {number} */ i) => column.kind === "scrap"
        ? `${column.title} ${numbers.quantity(archive.value(column.id, i), archive.sigma(column.id, i), column.unit, column.signed)}`
        : column.id === "shot" ? "" : `${column.title} ${columns.text(archive, column, i, { power: 0, unit: "" })}`;
      draw({
        points,
        x: { label: label(x, xScale), isTime: x.id === "date", isWhole: x.id === "shot", isLog: isLog.x },
        y: { label: label(y, yScale), isTime: y.id === "date", isWhole: y.id === "shot", isLog: isLog.y },
        about: `${label(y, yScale)}${isLog.y ? ", logarithmic," : ""} against ${label(x, xScale)}${isLog.x ? ", logarithmic," : ""} of ${points.length} shots${colour.words}. The table below has the values.`,
        read: (/** @type {number} */ i) => [`Shot ${archive.shots[i]}`, ...[...new Set([y, x, c])].filter(Boolean).map((column) => said(column, i)).filter(Boolean)].join(" · "),
        open: (/** @type {number} */ i) => { location.href = `${ishtar.archive.folder(archive.shots[i])}/index.html`; },
      });
    };
  };

  ishtar.plot = { canBeLog, options, plotOf };
})();
