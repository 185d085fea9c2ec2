// The shots of the site as columns, loaded part by part: the newest first, the others on demand.
// A column is an array over all shots (ascending); undefined if not loaded yet, null if a shot has no value.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar;
  const TOGETHER = 4; // parts loaded in parallel

  /** @param {string} text @returns {number[]} `1-3,7` as numbers, ascending */
  const numbersOf = (text) => {
    const found = [];
    for (const span of (text || "").split(",").filter(Boolean)) {
      const [first, last] = span.split("-").map(Number);
      for (let n = first; n <= (last === undefined ? first : last); n++) found.push(n);
    }
    return found.sort((a, b) => a - b);
  };

  /** @param {number} shot @returns {string} */
  const folder = (shot) => `shots/${String(shot).padStart(5, "0")}`;

  /** The page of a report, by the same rule as the server's addresses. @param {number} shot @param {string} template */
  const reportPage = (shot, template) => {
    const name = template.replace(/[^\p{L}\p{N}_.-]/gu, "_").replace(/^\.+/, "");
    const file = name === "" || name === "index" || name === "reruns" ? `${name}_` : name;
    return `${folder(shot)}/${encodeURIComponent(file)}.html`;
  };

  const BASE = ["date", "gas", "program", "operator", "comment", "problems"];

  class Archive {
    /** @param {SiteIndex} index */
    constructor(index) {
      this.index = index;
      /** @type {number[]} */
      this.shots = numbersOf(index.shots);
      /** @type {Map<number, number>} */
      this.at = new Map(this.shots.map((shot, i) => [shot, i]));
      /** @type {ScrapColumn[]} */
      this.scraps = (index.scraps || []).map((s) => ({ ...s, id: `${s.template}.${s.name}` }));
      /** @type {Map<string, number>} */
      const order = new Map((index.templates || []).map((t, i) => [t.name, i]));
      const rank = (/** @type {ScrapColumn} */ s) => order.get(s.template) ?? order.size;
      const place = (/** @type {ScrapColumn} */ s) => s.place ?? Infinity;
      // results with a place of their own first, then in the order of a shot's reports; within a report the key results first
      this.scraps.sort((a, b) => (place(a) === place(b) ? 0 : place(a) - place(b)) || rank(a) - rank(b) || Number(b.key) - Number(a.key) || a.rank - b.rank);
      /** @type {string[]} names of the attributes of shots */
      this.attributes = index.attributes || [];
      /** @type {Map<string, ScrapColumn>} */
      this.byId = new Map(this.scraps.map((s) => [s.id, s]));
      /** @type {ShotTemplate[]} those of shots */
      this.templates = (index.templates || []).filter((t) => t.scope === "shot");
      /** @type {Map<string, StoredColumn>} */
      this.columns = new Map();
      /** @type {Map<number, Set<string>>} templates that have results in a part */
      this.scrapsOf = new Map();
      /** @type {Set<string>} parts that are loaded */
      this.loaded = new Set();
    }

    /** @param {string} id @returns {StoredColumn} */
    column(id) {
      let column = this.columns.get(id);
      if (!column) {
        const n = this.shots.length;
        column = { values: new Array(n), sigmas: new Array(n), units: new Map() };
        this.columns.set(id, column);
      }
      return column;
    }

    /** @param {number} i index of a shot @returns {number} the part that contains it */
    part(i) {
      return Math.floor(this.shots[i] / this.index.shard);
    }

    /** @returns {number[]} the parts, the newest first */
    get parts() {
      return [...(this.index.shards || [])].sort((a, b) => b - a);
    }

    /** Load the data of all shots in a part. @param {number} part */
    async base(part) {
      const name = `data/shots/${String(part).padStart(4, "0")}`;
      if (this.loaded.has(name)) return;
      const data = await ishtar.load(name);
      if (this.loaded.has(name)) return;
      this.loaded.add(name);
      /** @type {number[]} */
      const places = data.shot.map((/** @type {number} */ shot) => this.at.get(shot) ?? -1);
      for (const id of BASE) this._put(this.column(id), places, data[id] || []);
      for (const [name, values] of Object.entries(data.attributes || {})) this._put(this.column(`attribute ${name}`), places, /** @type {any[]} */ (values));
      this.scrapsOf.set(part, new Set(data.scraps || []));
      for (const [template, states] of Object.entries(data.states || {})) {
        this._put(this.column(`${template} state`), places, /** @type {any[]} */ (states));
      }
      ishtar.unload(name); // it is in the columns now
    }

    /** Load the results of a template. @param {string} template @param {number} part */
    async results(template, part) {
      const slug = this.slug(template);
      const name = `data/scraps/${slug}/${String(part).padStart(4, "0")}`;
      await this.base(part);
      if (this.loaded.has(name)) return;
      if (!this.scrapsOf.get(part)?.has(template)) {
        this.loaded.add(name); // there is no such file
        return;
      }
      const data = await ishtar.load(name);
      if (this.loaded.has(name)) return;
      this.loaded.add(name);
      /** @type {number[]} */
      const places = data.shot.map((/** @type {number} */ shot) => this.at.get(shot) ?? -1);
      for (const [scrap, given] of Object.entries(data.columns || {})) {
        const { unit, value, sigma } = /** @type {any} */ (given);
        const id = `${template}.${scrap}`;
        const column = this.column(id);
        this._put(column, places, value.map(ishtar.numbers.fromData));
        for (const [k, i] of places.entries()) {
          if (i < 0) continue;
          column.sigmas[i] = sigma ? ishtar.numbers.fromData(sigma[k]) : null;
          const known = this.byId.get(id);
          if (known && unit !== known.unit && value[k] !== null) column.units.set(i, unit);
        }
      }
      ishtar.unload(name);
    }

    /** @param {string} template @returns {string} */
    slug(template) {
      /** @type {ShotTemplate[]} */
      const all = this.index.templates || [];
      return all.find((t) => t.name === template)?.slug || template;
    }

    /** @param {StoredColumn} column @param {number[]} places @param {any[]} values */
    _put(column, places, values) {
      for (const [k, i] of places.entries()) if (i >= 0) column.values[i] = values[k] ?? null;
    }

    /**
     * Whether all data of some columns in a part are loaded.
     * @param {number} part @param {Iterable<string>} templates @returns {boolean}
     */
    has(part, templates) {
      const number = String(part).padStart(4, "0");
      if (!this.loaded.has(`data/shots/${number}`)) return false;
      for (const t of templates) if (!this.loaded.has(`data/scraps/${this.slug(t)}/${number}`)) return false;
      return true;
    }

    /**
     * Load parts with the results of some templates, a few in parallel, in order.
     * @param {number[]} parts @param {string[]} templates
     * @param {(done: number, of: number) => void} [progress] after each part
     * @returns {Promise<void>}
     */
    async load(parts, templates, progress) {
      const wanted = parts.filter((part) => !this.has(part, templates));
      let next = 0, done = 0;
      const one = async () => {
        while (next < wanted.length) {
          const part = wanted[next++];
          await this.base(part);
          await Promise.all(templates.map((t) => this.results(t, part)));
          done += 1;
          progress?.(done, wanted.length);
        }
      };
      await Promise.all(Array.from({ length: TOGETHER }, one));
    }

    /**
     * The value of a column for a shot: a number, a text, true or false; null if it has none, or one in
     * another unit than the column; undefined if it is not loaded.
     * @param {string} id @param {number} i @returns {any}
     */
    value(id, i) {
      if (id === "shot") return this.shots[i];
      const column = this.columns.get(id);
      // a loaded part without a result has no values of it
      if (!column) return null;
      const value = column.values[i];
      return column.units.has(i) ? null : value ?? null;
    }

    /** @param {string} id @param {number} i @returns {number | null} */
    sigma(id, i) {
      const sigma = this.columns.get(id)?.sigmas[i];
      return typeof sigma === "number" && Number.isFinite(sigma) ? sigma : null;
    }
  }

  /** Load the index of the site. @returns {Promise<ShotArchive>} */
  const open = async () => new Archive(await ishtar.load("data/index"));

  ishtar.archive = { open, folder, reportPage, numbersOf };
})();
