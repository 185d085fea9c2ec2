// A report page that a service serves: the report with other parameters, from a form.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar;
  const { el } = ishtar;
  const POLL_MS = 400;
  const host = /** @type {HTMLElement | null} */ (document.getElementById("rerun"));
  const root = document.documentElement.dataset.root || "./";
  const api = `${root}api/v1/`;

  /** @typedef {{status: number, data: any}} Answer */
  /** @typedef {{name: string, kinds: string[], choices: any[], default: any, unit: string, meaning: string, low: number | null, high: number | null}} Parameter */
  /** @typedef {{parameter: Parameter, input: HTMLInputElement | HTMLSelectElement, error: HTMLElement}} Field */

  /** Whether the server of this page has the API: pages of other servers must not ask for it. */
  const hasApi = () => performance.getEntriesByType("navigation")
    .some((entry) => (/** @type {any} */ (entry).serverTiming || []).some((/** @type {any} */ t) => t.name === "ishtar-api"));

  /** @param {string} path @param {object} [body] @returns {Promise<Answer>} */
  const ask = async (path, body) => {
    const how = body ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) } : {};
    try {
      const answer = await fetch(api + path, how);
      return { status: answer.status, data: await answer.json() };
    } catch {
      return { status: 0, data: { detail: "The service does not answer: try again in a while." } };
    }
  };

  /** A value as a person writes it. @param {any} value */
  const written = (value) => value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);

  /** What a person wrote, by the kinds of the parameter; text that is none of them is for the service to refuse.
   * @param {Parameter} parameter @param {string} text @returns {any} */
  const read = ({ kinds, choices }, text) => {
    const chosen = choices.find((choice) => written(choice) === text);
    if (chosen !== undefined) return chosen;
    if (text.trim() === "" && kinds.includes("None")) return null;
    if (kinds.includes("bool") && (text === "true" || text === "false")) return text === "true";
    const number = Number(text.trim().replace(",", ".").replace("−", "-"));
    if ((kinds.includes("int") || kinds.includes("float")) && text.trim() !== "" && Number.isFinite(number)) return number;
    if (kinds.includes("list") || kinds.includes("dict")) try { return JSON.parse(text); } catch { /* refused as the text that it is */ }
    return text;
  };

  /** @param {Parameter} parameter @param {any} value @returns {Field} */
  const field = (parameter, value) => {
    const id = `rerun-${parameter.name}`;
    const options = parameter.kinds.includes("bool") ? [true, false, ...parameter.choices] : parameter.choices;
    const all = parameter.kinds.includes("None") && options.length ? [null, ...options] : options;
    const described = { id, "aria-describedby": `${id}-hint ${id}-error` };
    const input = all.length
      ? el("select", described, all.map((o) => el("option", { value: written(o), selected: o === value }, o === null ? "none" : written(o))))
      : el("input", { ...described, type: "text", value: written(value), autocomplete: "off" });
    return { parameter, input, error: el("p", { id: `${id}-error`, class: "rerun-error", role: "alert" }) };
  };

  /** @param {Field} field */
  const row = ({ parameter: { name, unit, meaning, low, high, kinds }, input, error }) => {
    const bounds = low !== null && high !== null ? `${low} to ${high}` : low !== null ? `at least ${low}` : high !== null ? `at most ${high}` : "";
    const empty = kinds.includes("None") && input instanceof HTMLInputElement ? "empty: none" : "";
    const hint = [meaning, bounds, empty].filter(Boolean).join("; ");
    return el("div", { class: "rerun-field" }, el("label", { for: input.id }, name, unit ? ` [${unit}]` : ""), input,
      el("p", { class: "dim", id: `${input.id}-hint` }, hint), error);
  };

  /** @param {any} act */
  const waiting = (act) => {
    const service = act.service;
    if (act.state === "waiting" && service && service.state !== "working") return `It waits: the factory's service is ${service.state}${service.since ? `, last seen ${new Date(service.since).toLocaleString()}` : ""}.`;
    return act.state === "waiting" ? "Being made, or waiting for its turn …" : "Its page is being published …";
  };

  /** @param {string} where of the act @param {HTMLElement} status */
  const follow = async (where, status) => {
    for (;;) {
      const { status: code, data } = await ask(where);
      if (code === 200 && data.state === "refused") { status.textContent = `It was refused: ${data.detail}`; return; }
      if (code === 200 && data.published) { location.assign(root + data.result.page); return; }
      status.textContent = code === 200 ? waiting(data) : data.detail;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  };

  /** @param {HTMLElement} where */
  const showForm = async (where) => {
    const { template, subject, parameters } = where.dataset;
    const status = el("p", { class: "rerun-status", role: "status" }, "Loading …");
    where.replaceChildren(status);
    const { status: code, data } = await ask(`templates/${encodeURIComponent(template || "")}`);
    if (code !== 200) { status.textContent = data.detail; return; }
    const given = JSON.parse(parameters || "{}");
    /** @type {Field[]} */
    const fields = data.parameters.map((/** @type {Parameter} */ p) => field(p, p.name in given ? given[p.name] : p.default));
    const send = el("button", { type: "submit", class: "button" }, "Make the report");
    status.textContent = fields.length ? "" : "This report has no parameters.";
    const form = el("form", { class: "rerun-form", "aria-label": "Parameters of the re-run" }, fields.map(row), send, status);
    form.addEventListener("submit", async (/** @type {Event} */ event) => {
      event.preventDefault();
      for (const { input, error } of fields) { input.removeAttribute("aria-invalid"); error.textContent = ""; }
      const values = Object.fromEntries(fields.map(({ parameter, input }) => [parameter.name, read(parameter, input.value)]));
      send.disabled = true;
      const answer = await ask("reruns", { template, subject, parameters: values });
      if (answer.status === 202) { await follow(`acts/${answer.data.id}`, status); return; }
      send.disabled = false;
      const detail = String(answer.data.detail).split(" — ")[0]; // the rest lists all parameters
      const wrong = fields.find(({ parameter: { name } }) => detail === name || detail.startsWith(`${name} `));
      (wrong ? wrong.error : status).textContent = detail;
      if (wrong) { wrong.input.setAttribute("aria-invalid", "true"); wrong.input.focus(); }
    });
    where.replaceChildren(form);
    fields[0]?.input.focus();
  };

  const start = async () => {
    if (!host || !hasApi()) return;
    const { status, data } = await ask("me");
    if (status === 200 && ["member", "operator"].includes(data.role)) {
      host.replaceChildren(el("button", { type: "button", onclick: () => showForm(host) }, "Re-run with other parameters"));
      host.hidden = false;
    } else if (status === 401 && data.sign_in) {
      const here = location.pathname.slice(new URL(root, location.href).pathname.length);
      host.replaceChildren(el("p", null, el("a", { href: `${api}${data.sign_in}?to=${encodeURIComponent(here)}` }, "Sign in"), " to make it with other parameters."));
      host.hidden = false;
    }
  };
  start();
})();
