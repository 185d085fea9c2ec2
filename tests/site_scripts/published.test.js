// Scripts as they are published: without comments, and otherwise token by token what is written.
// `make test-scripts` writes them to the folder that SITE_PUBLISHED names.
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");
const ts = require("typescript");
const { ASSETS } = require("./scripts.js");

const PUBLISHED = process.env.SITE_PUBLISHED || "";

/** @param {string} folder @param {string} name @returns {string[]} */
const tokens = (folder, name) => {
  const file = ts.createSourceFile(name, fs.readFileSync(path.join(folder, name), "utf8"), ts.ScriptTarget.Latest, true);
  /** @type {string[]} */
  const found = [];
  const walk = (/** @type {import("typescript").Node} */ node) => {
    const children = node.getChildren(file).filter((child) => !ts.isJSDoc(child));
    if (children.length) children.forEach(walk);
    else if (node.getText(file)) found.push(node.getText(file));
  };
  walk(file);
  return found;
};

test("a published script has the tokens of the one that was written", { skip: PUBLISHED ? false : "SITE_PUBLISHED names no folder: make test-scripts" }, () => {
  const names = fs.readdirSync(ASSETS).filter((name) => name.endsWith(".js"));
  assert.ok(names.length > 20);
  for (const name of names) {
    const written = tokens(ASSETS, name);
    assert.ok(written.length > 4, name);
    assert.deepEqual(tokens(PUBLISHED, name), written, name);
    assert.ok(!/^ *\/\/|\n\n|^ /m.test(fs.readFileSync(path.join(PUBLISHED, name), "utf8")), name);
  }
});
