// Data of the site as scripts: a page opened from disk may not fetch anything, but may load a script.
// PATH.js holds `ishtar.data("PATH", {…})`; `await ishtar.load("PATH")` returns its content.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar = window.ishtar || /** @type {Ishtar} */ ({});
  const root = document.documentElement.dataset.root || "./";

  /** @typedef {{promise: Promise<any>, resolve: (value: any) => void}} Pending */
  /** @type {Map<string, Pending>} */
  const asked = new Map();

  /** @param {string} path @returns {string} */
  const address = (path) => root + path.split("/").map(encodeURIComponent).join("/") + ".js";

  /** Called by a data file when it has loaded. @param {string} path @param {any} value */
  ishtar.data = (path, value) => {
    asked.get(path)?.resolve(value);
  };

  /**
   * Load a data file; the same promise for the same path, until `ishtar.unload`.
   * @param {string} path in the site, without its suffix, such as "data/index"
   * @returns {Promise<any>} rejects with a plain sentence if the file is missing
   */
  ishtar.load = (path) => {
    const known = asked.get(path);
    if (known) return known.promise;
    const script = document.createElement("script");
    const promise = new Promise((resolve, reject) => {
      const end = () => script.remove();
      const failed = () => {
        end();
        asked.delete(path); // a later try may find it
        reject(new Error(`${path}.js is missing or damaged: publish the site again.`));
      };
      asked.set(path, /** @type {Pending} */ ({ resolve: (value) => { end(); resolve(value); } }));
      script.addEventListener("error", failed);
      // for a file that names another path; no effect once resolved
      script.addEventListener("load", () => { if (script.isConnected) failed(); });
    });
    /** @type {Pending} */ (asked.get(path)).promise = promise;
    script.src = address(path);
    document.head.append(script);
    return promise;
  };

  /** Forget what was loaded, so that its memory is free. @param {string} path */
  ishtar.unload = (path) => { asked.delete(path); };
})();
