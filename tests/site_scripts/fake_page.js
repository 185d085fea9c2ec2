// A page without a browser: as much of elements, events, the address and timers as the scripts of
// the site use. It lays nothing out; what a test needs of sizes it sets itself.
"use strict";

class FakeNode {
  /** @type {FakeElement | null} */
  parent = null;

  get nextSibling() {
    const around = this.parent?.nodes || [];
    return around[around.indexOf(this) + 1] || null;
  }

  get isConnected() {
    let node = /** @type {any} */ (this);
    while (node.parent) node = node.parent;
    return node.tag === "html";
  }

  remove() {
    if (this.parent) this.parent.nodes.splice(this.parent.nodes.indexOf(this), 1);
    this.parent = null;
  }

  replaceWith(/** @type {FakeNode} */ other) {
    this.parent?.insertBefore(other, this);
    this.remove();
  }
}

class FakeText extends FakeNode {
  constructor(/** @type {string} */ text) {
    super();
    this.textContent = text;
  }
}

const CONDITION = /#[\w-]+|\.[\w-]+|\[[\w-]+(?:="[^"]*"|=[^\]]*)?\]|:not\([^)]*\)|:disabled|^[\w-]+/g;

class FakeElement extends FakeNode {
  /** @type {any[]} */
  nodes = [];
  /** @type {Map<string, string>} */
  attributes = new Map();
  /** @type {Map<string, ((event: any) => any)[]>} */
  listeners = new Map();
  /** @type {Record<string, any>} */
  style = {};
  // properties that `ishtar.el` may set
  id = ""; value = ""; checked = false; href = ""; type = ""; hidden = false; title = ""; disabled = false; tabIndex = -1; colSpan = 1;
  clientWidth = 0; clientHeight = 0; scrollTop = 0; scrollLeft = 0; src = ""; download = ""; width = 0; height = 0; alt = ""; placeholder = "";

  constructor(/** @type {string} */ tag, /** @type {any} */ page) {
    super();
    this.tag = tag;
    this.page = page;
    this.dataset = new Proxy({}, {
      get: (_, name) => this.getAttribute(`data-${String(name)}`) ?? undefined,
      set: (_, name, value) => { this.setAttribute(`data-${String(name)}`, value); return true; },
    });
    this.classList = {
      names: () => (this.getAttribute("class") || "").split(" ").filter(Boolean),
      contains: (/** @type {string} */ name) => this.classList.names().includes(name),
      toggle: (/** @type {string} */ name, /** @type {boolean} */ on) => this.setAttribute("class", [...this.classList.names().filter((n) => n !== name), ...(on ? [name] : [])].join(" ")),
      add: (/** @type {string} */ name) => this.classList.toggle(name, true),
      remove: (/** @type {string} */ name) => this.classList.toggle(name, false),
    };
  }

  get children() { return this.nodes.filter((n) => n instanceof FakeElement); }
  get tBodies() { return this.children.filter((c) => c.tag === "tbody"); }
  get form() { return this.closest("form"); }
  get textContent() { return this.nodes.map((n) => n.textContent).join(""); }
  set textContent(text) { this.replaceChildren(String(text)); }

  getAttribute(/** @type {string} */ name) { return this.attributes.get(name) ?? null; }
  setAttribute(/** @type {string} */ name, /** @type {any} */ value) { this.attributes.set(name, String(value)); }
  removeAttribute(/** @type {string} */ name) { this.attributes.delete(name); }

  insertBefore(/** @type {any} */ node, /** @type {any} */ next) {
    const one = node instanceof FakeNode ? node : new FakeText(String(node));
    one.remove();
    one.parent = this;
    this.nodes.splice(next ? this.nodes.indexOf(next) : this.nodes.length, 0, one);
    return one;
  }

  append(/** @type {any[]} */ ...nodes) { for (const node of nodes) this.insertBefore(node, null); }
  replaceChildren(/** @type {any[]} */ ...nodes) {
    for (const old of [...this.nodes]) old.remove();
    this.append(...nodes);
  }

  cloneNode() {
    const copy = new FakeElement(this.tag, this.page);
    copy.attributes = new Map(this.attributes);
    return copy;
  }

  contains(/** @type {any} */ node) {
    for (let one = node; one; one = one.parent) if (one === this) return true;
    return false;
  }

  /** @returns {any[]} what is below, in the order of the page */
  below() { return this.children.flatMap((c) => [c, ...c.below()]); }

  meets(/** @type {string} */ simple) {
    return (simple.match(CONDITION) || []).every((part) => {
      if (part[0] === "#") return this.id === part.slice(1);
      if (part[0] === ".") return this.classList.contains(part.slice(1));
      if (part === ":disabled") return this.disabled;
      if (part.startsWith(":not")) return !this.meets(part.slice(5, -1));
      if (part[0] !== "[") return this.tag === part;
      const [, name, , value] = /^\[([\w-]+)(=(.*))?\]$/.exec(part) || [];
      const own = this.getAttribute(name);
      return own !== null && (value === undefined || own === value.replace(/^"|"$/g, ""));
    });
  }

  matches(/** @type {string} */ selector) {
    return selector.split(",").some((one) => {
      const steps = one.trim().split(/\s+/);
      if (!this.meets(/** @type {string} */ (steps.pop()))) return false;
      let up = this.parent;
      for (const step of steps.reverse()) {
        while (up && !up.meets(step)) up = up.parent;
        if (!up) return false;
        up = up.parent;
      }
      return true;
    });
  }

