// The form of a re-run: shown where a service serves the page, sent, and followed to its page.
"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { load, settled } = require("./scripts.js");
const { makePage } = require("./fake_page.js");

const parameter = (/** @type {string} */ name, /** @type {object} */ more = {}) => ({
  name, type: "float", kinds: ["float"], choices: [], default: 1, unit: "", meaning: "", low: null, high: null, less_than: "", ...more,
});
const PARAMETERS = [
  parameter("gain", { unit: "V/A", meaning: "of the probe", low: 0, high: 10 }),
  parameter("end", { kinds: ["float", "None"], default: null }),
  parameter("way", { kinds: ["str"], choices: ["up", "down"], default: "up" }),
  parameter("smooth", { kinds: ["bool"], default: true }),
  parameter("word", { kinds: ["str"], default: "x" }),
];
const DONE = { id: "a1", state: "done", result: { page: "shots/00007/reruns/d-1.html" }, published: true, service: null };

/** @param {Record<string, any[]>} answers by path, one after the other; the last for ever @param {{api?: boolean, role?: string}} [how] */
const opened = async (answers, { api = true, role = "member" } = {}) => {
  const page = makePage("");
  const host = page.add("div#rerun[data-template=doubled][data-subject=7]");
  host.setAttribute("data-parameters", '{"gain": 2.5, "gone": 3}');
  host.hidden = true;
  /** @type {[string, any][]} */
  const asked = [];
  /** @type {string[]} */
  const went = [];
  const all = /** @type {Record<string, any[]>} */ ({ me: [[200, { name: "anna", role }]], "templates/doubled": [[200, { parameters: PARAMETERS }]], ...answers });
  const fetch = async (/** @type {string} */ url, /** @type {any} */ how) => {
    const path = url.slice("./api/v1/".length), list = all[path] || [[404, { detail: "nothing" }]];
    asked.push([path, how.body ? JSON.parse(how.body) : null]);
    const [status, data] = list.length > 1 ? list.shift() : list[0];
    if (!status) throw new TypeError("no connection");
    return { status, json: async () => data };
  };
  const performance = { getEntriesByType: () => [{ serverTiming: api ? [{ name: "ishtar-api" }] : [] }] };
  const location = { ...page.globals.location, href: "https://lab.example/site/table.html", pathname: "/site/table.html", assign: (/** @type {string} */ to) => { went.push(to); } };
  load(["dom", "rerun"], { ...page.globals, location, fetch, performance, HTMLSelectElement: class {} });
  const all_ = async () => { for (let k = 0; k < 20; k++) { await settled(); page.pass(); } };
  await all_();
  return {
    page, host, asked, went, all: all_,
    field: (/** @type {string} */ name) => page.get(`rerun-${name}`),
    error: (/** @type {string} */ name) => page.get(`rerun-${name}-error`).textContent,
    status: () => host.querySelectorAll(".rerun-status").at(-1).textContent,
    async form() {
      host.querySelectorAll("button")[0].click();
      await all_();
    },
    async send() {
      host.querySelectorAll("form")[0].happen("submit", {});
      await all_();
    },
  };
};

test("a page of another server asks for nothing, one of a reader shows nothing", async () => {
  const elsewhere = await opened({}, { api: false });
  assert.deepEqual([elsewhere.asked, elsewhere.host.hidden], [[], true]);
  const reader = await opened({}, { role: "reader" });
  assert.equal(reader.host.hidden, true);
  const stranger = await opened({ me: [[401, { detail: "who are you?" }]] });
  assert.equal(stranger.host.hidden, true);
});

test("a stranger who can sign in is shown where, and comes back to this page", async () => {
  const { host } = await opened({ me: [[401, { detail: "who are you?", sign_in: "sign-in" }]] });
  assert.equal(host.hidden, false);
  const [link] = host.querySelectorAll("a");
  assert.equal(link.href, "./api/v1/sign-in?to=table.html");
});

test("the form has what this report was made with, and defaults for the rest", async () => {
  const { host, form, field } = await opened({});
  assert.equal(host.hidden, false);
  await form();
  assert.deepEqual(["gain", "end", "word"].map((name) => field(name).value), ["2.5", "", "x"]);
  assert.match(host.textContent, /gain \[V\/A\]of the probe; 0 to 10/);
});

test("values are sent as what they are; the page of the report is opened when it is there", async () => {
  const waiting = { ...DONE, state: "waiting", result: {}, published: false, service: { state: "working", since: null } };
  const { form, field, send, asked, went } = await opened({
    reruns: [[202, { id: "a1" }]], "acts/a1": [[200, waiting], [200, { ...DONE, published: false }], [200, DONE]],
  });
  await form();
  field("gain").value = "−3,5";
  field("end").value = " ";
  field("way").value = "down";
  field("smooth").value = "false";
  field("word").value = "12";
  await send();
  const [, body] = /** @type {[string, any]} */ (asked.find(([path]) => path === "reruns"));
  assert.deepEqual(body, { template: "doubled", subject: "7", parameters: { gain: -3.5, end: null, way: "down", smooth: false, word: "12" } });
  assert.deepEqual(went, ["./shots/00007/reruns/d-1.html"]);
});

test("what is refused is said beside its field, or below the form", async () => {
  const { form, field, send, error, status } = await opened({
    reruns: [[422, { detail: "gain must be float, not 'much' — template doubled takes gain: float" }], [403, { detail: "anna is a reader" }], [0, null]],
  });
  await form();
  field("gain").value = "much";
  await send();
  assert.equal(error("gain"), "gain must be float, not 'much'");
  assert.equal(field("gain").getAttribute("aria-invalid"), "true");
  field("gain").value = "1";
  await send();
  assert.deepEqual([error("gain"), field("gain").getAttribute("aria-invalid"), status()], ["", null, "anna is a reader"]);
  await send();
  assert.match(status(), /does not answer/);
});

test("a service that stands still is said, and so is a refused act", async () => {
  const stands = { ...DONE, state: "waiting", result: {}, published: false, service: { state: "dead", since: null } };
  const { form, send, status, went } = await opened({
    reruns: [[202, { id: "a1" }]], "acts/a1": [[200, stands], [200, { ...DONE, state: "refused", detail: "shot 7 has been removed", published: false }]],
  });
  await form();
  await send();
  assert.equal(status(), "It was refused: shot 7 has been removed");
  assert.deepEqual(went, []);
});
