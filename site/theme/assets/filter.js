// Conditions on shots, as people type them: `gas = Ar; Te > 3; ramp`. The grammar is in docs/across.md.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar;

  const OPERATORS = ["!=", ">=", "<=", "≥", "≤", "≠", "=", ">", "<", "~"];
  const SAME = /** @type {Record<string, string>} */ ({ "≥": ">=", "≤": "<=", "≠": "!=" });
  const WORDS_LOOK_IN = ["comment", "gas", "program", "operator", "problems"];
  const STATES = /** @type {Record<string, string>} */ ({
    "timed out": "timeout", "out of date": "stale", "not made yet": "missing", "not made": "missing",
  });

  /** Letters without case and accents. @param {any} text @returns {string} */
  const folded = (text) => String(text).normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

  /** @param {any} value @returns {string} */
  const words = (value) => Array.isArray(value) ? value.join(" ") : value === null || value === undefined ? "" : String(value);

  /**
   * Cut a text at `;` outside of quotes.
   * @param {string} text @returns {string[]}
   */
  const pieces = (text) => (text.match(/(?:"[^"]*"?|[^;"])+/g) || []).map((p) => p.trim()).filter(Boolean);

  /** @param {string} piece @returns {{left: string, operator: string, right: string} | null} */
  const split = (piece) => {
    const bare = piece.replace(/"[^"]*"?/g, (quoted) => "\0".repeat(quoted.length));
    for (let i = 0; i < bare.length; i++) {
      const operator = OPERATORS.find((o) => bare.startsWith(o, i));
      if (operator) {
        return { left: piece.slice(0, i).trim(), operator: SAME[operator] || operator, right: piece.slice(i + operator.length).trim() };
      }
    }
    return null;
  };

  /** @param {string} text @returns {string} */
  const unquoted = (text) => text.replace(/^"([^"]*)"?$/, "$1");

  const NUMBER = /^[-+−]?(?:\d[\d\u202f ]*\.?\d*|\.\d+)(?:e[-+−]?\d+)?/i;

  /**
   * Read a number with, perhaps, the unit of the column.
   * @param {string} text @param {FilterField} field @returns {number | string} a text says what is wrong
   */
  const numberOf = (text, field) => {
    const match = NUMBER.exec(text.trim());
    const rest = match ? text.trim().slice(match[0].length).trim() : text.trim();
    const bad = match ? "" : `“${text}” is no number`;
    if (bad) return bad;
    const { unitText, split } = ishtar.numbers;
    const shown = unitText(field.unit), given = split(unitText(rest)), own = split(shown);
    const isSame = !rest || rest === field.unit || unitText(rest) === shown;
    // the same unit with another prefix: a table may tell in kW what was glued in W
    if (!isSame && (!own.base || given.base !== own.base)) {
      return `${field.id} is in ${shown || "no unit"}, not in “${rest}”: leave the unit out`;
    }
    const number = /** @type {RegExpExecArray} */ (match)[0].replace(/[\u202f ]/g, "").replaceAll("−", "-");
    if (isSame) return Number(number);
    const [digits, power] = number.toLowerCase().split("e");
    return Number(`${digits}e${Number(power || 0) + given.own - own.own}`); // exact, unlike a product
  };

  /** @type {Record<string, (a: number, b: number) => boolean>} */
  const COMPARE = { "=": (a, b) => a === b, "!=": (a, b) => a !== b, "<": (a, b) => a < b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, ">=": (a, b) => a >= b };

  /**
   * Return the test of one value, or what is wrong with the condition.
   * @param {FilterField} field @param {string} operator @param {string} right @returns {((value: any) => boolean) | string}
   */
  const test = (field, operator, right) => {
    const wanted = folded(unquoted(right));
    if (right === "") return `“${field.id} ${operator}” needs a value after it`;
    if (operator === "~") return (value) => folded(words(value)).includes(wanted);
    if (right === "none" && (operator === "=" || operator === "!=")) {
      return (value) => (value === null || value === "" || Number.isNaN(value)) === (operator === "=");
    }
    const range = /^(.+?)\s*\.\.\s*(.+)$/.exec(right);
    if (field.kind === "state" || field.kind === "text") {
      if (operator !== "=" && operator !== "!=") return `${field.id} is a text: use =, != or ~ with it`;
      const state = field.kind === "state" ? STATES[wanted] || wanted : wanted;
      return (value) => (folded(words(value)) === state) === (operator === "=");
    }
    if (field.kind === "date") {
      // a shorter date stands for all of its day, month or year
      const same = (/** @type {any} */ value) => words(value).replace("T", " ").slice(0, right.length);
      if (range) {
        if (operator !== "=" && operator !== "!=") return "a range goes with = or !=";
        return (value) => {
          const text = words(value).replace("T", " ");
          const inside = text !== "" && text.slice(0, range[1].length) >= range[1] && text.slice(0, range[2].length) <= range[2];
          return inside === (operator === "=");
        };
      }
      if (!/^\d{4}(-\d\d(-\d\d([ T]\d\d(:\d\d(:\d\d)?)?)?)?)?$/.test(right)) return `“${right}” is no date: write it as 2026-11-22`;
      const day = right.replace("T", " ");
      if (operator === "=" || operator === "!=") return (value) => (same(value) === day) === (operator === "=");
      return (value) => same(value) !== "" && COMPARE[operator](same(value) < day ? -1 : same(value) > day ? 1 : 0, 0);
    }
    if (range) {
      const low = numberOf(range[1], field), high = numberOf(range[2], field);
      if (typeof low === "string") return low;
      if (typeof high === "string") return high;
      if (operator !== "=" && operator !== "!=") return "a range goes with = or !=";
      return (value) => (typeof value === "number" && low <= value && value <= high) === (operator === "=");
    }
    const number = numberOf(right, field);
    if (typeof number === "number") {
      return (value) => typeof value === "number" && !Number.isNaN(value) && COMPARE[operator](value, number);
    }
    if (field.kind === "number" || !["=", "!="].includes(operator)) return `${number}: ${field.id} is compared with numbers`;
    return (value) => {
      const text = typeof value === "boolean" ? (value ? "yes" : "no") : folded(words(value));
      const boolean = ({ true: "yes", false: "no" })[wanted] || wanted;
      return value !== null && (text === wanted || text === boolean) === (operator === "=");
    };
  };

  /**
   * Read a filter.
   * @param {string} text
   * @param {(name: string) => FilterField | string} find the field of a name, or what is wrong with the name
   * @returns {ShotFilter} with the first problem in plain words, if any
   */
  const parse = (text, find) => {
    /** @type {ShotFilter} */
    const filter = { conditions: [], fields: [], problem: "" };
    for (const piece of pieces(text)) {
      const parts = split(piece);
      if (!parts) {
        const wanted = unquoted(piece) !== piece ? [folded(unquoted(piece))] : folded(piece).split(/\s+/);
        filter.conditions.push({
          fields: [],
          test: (get) => {
            const all = WORDS_LOOK_IN.map((id) => folded(words(get(id)))).join("\n");
            return wanted.every((word) => all.includes(word));
          },
        });
        continue;
      }
      if (!parts.left) return { ...filter, problem: `“${piece}” names nothing to compare: write for example Te > 3.` };
      const field = find(unquoted(parts.left));
      if (typeof field === "string") return { ...filter, problem: `${field}.` };
      const check = test(field, parts.operator, parts.right);
      if (typeof check === "string") return { ...filter, problem: `${check}.` };
      const isCount = field.id === "problems" && parts.operator !== "~";
      filter.conditions.push({ fields: [field], test: (get) => check(isCount ? (get("problems") || []).length : get(field.id)) });
      filter.fields.push(field.id);
    }
    return filter;
  };

  /**
   * Return how names in a filter find their columns: `shot`, `gas`, …, a template (its state), a result by its
   * name where only one template has it, or with its template.
   * @param {ShotArchive} archive @returns {(name: string) => FilterField | string}
   */
  const finder = (archive) => (name) => {
    const low = name.toLowerCase();
    const scrap = archive.byId.get(name);
    if (scrap) return { id: scrap.id, unit: scrap.unit, kind: "any" };
    const named = archive.scraps.filter((s) => s.name === name);
    if (named.length === 1) return { id: named[0].id, unit: named[0].unit, kind: "any" };
    const called = named.length ? [] : archive.scraps.filter((s) => [s.label, s.symbol, s.symbol.replace(/[{}]/g, "")].includes(name));
    if (called.length === 1) return { id: called[0].id, unit: called[0].unit, kind: "any" };
    if (called.length > 1) return `${name} is a result of ${called.map((s) => s.template).join(" and ")}: write ${called[0].id}`;
    if (named.length > 1) return `${name} is a result of ${named.map((s) => s.template).join(" and ")}: write ${named[0].id}`;
    if (low === "shot" || low === "problems") return { id: low, unit: "", kind: "number" };
    if (low === "date" || low === "day" || low === "time") return { id: "date", unit: "", kind: "date" };
    if (["gas", "program", "operator", "comment"].includes(low)) return { id: low, unit: "", kind: "text" };
    const template = archive.templates.find((t) => t.name === name || t.title === name);
    if (template) return { id: `${template.name} state`, unit: "", kind: "state" };
    if (archive.attributes.includes(name)) return { id: `attribute ${name}`, unit: "", kind: "any" };
    const near = archive.scraps.filter((s) => folded(s.id).includes(folded(name))).slice(0, 3);
    const hint = near.length ? `; did you mean ${near.map((s) => s.id).join(" or ")}?` : ": choose a name from the list of columns";
    return `There is no column “${name}”${hint}`;
  };

  ishtar.filter = { parse, finder, folded };
})();
