// All tests of this folder in one process: a process each costs more than the tests do.
"use strict";

const fs = require("node:fs");
const path = require("node:path");

for (const name of fs.readdirSync(__dirname).sort()) if (name.endsWith(".test.js")) require(path.join(__dirname, name));
