// From the text of a query to its tree, as ishtar/query/scan.py and parse.py do it: the same texts, the same trees, errors at
// the same places. docs/catalogue.md has the whole language.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar;
  const MOST_TOKENS = 800, DEEPEST = 16, LONGEST = 20_000;

  const KEYWORDS = ["and", "or", "not", "in", "is", "None", "True", "False"];
  const COMPARISONS = ["==", "!=", "<", "<=", ">", ">="];
  const FUNCTIONS = ["abs", "lower", "missing"];
  const SAME = /** @type {Record<string, string>} */ ({ "≥": ">=", "≤": "<=", "≠": "!=", "−": "-" });
  const INSTEAD = /** @type {Record<string, string>} */ ({
    "<>": "write != for unequal", "!": "write not", "&": "write and", "&&": "write and", "|": "write or", "||": "write or", "**": "write a product",
  });

  const NUMBER = String.raw`(?:(?:[0-9]{1,3}(?:[ \u202f][0-9]{3})+(?![0-9])|[0-9]+)(?:\.(?!\.)[0-9]*)?|\.[0-9]+)(?:[eE][+−\-]?[0-9]+)?`;
  const UNIT = String.raw`(?!(?:and|or|not|in|is)(?![\p{L}\p{N}_]))(?:1/)?[\p{L}°%][^\s;,()\[\]<>=!~'"\x60.]*`;
  const WORD = String.raw`[\p{L}_](?:[\p{L}\p{N}_]|\{[\p{L}\p{N}_]+\})*`;
  const TOKEN = new RegExp([
    String.raw`(?<space>\s+)`,
    String.raw`(?<date>[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}(?::[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)?)?(?![\p{L}\p{N}_\-]))`,
    String.raw`(?<number>${NUMBER}(?:\s*(?<unit>${UNIT}))?)`,
    String.raw`(?<text>'[^']*'|"[^"]*")`,
    String.raw`(?<quoted>\x60[^\x60]+\x60)`,
    String.raw`(?<name>${WORD}(?:\.${WORD})*)`,
    String.raw`(?<sign>==|!=|<=|>=|<>|\.\.|&&|\|\||\*\*|[≥≤≠−<>()\[\],+*\/=~&|!\-])`,
  ].join("|"), "uy");
  const QUOTED = /\s*('[^']*'|"[^"]*")(?=\s*(?:$|\)|(?:and|or)\b))/uy;
  const BARE = /((?:\([^()]*\)|[^()])*?)(?=\s(?:and|or)(?![\p{L}\p{N}_])|\)|$)/uy;
  const PART = /(?:'[^']*'|"[^"]*"|`[^`]*`|[^;])+/g;
  const SHOT = String.raw`(?:latest|[0-9]{1,9}(?:\s*\.\.\s*[0-9]{1,9})?)`;
  const SHOTS = new RegExp(String.raw`^${SHOT}(?:\s*,\s*${SHOT})*$`);
  const SIGNS = /[=<>~≥≤≠!()[\]'"`&|]|\s[-+*/]\s|\.\.|\b(?:True|False|None)\b/;
  const KEYWORD = /(?<![\p{L}\p{N}_])(?:and|or|not|in|is)(?![\p{L}\p{N}_])/u;
  const NAME = new RegExp(String.raw`^${WORD}(?:\.${WORD})*$`, "u");
  const MOMENT = /^[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2}(?:T[0-9]{2}(?::[0-9]{2}(?::[0-9]{2})?)?)?)?)?$/;

  /** What is wrong with a query, and where. */
  class Problem extends Error {
    /** @param {string} message @param {number} at @param {number} end */
    constructor(message, at, end) {
      super(message);
      this.at = at;
      this.end = end;
    }
  }

  /** @param {string} message @param {{at: number, end: number}} place @returns {never} */
  const wrong = (message, { at, end }) => { throw new Problem(message, at, end); };

  /** Return what is written as a date. @param {{at: number, end: number}} place @param {string} written @returns {QueryNode} */
  const moment = ({ at, end }, written) => {
    const text = written.trim().replace(" ", "T"), whole = text.split(".")[0];
    const full = whole + "0000-01-01T00:00:00".slice(whole.length);
    const isDate = MOMENT.test(whole) && new Date(`${full}Z`).toJSON()?.slice(0, 19) === full && Number(whole.slice(0, 4)) > 0;
    return isDate ? { is: "date", at, end, text } : wrong("this is no date: write it as 2026-11-22, 2026-11 or 2026-11-22T10:30", { at, end });
  };

  const RANGE = "a range stands after in, = or !=: correct it";

  /** Conditions by recursive descent, one method for each rank of binding. */
  class Parser {
    /** @param {string} text @param {number} at @param {number} end @param {number} most */
    constructor(text, at, end, most) {
      this.text = text.slice(0, end);
      this.end = end;
      this.most = most;
      this.count = 0;
      this.depth = 0;
      this.after = at; // where the token before ends
      /** @type {QueryToken | null} the one before */
      this.last = null;
      this.now = this.read(at);
    }

    /** @param {number} at @returns {QueryToken} */
    read(at) {
      if (at >= this.end) return { kind: "end", text: "", at: this.end, end: this.end, unit: "" };
      TOKEN.lastIndex = at;
      const match = TOKEN.exec(this.text);
      if (!match) return wrong(`${"'\"`".includes(this.text[at]) ? "this quote is never closed" : "this sign means nothing here"}: correct it`, { at, end: at + 1 });
      const groups = /** @type {Record<string, string | undefined>} */ (match.groups);
      const end = at + match[0].length;
      if (groups.space !== undefined) return this.read(end);
      this.count += 1;
      if (this.count > this.most) wrong(`more than ${MOST_TOKENS} words: split the query`, { at, end });
      const kind = Object.keys(groups).find((name) => name !== "unit" && groups[name] !== undefined) || "";
      const text = SAME[match[0]] || match[0];
      return { kind: kind === "name" && KEYWORDS.includes(text) ? "word" : kind, text, at, end, unit: groups.unit || "" };
    }

    step() {
      const token = this.now;
      this.after = token.end;
      this.last = token;
      this.now = this.read(token.end);
      return token;
    }

    /** Step over a sign or keyword where it comes next. @param {string[]} texts */
    take(...texts) {
      return ["word", "sign"].includes(this.now.kind) && texts.includes(this.now.text) ? this.step() : null;
    }

    /** @param {string} text */
    need(text) {
      return this.take(text) || this.unexpected(`expected ${text}`);
    }

    /** @param {string} wanted @returns {never} */
    unexpected(wanted) {
      return wrong(INSTEAD[this.now.text] || wanted, this.now);
    }

    /** @template T @param {() => T} inside @returns {T} */
    deeper(inside) {
      this.depth += 1;
      if (this.depth > DEEPEST) wrong(`more than ${DEEPEST} brackets or signs inside each other: simplify the query`, this.last || this.now);
      const found = inside();
      this.depth -= 1;
      return found;
    }

    /** @returns {QueryNode} */
    whole() {
      const found = condition(this.either());
      return this.now.kind === "end" ? found : this.unexpected("expected and, or, or the end");
    }

    /** @returns {QueryNode} */
    either() {
      return this.joined("or", () => this.joined("and", () => this.negated()));
    }

    /** @param {"and" | "or"} word @param {() => QueryNode} part @returns {QueryNode} */
    joined(word, part) {
      const found = [part()];
      while (this.take(word)) found.push(part());
      return found.length === 1 ? found[0] : { is: word, at: found[0].at, end: this.after, of: found.map(condition) };
    }

    /** @returns {QueryNode} */
    negated() {
      const token = this.take("not");
      return token ? { is: "not", at: token.at, end: this.after, of: this.deeper(() => condition(this.negated())) } : this.comparison();
    }

    /** @returns {QueryNode} */
    comparison() {
      const at = this.now.at, isBracket = this.now.text === "(";
      let left = this.sum();
      if (["=", "~"].includes(this.now.text) && this.now.kind === "sign") return this.loose(left, isBracket);
      /** @type {QueryNode[]} */
      const found = [];
      for (;;) {
        const negated = this.now.text === "not" ? this.step() : null;
        const token = negated ? this.need("in") : this.take(...COMPARISONS, "is", "in");
        if (!token) break;
        term(left);
        /** @type {QueryNode} */
        let node;
        if (token.text === "is") {
          const not = this.take("not");
          this.need("None");
          node = { is: "missing", at, end: this.after, of: left };
          if (not) node = { is: "not", at, end: this.after, of: node };
          found.push(node);
          continue;
        }
        if (token.text === "in") node = this.among(at, left);
        else {
          if (this.now.text === "None") this.unexpected(`nothing equals None: write ${token.text === "!=" ? "is not None" : "is None"}`);
          if (this.now.kind === "end") this.unexpected(`“${this.text.trim().slice(-20)}” needs a value after it`);
          const right = term(this.sum());
          if (this.now.text === ".." && token.text === "!=") {
            node = { is: "not", at, end: this.after, of: { is: "among", at, end: this.after, term: left, items: [this.range(right)] } };
            if ([...COMPARISONS, "is", "in", "not"].includes(this.now.text)) wrong(RANGE, { at: right.at, end: this.after });
          } else node = { is: "compare", at, end: this.after, left, operator: token.text, right };
          left = right;
        }
        found.push(negated ? { is: "not", at, end: this.after, of: node } : node);
      }
      if (this.now.text === "..") wrong(RANGE, { at: left.at, end: this.now.end });
      if (!found.length) return left;
      return found.length === 1 ? found[0] : { is: "and", at, end: this.after, of: found };
    }

    /** Take what stands after `=` or `~` as it is written. @param {QueryNode} name @param {boolean} isBracket @returns {QueryNode} */
    loose(name, isBracket) {
      const { text: operator, at, end } = this.now;
      if (isBracket || !["name", "text"].includes(name.is)) wrong(`before ${operator} stands a name alone: write ${operator === "=" ? "==" : "in"} to compare`, { at, end });
      QUOTED.lastIndex = BARE.lastIndex = end;
      const quoted = QUOTED.exec(this.text), match = quoted || BARE.exec(this.text);
      if (!match) return wrong("a value with brackets stands in quotes: write them", { at: end, end });
      const word = match[1].trim();
      if (!word) wrong(`“${this.text.slice(name.at, end)}” needs a value after it`, { at: name.at, end });
      const start = end + match[0].indexOf(word), stop = end + match[0].length;
      this.now = this.read(stop);
      this.after = stop;
      const value = { at: start, end: start + word.length, text: quoted ? word.slice(1, -1) : word, isQuoted: Boolean(quoted) };
      return { is: "loose", at: name.at, end: stop, name: named(name), operator, value };
    }

    /** @param {number} at @param {QueryNode} left @returns {QueryNode} */
    among(at, left) {
      const bracket = this.take("(", "[");
      if (!bracket) {
        const first = this.sum();
        if (this.now.text === "..") return { is: "among", at, term: left, items: [this.range(first)], end: this.after };
        return { is: "part", at, end: this.after, of: left, whole: term(first) };
      }
      const close = bracket.text === "(" ? ")" : "]";
      /** @type {QueryItem[]} */
      const items = [];
      this.deeper(() => {
        while (!this.take(close)) {
          if (items.length) {
            if (!this.take(",")) this.unexpected(`expected ${close}, and, or, or the end`);
            if (this.take(close)) break;
          }
          items.push(this.item());
        }
      });
      if (!items.length) wrong("nothing is listed: write ('Ar', 'He')", bracket);
      return { is: "among", at, end: this.after, term: left, items };
    }

    /** @returns {QueryItem} */
    item() {
      const item = this.sum();
      return this.now.text === ".." ? this.range(item) : this.plain(item);
    }

    /** @param {QueryNode} first @returns {[QueryNode, QueryNode]} */
    range(first) {
      this.need("..");
      return [this.plain(first), this.plain(this.sum())];
    }

    /** @param {QueryNode} node @returns {QueryNode} */
    plain(node) {
      const written = this.text.slice(node.at, node.end);
      if (written.includes("-") && MOMENT.test(written)) return moment(node, written); // 2026-11, no difference
      if (["number", "text", "date"].includes(node.is)) return node;
      return wrong("a list holds numbers, texts and dates: write ('Ar', 'He') or 1200..1250", node);
    }

    // terms

    /** @returns {QueryNode} */
    sum() {
      return this.arithmetic(["+", "-"], () => this.arithmetic(["*", "/"], () => this.signed()));
    }

    /** @param {string[]} signs @param {() => QueryNode} part @returns {QueryNode} */
    arithmetic(signs, part) {
      const first = part();
      /** @type {[string, QueryNode][]} */
      const rest = [];
      for (let token = this.take(...signs); token; token = this.take(...signs)) rest.push([token.text, term(part())]);
      return rest.length ? { is: "sum", at: first.at, end: this.after, first: term(first), rest } : first;
    }

    /** @returns {QueryNode} */
    signed() {
      const token = this.take("-", "+");
      if (!token) return this.primary();
      const inner = this.deeper(() => term(this.signed()));
      if (token.text === "+") return inner;
      return inner.is === "number" ? { ...inner, at: token.at, value: -inner.value } : { is: "call", name: "-", at: token.at, end: this.after, of: inner };
    }

    /** @returns {QueryNode} */
    primary() {
      const { kind, text, at, end, unit } = this.now;
      if (kind === "date") {
        this.step();
        return moment({ at, end }, text);
      }
      if (kind === "number") {
        this.step();
        const value = Number(text.slice(0, text.length - unit.length).replace(/\s/g, "").replaceAll("−", "-"));
        return Number.isFinite(value) ? { is: "number", at, end, value, unit } : wrong("this number is too large: correct it", { at, end });
      }
      if (kind === "text") {
        this.step();
        return { is: "text", at, end, value: text.slice(1, -1) };
      }
      if (kind === "quoted") {
        this.step();
        return { is: "name", at, end, name: text.slice(1, -1) };
      }
      if (kind === "name") {
        const words = [this.step().text];
        if (this.now.text === "(" && this.now.kind === "sign") return this.call(words[0], at, end);
        while (this.now.kind === "name") words.push(this.step().text);
        return { is: "name", at, end: this.after, name: words.join(" ") };
      }
      const truth = this.take("True", "False");
      if (truth) return { is: "number", at, end, value: Number(truth.text === "True"), unit: "" };
      if (this.take("(")) {
        return this.deeper(() => {
          const inner = this.either();
          if (!this.take(")")) this.unexpected("expected ), and, or, or the end");
          return inner;
        });
      }
      const isFirst = ["", "(", "and", "or", "not"].includes(this.last?.text || "");
      const isComparison = kind === "sign" && [...COMPARISONS, "=", "~"].includes(text);
      return this.unexpected(isFirst && isComparison ? "this names nothing to compare: write for example Te > 3" : "expected a name, a number, a text or a bracket");
    }

    /** @param {string} name @param {number} at @param {number} end @returns {QueryNode} */
    call(name, at, end) {
      if (!FUNCTIONS.includes(name)) wrong(`there is no function “${name}”; there are ${FUNCTIONS.join(", ")}`, { at, end });
      this.need("(");
      const of = this.deeper(() => term(this.sum()));
      this.need(")");
      return name === "missing" ? { is: "missing", at, end: this.after, of } : { is: "call", name, at, end: this.after, of };
    }
  }

  const TERMS = ["number", "text", "date", "name", "sum", "call"];

  /** @param {QueryNode} node @returns {QueryNode} */
  const condition = (node) => {
    if (!TERMS.includes(node.is)) return node;
    if (node.is === "name" || (node.is === "number" && [0, 1].includes(node.value))) return { is: "truth", at: node.at, end: node.end, of: node, isAlone: false };
    if (node.is === "text") return { is: "words", at: node.at, end: node.end, words: [node.value] };
    return wrong("this is a value, no condition: compare it with something", node);
  };

  /** @param {QueryNode} node @returns {QueryNode} */
  const term = (node) => TERMS.includes(node.is) ? node : wrong("this is a condition, no value: join conditions with and, or, not", node);

  /** What stands before a word is a name, in quotes too. @param {QueryNode} node @returns {QueryName} */
  const named = (node) => node.is === "name" ? node : node.is === "text" ? { is: "name", at: node.at, end: node.end, name: node.value }
    : wrong("this is no name: write one before a word", node);

  /** A part of a query, and how many words it has. @param {string} text @param {number} at @param {number} end @param {number} most @returns {[QueryNode, number]} */
  const parsePart = (text, at, end, most) => {
    const part = text.slice(at, end), words = part.split(/\s+/);
    if (SHOTS.test(part)) {
      const items = [...part.matchAll(new RegExp(SHOT, "g"))].map((shot) => {
        const ends = [...shot[0].matchAll(/latest|[0-9]+/g)].map((m) => {
          const place = { at: at + shot.index + m.index, end: at + shot.index + m.index + m[0].length };
          return /** @type {QueryNode} */ (m[0] === "latest" ? { is: "latest", ...place } : { is: "number", ...place, value: Number(m[0]), unit: "" });
        });
        return /** @type {QueryItem} */ (ends.length === 1 ? ends[0] : ends);
      });
      return [{ is: "among", at, end, term: { is: "name", at, end, name: "shot" }, items }, items.length];
    }
    const parsed = () => {
      const parser = new Parser(text, at, end, most);
      return /** @type {[QueryNode, number]} */ ([parser.whole(), parser.count]);
    };
    if (SIGNS.test(part)) return parsed();
    if (words.length > most) wrong(`more than ${MOST_TOKENS} words: split the query`, { at, end });
    /** @type {QueryNode} */
    const found = words.length === 1 && NAME.test(part) ? { is: "truth", at, end, of: { is: "name", at, end, name: part }, isAlone: true } : { is: "words", at, end, words };
    try {
      return KEYWORD.test(part) ? parsed() : [found, words.length];
    } catch (error) {
      if (error instanceof Problem) return [{ is: "words", at, end, words }, words.length]; // strap back in
      throw error;
    }
  };

  /** The tree of a query; throws what is wrong with it. @param {string} text @returns {QueryNode} */
  const parse = (text) => {
    if (text.length > LONGEST) wrong(`more than ${LONGEST} characters: split the query`, { at: LONGEST, end: text.length });
    /** @type {QueryNode[]} */
    const found = [];
    let left = MOST_TOKENS;
    for (const match of text.matchAll(PART)) {
      const part = match[0].trim();
      if (!part) continue;
      const at = match.index + match[0].length - match[0].trimStart().length;
      const [node, count] = parsePart(text, at, at + part.length, left);
      found.push(node);
      left -= count + 1;
    }
    if (!found.length) wrong("it is empty: write a condition, e.g. gas == 'Ar'", { at: 0, end: 0 });
    return found.length === 1 ? found[0] : { is: "and", at: 0, end: text.length, of: found };
  };

  /** A value as a number, a date or a range of them; null where it is a word. @param {string} text @param {QueryValue} value @returns {QueryItem | null} */
  const parseItem = (text, value) => {
    try {
      const parser = new Parser(text, value.at, value.end, MOST_TOKENS);
      const item = parser.item();
      return parser.now.kind === "end" ? item : null;
    } catch (error) {
      if (error instanceof Problem) return null;
      throw error;
    }
  };

  ishtar.query = { MOMENT, NAME, KEYWORD, SIGNS, Problem, moment, named, parse, parseItem, wrong };
})();
