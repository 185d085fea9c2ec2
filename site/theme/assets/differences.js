// Differences between shots: attributes, results beyond their sigma, wiring, calibrations, components.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar;
  const { numbers } = ishtar;
  const APART = 1; // combined sigmas beyond which two results differ

  /** @param {any} value @returns {string} */
  const text = (value) => value === null || value === undefined || value === "" ? numbers.MISSING : typeof value === "boolean" ? (value ? "yes" : "no") : typeof value === "number" ? numbers.number(value, null) : String(value);

  /** @param {string[]} texts @returns {boolean} */
  const isMixed = (texts) => new Set(texts).size > 1;

  /** @param {string} name @param {string[]} texts @param {string} [title] @returns {ComparedRow} */
  const row = (name, texts, title) => ({ name, title: title || "", cells: texts.map((t) => ({ text: t, by: "" })), differs: isMixed(texts) });

  const FIRST = ["gas", "program", "operator", "useful", "comment"];

  /** The attributes of shots, the usual ones first. @param {ShotData[]} shots @returns {ComparedRow[]} */
  const attributes = (shots) => {
    const names = new Set(shots.flatMap((s) => Object.keys(s.attributes || {})));
    names.delete("date");
    const others = [...names].filter((n) => !FIRST.includes(n)).sort();
    // no two shots have the same time, so this is not a relevant difference
    const rows = [{ ...row("date", shots.map((s) => text(s.date).replace("T", " ").slice(0, 19))), differs: false }];
    for (const name of [...FIRST.filter((n) => names.has(n)), ...others]) rows.push(row(name, shots.map((s) => text(s.attributes?.[name]))));
    if (shots.some((s) => s.problems?.length)) rows.push(row("problems", shots.map((s) => (s.problems || []).join("; ") || "none")));
    return rows;
  };

  /** @param {any} a @param {any} b @returns {{by: string, differs: boolean}} how a result differs from the first */
  const against = (a, b) => {
    const x = numbers.fromData(a?.value), y = numbers.fromData(b?.value);
    if (a === undefined || b === undefined || x === null || y === null) return { by: "", differs: (x ?? null) !== (y ?? null) };
    if (typeof x !== "number" || typeof y !== "number") return { by: "", differs: x !== y };
    if ((a.unit || "") !== (b.unit || "")) return { by: "in another unit", differs: true };
    if (Number.isNaN(x) || Number.isNaN(y)) return { by: "", differs: Number.isNaN(x) !== Number.isNaN(y) };
    const known = [a.sigma, b.sigma].map(numbers.fromData).filter((s) => typeof s === "number" && Number.isFinite(s));
    const combined = Math.hypot(...known);
    if (x === y) return { by: "", differs: false };
    const change = y - x;
    const sign = change > 0 ? "+" : "";
    if (!known.length || !(combined > 0)) {
      const by = sign + numbers.quantity(Number(change.toPrecision(3)), null, a.unit || "", true);
      return { by, differs: true };
    }
    const sigmas = Math.abs(change) / combined;
    // show no more digits of a change than its uncertainty allows
    const by = sign + numbers.quantity(change, combined, a.unit || "", true).replace(/\(\d+\)/, "");
    return { by: `${by}, ${numbers.number(Number(sigmas.toPrecision(2)), null)} σ`, differs: sigmas > APART };
  };

  /**
   * The results of shots, by report; `keys` come first.
   * @param {ShotData[]} shots @param {string[]} keys names as `template.name`, in their order
   * @param {Map<string, ScrapColumn>} [known] results in the index
   * @returns {{key: ComparedRow[], others: ComparedRow[]}}
   */
  const results = (shots, keys, known = new Map()) => {
    /** @type {Map<string, any[]>} */
    const found = new Map();
    for (const [k, shot] of shots.entries()) {
      for (const report of shot.reports || []) {
        for (const scrap of report.scraps || []) {
          const id = `${report.template}.${scrap.name}`;
          if (!found.has(id)) found.set(id, new Array(shots.length).fill(undefined));
          /** @type {any[]} */ (found.get(id))[k] = scrap;
        }
      }
    }
    /** @type {Map<string, number>} */
    const times = new Map();
    const nameOf = (/** @type {any[]} */ scraps) => scraps.find((s) => s !== undefined).name;
    for (const scraps of found.values()) times.set(nameOf(scraps), (times.get(nameOf(scraps)) || 0) + 1);
    /** @type {ComparedRow[]} */
    const key = [], /** @type {ComparedRow[]} */ others = [];
    for (const [id, scraps] of found) {
      const differences = scraps.map((s, k) => k ? against(scraps[0], s) : { by: "", differs: false });
      const cells = scraps.map((s, k) => ({
        text: s === undefined ? numbers.MISSING : numbers.quantity(numbers.fromData(s.value), numbers.fromData(s.sigma), s.unit || "", known.get(id)?.signed),
        by: differences[k].by,
      }));
      const name = nameOf(scraps), of = known.get(id), label = of?.label || "", symbol = of?.symbol || "";
      const title = label ? `${label} (${id})` : id;
      (keys.includes(id) ? key : others).push({ name: label || ((times.get(name) || 0) > 1 ? id : name), symbol, title, id, cells, differs: differences.some((d) => d.differs) });
    }
    key.sort((a, b) => keys.indexOf(a.id || "") - keys.indexOf(b.id || ""));
    return { key, others };
  };

  /**
   * Whether the calibrations of a signal differ between shots. As in `ishtar calib diff`, a new version with the
   * same numbers is not another calibration. @param {any[]} wired @returns {boolean}
   */
  const isRecalibrated = (wired) => {
    if (!isMixed(wired.map((w) => w ? text(w.calibration) : "not wired")) && wired.every((w) => !w?.calibration)) return false;
    if (wired.some((w) => !w || !w.calibrated)) return isMixed(wired.map((w) => w ? text(w.calibration) : "not wired"));
    return isMixed(wired.map((w) => w.calibrated));
  };

  /** Signals whose channel, device or calibration differs between shots. @param {ShotData[]} shots @returns {{rows: ComparedRow[], same: number}} */
  const wiring = (shots) => {
    const names = [...new Set(shots.flatMap((s) => (s.wiring || []).map((/** @type {any} */ w) => w.signal)))];
    /** @type {ComparedRow[]} */
    const rows = [];
    let same = 0;
    for (const name of names) {
      const wired = shots.map((s) => (s.wiring || []).find((/** @type {any} */ w) => w.signal === name));
      const parts = /** @type {[string, string][]} */ ([["", "channel"], ["device", "device"], ["calibration", "calibration"], ["problem", "problem"]])
        .map(([words, field]) => ({ field, ...row(words ? `${name}, ${words}` : `${name}, channel`, wired.map((w) => w ? text(w[field]) : "not wired")) }))
        .filter((r) => r.field === "calibration" ? isRecalibrated(wired) : r.differs)
        .map((r) => ({ ...r, differs: true }));
      rows.push(...parts);
      if (!parts.length) same += 1;
    }
    return { rows, same };
  };

  /** Components, and their parameters that differ between shots. @param {ShotData[]} shots @returns {{rows: ComparedRow[], same: number}} */
  const components = (shots) => {
    const names = [...new Set(shots.flatMap((s) => (s.components || []).map((/** @type {any} */ c) => c.name)))];
    /** @type {ComparedRow[]} */
    const rows = [];
    let same = 0;
    for (const name of names) {
      const found = shots.map((s) => (s.components || []).find((/** @type {any} */ c) => c.name === name));
      const parameters = [...new Set(found.flatMap((c) => Object.keys(c?.parameters || {})))];
      const parts = [
        row(name, found.map((c) => c ? text(c.kind) : "not there")),
        ...parameters.map((p) => row(`${name}, ${p}`, found.map((c) => c ? text(c.parameters?.[p]) : "not there"))),
      ].filter((r) => r.differs);
      // a component missing in a shot is listed once
      rows.push(...(found.includes(undefined) ? parts.slice(0, 1) : parts));
      if (!parts.length) same += 1;
    }
    return { rows, same };
  };

  /**
   * The same report of all shots: by template, each shot's report or undefined.
   * @param {ShotData[]} shots @returns {{template: string, title: string, reports: any[]}[]}
   */
  const reports = (shots) => {
    /** @type {Map<string, {template: string, title: string, reports: any[]}>} */
    const found = new Map();
    for (const [k, shot] of shots.entries()) {
      for (const report of shot.reports || []) {
        let of = found.get(report.template);
        if (!of) {
          of = { template: report.template, title: report.title || report.template, reports: new Array(shots.length).fill(undefined) };
          found.set(report.template, of);
        }
        of.reports[k] = report;
      }
    }
    return [...found.values()];
  };

  ishtar.differences = { APART, against, attributes, components, reports, results, wiring };
})();