  closest(/** @type {string} */ selector) {
    for (let one = /** @type {any} */ (this); one; one = one.parent) if (one.matches(selector)) return one;
    return null;
  }

  querySelectorAll(/** @type {string} */ selector) { return this.below().filter((e) => e.matches(selector)); }
  querySelector(/** @type {string} */ selector) { return this.querySelectorAll(selector)[0] || null; }

  addEventListener(/** @type {string} */ type, /** @type {any} */ listener) { this.listeners.set(type, [...(this.listeners.get(type) || []), listener]); }

  /** Let something happen here, and above. @param {string} type @param {object} [facts] @returns {any} the event */
  happen(type, facts = {}) {
    const event = { type, target: this, defaultPrevented: false, preventDefault() { this.defaultPrevented = true; }, stopPropagation() {}, ...facts };
    for (let one = /** @type {any} */ (this); one; one = one.parent) for (const listener of one.listeners.get(type) || []) listener(event);
    for (const listener of this.page.document.listeners.get(type) || []) listener(event);
    return event;
  }

  click() { this.page.clicked.push(this); this.happen("click"); }
  focus() { this.page.document.activeElement = this; }
  getBoundingClientRect() { return { left: 0, top: 0, width: this.clientWidth, height: this.clientHeight }; }

  /** What a canvas was told to do, as [what, …with]. */
  getContext() {
    this.pen ??= new Proxy({ done: /** @type {any[]} */ ([]) }, {
      get: (own, name) => name in own ? own[name] : (/** @type {any[]} */ ...given) => { own.done.push([name, ...given]); },
      set: (own, name, value) => { own[name] = value; return true; },
    });
    return this.pen;
  }
}

/**
 * Make a page. `page.add("form#picker.field")` puts an element into its body; `globals` are for `load`.
 * @param {string} [address] its fragment, such as "#shots=7"
 */
const makePage = (address = "") => {
  /** @type {any} */
  const page = { clicked: [], steps: [], timers: [], windowListeners: new Map() };
  const html = new FakeElement("html", page), body = new FakeElement("body", page), head = new FakeElement("head", page);
  html.append(head, body);
  html.setAttribute("data-root", "./");
  const listeners = new Map();
  const document = {
    listeners, documentElement: html, body, head, activeElement: body, title: "",
    createElement: (/** @type {string} */ tag) => new FakeElement(tag, page),
    createElementNS: (/** @type {string} */ _, /** @type {string} */ tag) => new FakeElement(tag, page),
    getElementById: (/** @type {string} */ id) => html.below().find((e) => e.id === id) || null,
    querySelector: (/** @type {string} */ s) => html.querySelector(s),
    querySelectorAll: (/** @type {string} */ s) => html.querySelectorAll(s),
    addEventListener: (/** @type {string} */ type, /** @type {any} */ listener) => listeners.set(type, [...(listeners.get(type) || []), listener]),
  };
  const location = { hash: address, pathname: "/site/table.html", search: "", href: "https://lab.example/site/table.html" };
  const goes = (/** @type {string} */ how) => (/** @type {any} */ _, /** @type {any} */ __, /** @type {string} */ url) => {
    location.hash = url.startsWith("#") ? url : "";
    page.steps.push([how, url]);
  };
  const addEventListener = (/** @type {string} */ type, /** @type {any} */ listener) => page.windowListeners.set(type, [...(page.windowListeners.get(type) || []), listener]);

  const make = (/** @type {string} */ what) => {
    const element = new FakeElement(/^[\w-]+/.exec(what)?.[0] || "div", page);
    element.id = /#([\w-]+)/.exec(what)?.[1] || "";
    for (const [, name] of what.matchAll(/\.([\w-]+)/g)) element.classList.add(name);
    for (const [, name, value] of what.matchAll(/\[([\w-]+)=([^\]]*)\]/g)) element.setAttribute(name, value);
    return element;
  };

  return Object.assign(page, {
    document, location, body,
    /** @param {string} what such as `input#filter`, `button[data-do=in]` @param {any} [into] */
    add(what, into = body) {
      const element = make(what);
      into.append(element);
      return element;
    },
    /** @param {string} id @returns {any} */
    get: (id) => document.getElementById(id),
    /** Go to another fragment, as a link or the back button does. @param {string} hash @param {string} type */
    go(hash, type) {
      location.hash = hash;
      for (const listener of page.windowListeners.get(type) || []) listener({});
    },
    /** Let the time pass until nothing waits any more. */
    pass() {
      while (page.timers.length) page.timers.shift().action();
    },
    globals: {
      document, location, addEventListener,
      Node: FakeNode, HTMLElement: FakeElement, HTMLInputElement: FakeElement,
      history: { pushState: goes("push"), replaceState: goes("replace") },
      setTimeout: (/** @type {() => void} */ action) => page.timers.push({ action }) && page.timers[page.timers.length - 1],
      clearTimeout: (/** @type {any} */ timer) => { page.timers = page.timers.filter((/** @type {any} */ t) => t !== timer); },
      requestAnimationFrame: (/** @type {() => void} */ action) => page.timers.push({ action }) && page.timers[page.timers.length - 1],
      cancelAnimationFrame: (/** @type {any} */ timer) => { page.timers = page.timers.filter((/** @type {any} */ t) => t !== timer); },
      matchMedia: () => ({ matches: false, addEventListener() {} }),
      getComputedStyle: () => ({ getPropertyValue: () => "" }),
      ResizeObserver: class { observe() {} },
      CSS: { escape: (/** @type {string} */ text) => text },
      devicePixelRatio: 1,
      navigator: {},
    },
  });
};

module.exports = { makePage };
