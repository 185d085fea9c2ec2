// Which shots a query matches, from the data of the site; what a query means is in docs/catalogue.md, and
// ishtar/query/sql.py does the same over the catalogue. A condition is true, false, or null where it is unknown.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar;
  const { MOMENT, NAME, KEYWORD, SIGNS, Problem, moment, named, parse, parseItem, wrong } = ishtar.query;

  const TEXTS = ["comment", "gas", "program", "operator"]; // of every shot, perhaps empty
  const BASE = /** @type {Record<string, string>} */ ({
    shot: "shot", date: "date", day: "day", time: "date", ...Object.fromEntries(TEXTS.map((name) => [name, name])),
  });
  const YES_NO = /** @type {Record<string, number>} */ ({ yes: 1, true: 1, no: 0, false: 0 });
  const STATES = ["ok", "failed", "skipped", "timeout", "stale", "missing"];
  const SPOKEN = /** @type {Record<string, string>} */ ({ "timed out": "timeout", "out of date": "stale", "not made": "missing", "not made yet": "missing", none: "missing" });
  const FLIPPED = /** @type {Record<string, string>} */ ({ "<": ">", "<=": ">=", ">": "<", ">=": "<=" });

  /** Letters without case and accents. @param {any} text @returns {string} */
  const folded = (text) => String(text).normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

  /** Whether a word is a name but for one letter, or for its case. @param {string} word @param {string} name @param {number} [least] letters that both must have @returns {boolean} */
  const isOneLetterOff = (word, name, least = 4) => {
    const a = folded(word), b = folded(name), shorter = Math.min(a.length, b.length);
    if (shorter < least || Math.abs(a.length - b.length) > 1) return false;
    let i = 0;
    while (i < shorter && a[i] === b[i]) i++;
    return a.slice(i + 1) === b.slice(i + 1) || a.slice(i) === b.slice(i + 1) || a.slice(i + 1) === b.slice(i);
  };

  /** @param {boolean | null} x */
  const not = (x) => x === null ? null : !x;

  /** Texts in the order of their code points, as SQLite and Python have them. @param {string} a @param {string} b @returns {number} */
  const textOrder = (a, b) => {
    const x = [...a], y = [...b];
    const i = x.findIndex((c, k) => c !== y[k]);
    if (i < 0) return x.length - y.length;
    return i >= y.length ? 1 : /** @type {number} */ (x[i].codePointAt(0)) - /** @type {number} */ (y[i].codePointAt(0));
  };

  /** @type {Record<string, (order: number) => boolean>} */
  const HOLDS = { "==": (o) => o === 0, "!=": (o) => o !== 0, "<": (o) => o < 0, "<=": (o) => o <= 0, ">": (o) => o > 0, ">=": (o) => o >= 0 };

  /** A number in the unit of a name, or null: the same unit, or one with another prefix. @param {number} value @param {string} given @param {string} own */
  const inUnit = (value, given, own) => {
    const { unitText, split } = ishtar.numbers;
    const shown = unitText(own), wanted = unitText(given), from = split(wanted), to = split(shown);
    if (wanted === shown) return value;
    if (!to.base || from.base !== to.base) return null;
    const [digits, power] = String(value).split("e");
    return Number(`${digits}e${Number(power || 0) + from.own - to.own}`); // exact, unlike a product
  };

  /** Where a unit stands. @param {QueryPlace & {unit: string}} node @returns {QueryPlace} */
  const unitOf = ({ end, unit }) => ({ at: end - unit.length, end });

  /** What a query means for the shots of an archive. */
  class Meaning {
    /** @param {string} text @param {ShotArchive} archive */
    constructor(text, archive) {
      this.text = text;
      this.archive = archive;
      /** @type {Set<string>} */
      this.fields = new Set();
      /** @type {(() => void)[]} what can only be said when all shots are loaded: it throws */
      this.checks = [];
    }

    // names

    /** What a name may mean. @param {string} name @returns {QueryField[]} */
    meanings(name) {
      const { archive } = this;
      const field = (/** @type {string} */ id, /** @type {Partial<QueryField>} */ more = {}) => ({ id, unit: "", isDate: false, isDay: false, isText: TEXTS.includes(id), isSigma: false, ...more });
      const base = (/** @type {string} */ id) => field(id === "day" ? "date" : id, { isDate: id === "date" || id === "day", isDay: id === "day" });
      if (name !== "time" && Object.hasOwn(BASE, name)) return [base(name)];
      if (archive.attributes.includes(name)) return [field(`attribute ${name}`)];
      const exact = archive.byId.get(name);
      let found = exact ? [exact] : archive.scraps.filter((s) => s.name === name);
      if (!found.length) found = archive.scraps.filter((s) => [s.label, s.symbol, s.symbol.replace(/[{}]/g, "")].includes(name));
      if (found.length) return found.map((s) => field(s.id, { unit: s.unit, isText: false }));
      if (name.toLowerCase() === "problems") return [field("problems")];
      if (Object.hasOwn(BASE, name.toLowerCase())) return [base(BASE[name.toLowerCase()])];
      if (!name.endsWith(".sigma")) return [];
      return this.meanings(name.slice(0, -6)).map((f) => ({ ...f, isSigma: true }));
    }

    /** @param {QueryName} node @returns {QueryField} */
    field(node) {
      const all = this.meanings(node.name);
      const found = all.filter((f) => !f.isSigma || this.archive.byId.has(f.id));
      if (all.length && !found.length) wrong(`${node.name.slice(0, -6)} is an attribute, without sigma`, node);
      if (found.length > 1) wrong(`${node.name} is given by several: write ${found.map((f) => f.id + (f.isSigma ? ".sigma" : "")).join(" or ")}`, node);
      if (found.length) {
        this.fields.add(found[0].id);
        return found[0];
      }
      return wrong(`There is no column “${node.name}”${this.hint(node.name)}`, node);
    }

    /** All that a name may be, or nearly. @returns {string[]} */
    get known() {
      const { attributes, scraps } = this.archive;
      return ["latest", ...attributes, ...Object.keys(BASE), ...scraps.map((s) => s.name), ...scraps.map((s) => s.id)];
    }

    /** What may have been meant by a name that nothing has. @param {string} name @returns {string} */
    hint(name) {
      const parts = this.archive.scraps.map((s) => s.id).filter((id) => folded(id).includes(folded(name)));
      const near = new Set([...parts, ...[...this.known, "problems"].filter((known) => isOneLetterOff(name, known, 2))]);
      return near.size ? `; did you mean ${[...near].slice(0, 3).join(" or ")}?` : ": choose a name from the list of columns";
    }

    /** @param {string} name @returns {boolean} */
    isKnown(name) {
      return this.meanings(name).length > 0;
    }

    /** What a shot has of a field. @param {QueryField} f @returns {(i: number) => any} a number or a text; null where it has none, a list where it has that */
    get(f) {
      const { archive } = this;
      if (f.isSigma) return (i) => archive.sigma(f.id, i);
      return (i) => {
        const value = ishtar.numbers.fromData(archive.value(f.id, i));
        if (f.id === "problems") return (value || []).length;
        if (typeof value === "boolean") return Number(value);
        if (value === undefined || Number.isNaN(value)) return null;
        if (f.isDate && value) return value.replace(" ", "T").slice(0, f.isDay ? 10 : undefined);
        return value;
      };
    }

    /** Once all is loaded, refuse a name none of whose values is of the kind that it is used as. @param {QueryNode} node @param {"number" | "text"} kind */
    holds(node, kind) {
      if (node.is !== "name") return;
      const field = this.field(node);
      if (field.isText && kind === "number") wrong(`${node.name} is a text: compare it with text in quotes, or by =, != or ~`, node);
      const get = this.get(field), type = kind === "text" ? "string" : kind;
      this.checks.push(() => {
        const values = this.archive.shots.map((_, i) => get(i)).filter((v) => v !== null);
        if (!values.length || values.some((v) => typeof v === type)) return;
        if (typeof values[0] === "object") wrong(`${node.name} holds lists: only missing() can ask for it`, node);
        if (kind === "number") wrong(`${node.name} is a text: compare it with text in quotes, or by =, != or ~`, node);
        wrong(`${node.name} holds numbers and is used with text here: compare it with a number`, node);
      });
    }

    // terms

    /** A term as numbers and as texts, of which either may be impossible. @param {QueryNode} node @returns {QueryTerm} */
    term(node) {
      switch (node.is) {
        case "number":
          if (node.unit) wrong(`“${node.unit}” is compared with no name: leave the unit out`, unitOf(node));
          return { number: () => node.value, text: null };
        case "text": return { number: null, text: () => node.value };
        case "date": return { number: null, text: () => node.text };
        case "latest": return { number: () => this.archive.shots[this.archive.shots.length - 1], text: null };
        case "name": {
          const field = this.field(node), get = this.get(field);
          const kind = (/** @type {string} */ wanted) => (/** @type {number} */ i) => {
            const value = get(i);
            return typeof value === wanted ? value : null;
          };
          return { number: kind("number"), text: field.isSigma ? null : kind("string") };
        }
        case "call": {
          const of = node.of;
          if (node.name === "lower") {
            const get = this.texts(of);
            return { number: null, text: (i) => get(i)?.replace(/[A-Z]/g, (c) => c.toLowerCase()) ?? null };
          }
          const get = this.numbers(of), sign = node.name === "abs" ? Math.abs : (/** @type {number} */ x) => -x;
          return { number: (i) => { const x = get(i); return x === null ? null : sign(x); }, text: null };
        }
        case "sum": {
          const first = this.numbers(node.first);
          const rest = node.rest.map(([sign, of]) => /** @type {const} */ ([sign, this.numbers(of)]));
          return { text: null, number: (i) => {
            let x = first(i);
            for (const [sign, get] of rest) {
              const y = get(i);
              if (x === null || y === null || (sign === "/" && y === 0)) return null;
              x = sign === "+" ? x + y : sign === "-" ? x - y : sign === "*" ? x * y : x / y;
              if (Number.isNaN(x)) return null;
            }
            return x;
          } };
        }
        default: return wrong("this is a condition, no value: join conditions with and, or, not", node);
      }
    }

    /** @param {QueryNode} node @returns {(i: number) => number | null} */
    numbers(node) {
      const { number } = this.term(node);
      this.holds(node, "number");
      return number || wrong("this is text, where a number is needed: correct it", node);
    }

    /** @param {QueryNode} node @returns {(i: number) => string | null} */
    texts(node) {
      const { text } = this.term(node);
      this.holds(node, "text");
      return text || wrong("this is a number, where text is needed: put it in quotes", node);
    }

    // conditions

    /** @param {QueryNode} node @returns {(i: number) => boolean | null} */
    condition(node) {
      switch (node.is) {
        case "and": case "or": {
          const parts = node.of.map((of) => this.condition(of)), decides = node.is === "or";
          return (i) => {
            let found = /** @type {boolean | null} */ (!decides);
            for (const part of parts) {
              const one = part(i);
              if (one === decides) return decides;
              if (one === null) found = null;
            }
            return found;
          };
        }
        case "not": {
          const of = this.condition(node.of);
          return (i) => not(of(i));
        }
        case "truth": {
          const { of } = node;
          if (of.is === "name" && node.isAlone && !this.isKnown(of.name)) {
            if (this.known.some((name) => isOneLetterOff(of.name, name))) this.field(of); // says which one
            return this.words([of.name]);
          }
          const get = this.numbers(of);
          return (i) => { const x = get(i); return x === null ? null : x !== 0; };
        }
        case "words": return this.words(node.words);
        case "missing": {
          if (node.of.is === "name") {
            const get = this.get(this.field(node.of));
            return (i) => get(i) === null;
          }
          const { number, text } = this.term(node.of);
          return (i) => (number ? number(i) : null) === null && (text ? text(i) : null) === null;
        }
        case "part": {
          const whole = this.texts(node.whole), part = this.texts(node.of);
          return (i) => {
            const x = whole(i), y = part(i);
            return x === null || y === null ? null : x.includes(y);
          };
        }
        case "among": return this.any(node.items.map((item) => this.item(node.term, item)));
        case "compare": return this.compare(node.left, node.operator, node.right);
        case "loose": return this.loose(node.name, node.operator, node.value);
        default: return wrong("this is a value, no condition: compare it with something", node);
      }
    }

    /** @param {((i: number) => boolean | null)[]} parts @returns {(i: number) => boolean | null} */
    any(parts) {
      return (i) => {
        const found = parts.map((part) => part(i));
        return found.includes(true) || (found.includes(null) ? null : false);
      };
    }

    /** @param {string[]} wanted @returns {(i: number) => boolean} whether all words occur in what is written of a shot */
    words(wanted) {
      const all = wanted.map(folded), { archive } = this;
      return (i) => {
        const texts = folded([...TEXTS.map((id) => archive.value(id, i) ?? ""), ...(archive.value("problems", i) || [])].join("\n"));
        return all.every((word) => texts.includes(word));
      };
    }

    /** @param {QueryNode} left @param {QueryItem} item @returns {(i: number) => boolean | null} */
    item(left, item) {
      if (!Array.isArray(item)) return this.compare(left, "==", item);
      const low = this.compare(left, ">=", item[0]), high = this.compare(left, "<=", item[1]);
      return (i) => {
        const a = low(i), b = high(i);
        return a === false || b === false ? false : a === null || b === null ? null : true;
      };
    }

    /** @param {QueryNode} left @param {string} operator @param {QueryNode} right @returns {(i: number) => boolean | null} */
    compare(left, operator, right) {
      if (operator === "!=" && this.isWord(right, left)) {
        return this.loose(named(left), "!=", { at: right.at, end: right.end, text: this.text.slice(right.at, right.end), isQuoted: false });
      }
      if (left.is === "text" && right.is === "number") left = named(left); // a name in quotes
      [left, right] = [this.dated(left, right), this.dated(right, left)];
      if (right.is === "name" && !this.isKnown(right.name)) wrong(`“${right.name}” is no number, no text in quotes and no column${this.hint(right.name)}`, right);
      [left, right] = [this.united(left, right), this.united(right, left)];
      if (left.is === "date") [left, operator, right] = [right, FLIPPED[operator] || operator, left];
      if (right.is === "date") {
        // only as many characters as are written count
        const get = this.texts(left), { text } = right;
        return (i) => { const x = get(i); return x === null ? null : HOLDS[operator](textOrder([...x].slice(0, text.length).join(""), text)); };
      }
      const a = this.term(left), b = this.term(right);
      const isNumber = a.number && b.number, isText = a.text && b.text;
      if (!isNumber && !isText) wrong("a number is compared with text: put both in quotes or none", right);
      if (!(isNumber && isText)) for (const node of [left, right]) this.holds(node, isNumber ? "number" : "text");
      return (i) => {
        const x = isNumber ? /** @type {any} */ (a.number)(i) : null, y = isNumber ? /** @type {any} */ (b.number)(i) : null;
        if (x !== null && y !== null) return HOLDS[operator](x < y ? -1 : x > y ? 1 : 0);
        const s = isText ? /** @type {any} */ (a.text)(i) : null, t = isText ? /** @type {any} */ (b.text)(i) : null;
        return s === null || t === null ? null : HOLDS[operator](textOrder(s, t));
      };
    }

    /** Whether what another name is compared with is a word or a state. @param {QueryNode} node @param {QueryNode} other @returns {boolean} */
    isWord(node, other) {
      if (node.is === "name") return !this.isKnown(node.name) || (other.is === "name" && !this.isKnown(other.name));
      return node.is === "number" && other.is === "name" && this.isKnown(other.name) && this.field(other).isText;
    }

    /** What meets `date` or `day` as a date. @param {QueryNode} node @param {QueryNode} other @returns {QueryNode} */
    dated(node, other) {
      if (other.is !== "name" || !this.isKnown(other.name)) return node;
      const field = this.field(other);
      if (!field.isDate) return node;
      const written = this.text.slice(node.at, node.end);
      if (node.is === "text") node = moment(node, node.value);
      else if (MOMENT.test(written)) node = moment(node, written);
      else if (node.is === "name" && !this.isKnown(node.name)) wrong(`“${node.name}” is no date: write it as 2026-11-22`, node);
      if (node.is === "date" && field.isDay && node.text.length > 10) wrong("a day has no time of day: compare date instead", node);
      return node;
    }

    /** A number with a unit in the unit of the name that it meets. @param {QueryNode} node @param {QueryNode} other @returns {QueryNode} */
    united(node, other) {
      if (node.is !== "number" || !node.unit || other.is !== "name") return node;
      const field = this.field(other), value = inUnit(node.value, node.unit, field.unit);
      if (value === null) return wrong(`${field.id} is in ${ishtar.numbers.unitText(field.unit) || "no unit"}, not in “${node.unit}”: leave the unit out`, unitOf(node));
      return { ...node, value, unit: "" };
    }

    /** Compare with a value as people write it. @param {QueryName} name @param {string} operator @param {QueryValue} value @returns {(i: number) => boolean | null} */
    loose(name, operator, value) {
      const isEqual = operator !== "!=", wanted = folded(value.text), { archive } = this;
      const template = this.isKnown(name.name) ? undefined : archive.templates.find((t) => t.name === name.name || t.title === name.name);
      if (template) {
        const state = Object.hasOwn(SPOKEN, wanted) ? SPOKEN[wanted] : wanted, id = `${template.name} state`;
        if (operator === "~") return (i) => (archive.value(id, i) || "missing").includes(wanted);
        if (!STATES.includes(state)) wrong(`“${value.text}” is no state of a report; there are ${STATES.join(", ")}`, value);
        return (i) => ((archive.value(id, i) || "missing") === state) === isEqual;
      }
      const field = this.field(name), get = this.get(field);
      const said = (/** @type {number} */ i) => {
        const found = field.id === "problems" && operator === "~" ? (archive.value("problems", i) || []).join(" ") : get(i);
        return found === null ? field.isText ? "" : null : typeof found === "object" ? null : folded(found);
      };
      if (operator === "~") return (i) => said(i)?.includes(wanted) ?? null;
      if (value.text === "none" && !value.isQuoted) return (i) => (get(i) === null || get(i) === "") === isEqual;
      const found = (field.isText ? null : this.valued(name, field, value)) || this.spoken(name, field, wanted, said, get, isEqual);
      return isEqual ? found : (i) => not(found(i));
    }

    /** Compare with a word. @param {QueryName} name @param {QueryField} field @param {string} wanted @param {(i: number) => string | null} said @param {(i: number) => any} get @param {boolean} isEqual @returns {(i: number) => boolean | null} */
    spoken(name, field, wanted, said, get, isEqual) {
      const yes = Object.hasOwn(YES_NO, wanted) ? YES_NO[wanted] : null;
      if (isEqual && yes === null && !field.isText && !/^\d+$/.test(wanted.replaceAll(".", ""))) this.holds(name, "text");
      return (i) => {
        const x = said(i);
        return x === null ? null : x === wanted || (yes !== null && get(i) === yes);
      };
    }

    /** Compare with a number, a date or a range of them; null where it is a word. @param {QueryName} name @param {QueryField} field @param {QueryValue} value */
    valued(name, field, value) {
      const item = value.isQuoted && !field.isDate ? null : parseItem(this.text, value);
      if (field.isDate) return this.item(name, item || moment(value, value.text));
      const first = Array.isArray(item) ? item[0] : item;
      if (!item || !first || first.is === "date") return null;
      try {
        return this.item(name, item);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        const get = this.get(field); // words that begin with a number: 3 phases
        this.checks.push(() => { if (!this.archive.shots.some((_, i) => typeof get(i) === "string")) throw error; });
        return null;
      }
    }
  }

  /** @param {unknown} error @returns {{problem: string, at: number, end: number}} */
  const told = (error) => {
    if (!(error instanceof Problem)) throw error;
    return { problem: `${error.message}${/[.?]$/.test(error.message) ? "" : "."}`, at: error.at, end: error.end };
  };

  /**
   * Read a filter; an empty one holds for all shots.
   * @param {string} text @param {ShotArchive} archive @returns {ShotFilter}
   */
  const filterOf = (text, archive) => {
    const nothing = { test: () => true, fields: [], isSet: false, problem: "", at: 0, end: 0, check: () => null };
    if (!text.trim()) return nothing;
    const meaning = new Meaning(text, archive);
    try {
      const test = meaning.condition(parse(text));
      const check = () => {
        try {
          for (const one of meaning.checks) one();
          return null;
        } catch (error) {
          return told(error);
        }
      };
      return { ...nothing, test, fields: [...meaning.fields], isSet: true, check };
    } catch (error) {
      return { ...nothing, ...told(error) };
    }
  };

  // links of older pages ---------------------------------------------------------------------------

  const OLDER = /!=|>=|<=|≥|≤|≠|=|>|<|~/, WHOLE = /^"([^"]*)"?$/;

  /** @param {string} text */
  const quoted = (text) => text.includes('"') ? `'${text}'` : `"${text}"`;

  /** @param {string} piece of a filter of older pages @param {ShotArchive} archive @returns {string} the same as a query */
  const upgradedPiece = (piece, archive) => {
    const sign = OLDER.exec(piece.replace(/"[^"]*"?/g, (text) => "\0".repeat(text.length)));
    const bare = (/** @type {string} */ text) => text.replace(WHOLE, "$1");
    if (!sign) {
      const words = WHOLE.test(piece) ? [bare(piece)] : piece.split(/\s+/);
      const isPlain = words.length > 1 && !SIGNS.test(piece) && !KEYWORD.test(piece) && words.every((word) => NAME.test(word));
      return isPlain ? piece : words.map(quoted).join(" and ");
    }
    const name = bare(piece.slice(0, sign.index).trim()), value = piece.slice(sign.index + sign[0].length).trim();
    if (!name || !value) return piece;
    const base = BASE[name.toLowerCase()] || "", isDate = base === "date" || base === "day";
    const isPlain = name.split(/\s+/).every((word) => NAME.test(word)) && !KEYWORD.test(name);
    const left = base === "day" ? "date" : isPlain ? name : `\`${name}\``; // a day had its time
    if (!"!=≠~".includes(sign[0])) return `${left} ${sign[0]} ${value}`;
    const isSafe = !KEYWORD.test(value) && !/["'()]/.test(value);
    const right = WHOLE.test(value) ? quoted(bare(value)) : isSafe ? value : quoted(value);
    if (!"!=≠".includes(sign[0]) || sign[0] === "=" || right === "none") return `${left} ${sign[0]} ${right}`;
    // what is missing counted as other; a word was one, whatever else has its name
    if (isDate || (value.includes("..") && !TEXTS.includes(base))) return `(${left} = none or ${left} != ${right})`;
    const isWord = WHOLE.test(value) || right !== value || value.includes("..") || /^\d{4}-/.test(value) || new Meaning("", archive).isKnown(value);
    return isWord ? `not ${left} = ${right}` : `${left} != ${right}`;
  };

  /** A filter of a link of older pages as a query that has the same rows. @param {string} text @param {ShotArchive} archive @returns {string} */
  const upgraded = (text, archive) => (text.match(/(?:"[^"]*"?|[^;"])+/g) || []).map((piece) => piece.trim()).filter(Boolean)
    .map((piece) => upgradedPiece(piece, archive)).join("; ");

  ishtar.filter = { of: filterOf, folded, upgraded };
})();
