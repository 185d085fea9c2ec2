// Elements from plain text, and the state of a page in the fragment of its address.
// Text of shots, scraps and files is never markup: it only ever becomes a text node.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar = window.ishtar || /** @type {Ishtar} */ ({});

  /** @typedef {Node | string | number | null | undefined | false} Child */

  /**
   * Make an element. `on…` properties listen, `class` and names with a dash or of ARIA are
   * attributes, the others are properties.
   * @param {string} tag
   * @param {Record<string, any> | null} [properties]
   * @param {...(Child | Child[])} children
   * @returns {any}
   */
  ishtar.el = (tag, properties, ...children) => {
    const element = /** @type {any} */ (document.createElement(tag));
    for (const [name, value] of Object.entries(properties || {})) {
      if (value === undefined || value === null || value === false) continue;
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (name in element && !name.includes("-") && name !== "list") element[name] = value;
      else element.setAttribute(name === "class" ? "class" : name, value === true ? "" : String(value));
    }
    for (const child of children.flat()) {
      if (child === null || child === undefined || child === false) continue;
      element.append(child instanceof Node ? child : String(child));
    }
    return element;
  };

  const SVG = "http://www.w3.org/2000/svg";

  /**
   * Make an element of a drawing.
   * @param {string} tag @param {Record<string, string | number>} attributes @param {...(Node | string)} children
   * @returns {SVGElement}
   */
  ishtar.svg = (tag, attributes, ...children) => {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
    element.append(...children);
    return element;
  };

  /**
   * A name that breaks after dots, dashes and underscores rather than within a word.
   * @param {string} name @returns {(string | HTMLElement)[]}
   */
  ishtar.breakable = (name) => name.split(/(?<=[._,-])(?=[^\s._,-])/).flatMap((part, k) => k ? [ishtar.el("wbr"), part] : [part]);

  /**
   * A symbol with its index: `T_e`, `n_{e,max}`. @param {string} symbol @returns {HTMLElement}
   */
  ishtar.symbol = (symbol) => {
    const at = symbol.indexOf("_");
    if (at < 1) return ishtar.el("var", null, symbol);
    return ishtar.el("var", null, symbol.slice(0, at), ishtar.el("sub", null, symbol.slice(at + 1).replace(/^\{|\}$/g, "")));
  };

  const WORDS = /** @type {Record<string, string>} */ ({
    ok: "ok", failed: "failed", skipped: "skipped", timeout: "timed out", stale: "out of date", missing: "not made yet",
  });

  /**
   * The icon of a state, from the drawings at the top of every page, with words for screen readers.
   * @param {string} state @param {string} title of the report @param {string} [href]
   * @returns {HTMLElement}
   */
  ishtar.stateMark = (state, title, href) => {
    const known = state in WORDS ? state : "missing";
    const text = `${title}: ${WORDS[known]}`;
    return ishtar.el(href ? "a" : "span", { class: "dot", title: text, href }, ishtar.icon(known), ishtar.el("span", { class: "vh" }, text));
  };

  /** A drawing from the top of the page: a state, or `problem`. @param {string} name @returns {SVGElement} */
  ishtar.icon = (name) => ishtar.svg("svg", { class: `icon ${name}`, width: 16, height: 16, "aria-hidden": "true" },
    ishtar.svg("use", { href: `#s-${name}` }));

  /** @param {string} state @returns {string} in words */
  ishtar.stateWord = (state) => WORDS[state] || WORDS.missing;

  /** @param {string} text @returns {string} */
  const escaped = (text) => encodeURIComponent(text).replace(/%(3D|3B|3A|2F|40|24|20)/g,
    (whole, code) => code === "20" ? "%20" : decodeURIComponent(whole));

  /** @param {string} text @returns {string} a damaged escape is kept as it is */
  const unescaped = (text) => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  };

  /** The state in the address: texts, or lists of texts (`shots=7,8`). */
  ishtar.place = {
    /** @returns {{text: (name: string) => string, list: (name: string) => string[], has: (name: string) => boolean}} */
    read() {
      /** @type {Map<string, string>} */
      const raw = new Map();
      for (const part of location.hash.slice(1).split("&")) {
        const at = part.indexOf("=");
        if (at > 0) raw.set(part.slice(0, at), part.slice(at + 1));
      }
      return {
        text: (name) => unescaped(raw.get(name) || ""),
        list: (name) => (raw.get(name) || "").split(",").filter(Boolean).map(unescaped),
        has: (name) => raw.has(name),
      };
    },

    /**
     * Return a fragment, without empty values.
     * @param {Record<string, string | string[] | undefined>} state @returns {string}
     */
    text(state) {
      const parts = Object.entries(state).flatMap(([name, value]) => {
        const text = Array.isArray(value) ? value.map(escaped).join(",") : escaped(value || "");
        return text ? [`${name}=${text}`] : [];
      });
      return parts.length ? `#${parts.join("&")}` : "#";
    },

    /**
     * Put a state into the address; `step` adds an entry to the history for the back button.
     * @param {Record<string, string | string[] | undefined>} state @param {boolean} step
     */
    write(state, step) {
      const text = ishtar.place.text(state);
      const now = location.hash || "#";
      if (text === now) return;
      // replaceState is allowed from disk too, as long as only the fragment changes
      const url = text === "#" ? location.pathname + location.search : text;
      if (step) history.pushState(null, "", url);
      else history.replaceState(null, "", url);
    },

    /** Call when the reader goes back, forward, or to another fragment. @param {() => void} read */
    follow(read) {
      addEventListener("popstate", read);
    },
  };

  /** Wait for a pause before doing something. @param {() => void} action @param {number} ms @returns {() => void} */
  ishtar.afterPause = (action, ms) => {
    let timer = 0;
    return () => {
      clearTimeout(timer);
      timer = setTimeout(action, ms);
    };
  };
})();
