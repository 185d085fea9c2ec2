// The trace viewer: shots, signals and time span, from the address to the plots.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar;
  const { el } = ishtar;
  const FIRST_SIGNALS = 3, LEAST_SAMPLES = 4;
  // CSS pixels: a plot, the axis below the last one, the line above each
  const LEAST_HEIGHT = 132, AXIS = 60, HEAD = 20;
  const BUDGET = 48000; // bytes to load for a zoom, over all curves, beyond the coarsest level
  const PAUSE_MS = 120;

  /** What limits a view to the first levels, and what to do. @type {Record<string, string>} */
  const FROM_COARSE = {
    disk: "Opened from disk, where browsers read no parts of files, this page shows the first levels of each signal only. "
      + "To zoom to single samples, open it from a web server: `ishtar serve` starts one.",
    ranges: "The web server sends no parts of files (HTTP ranges), so this page shows the first levels of large signals only. "
      + "To zoom to single samples, serve the site by `ishtar serve`, nginx or Apache.",
  };

  /** @type {Choice} */
  const COARSEST = { level: 0, first: 0, last: 0, held: "" };

  /** @param {string} id @returns {HTMLElement} */
  const part = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
  const page = document.getElementById("viewer");
  if (!page) return;
  const [plotsBox, problemsBox, status, said] = ["trace-plots", "trace-problems", "trace-status", "trace-said"].map(part);
  const values = /** @type {HTMLElement} */ (document.querySelector("#trace-values tbody"));
  const [fromField, toField, cursorField] = ["trace-from", "trace-to", "trace-cursor"]
    .map((id) => /** @type {HTMLInputElement} */ (part(id)));

  /** A signal with its curves, and the plot of them.
   * @typedef {{name: string, unit: string, lines: Line[], plot: TracePlot, head: HTMLElement, box: HTMLElement}} Row */
  /** @typedef {{curve: Curve, color: number, choice: Choice | null, pieces: Piece[], stride: number, cells: HTMLElement[]}} Line */

  /** @type {SiteIndex | null} */
  let site = null;
  /** @type {{shots: number[], signals: string[], t: Span | null, cursor: number}} the cursor once the user has set it */
  let state = { shots: [], signals: [], t: null, cursor: NaN };
  /** @type {Map<number, TraceIndex | null>} */
  const indexes = new Map();
  /** @type {Row[]} */
  let rows = [];
  /** @type {Span} */
  let whole = [0, 1];
  /** @type {Span} */
  let view = [0, 1];
  let cursor = NaN;
  let turn = 0; // of what is shown; an answer to an older one is dropped
  let lack = ""; // of the index of the site
  let along = ishtar.along("s"); // the axis common to all curves: times and frequencies share none
  let isFromAddress = true; // the span, which then is one of the axis
  /** @type {string[]} */
  let troubles = [];

  // colours -------------------------------------------------------------------------------------

  /** @param {number} k @returns {string} */
  const color = (k) => getComputedStyle(document.documentElement).getPropertyValue(`--trace-${k + 1}`).trim() || "currentColor";

  // what is known -------------------------------------------------------------------------------

  /** @param {string} text `1-12,15` @returns {number[]} */
  const numbersOf = (text) => text.split(",").filter(Boolean).flatMap((span) => {
    const [a, b] = span.split("-").map(Number);
    return Array.from({ length: (b ?? a) - a + 1 }, (_, i) => a + i);
  });
  /** @type {number[]} */
  let known = [];

  /** @type {(() => void)[]} */
  const listeners = [];
  /** Notify the lists of choices of a change. */
  const tell = () => {
    document.title = `${state.signals.join(", ") || "Traces"}${state.shots.length ? `, shot ${state.shots.join(", ")}` : ""}`;
    for (const listener of listeners) listener();
  };

  /** @returns {Line[]} */
  const lines = () => rows.flatMap((row) => row.lines);

  // the address ---------------------------------------------------------------------------------

  /** @param {number} t @param {number} length */
  const short = (t, length) => String(Number(t.toFixed(Math.min(15, Math.max(0, 4 - Math.floor(Math.log10(length)))))));

  const readAddress = () => {
    const place = ishtar.place.read();
    const t = place.list("t").map(Number);
    return {
      shots: [...new Set(place.list("shots").map(Number))].filter(Number.isInteger),
      signals: [...new Set(place.list("signals"))],
      cursor: Number(place.text("cursor") || NaN),
      t: t.length === 2 && t.every(Number.isFinite) && t[0] < t[1] ? /** @type {Span} */ ([t[0], t[1]]) : null,
    };
  };

  const writeAddress = () => {
    const t = state.t ? state.t.map((x) => short(x, view[1] - view[0])) : [];
    const at = Number.isFinite(state.cursor) ? short(state.cursor, (view[1] - view[0]) / 100) : "";
    ishtar.place.write({ shots: state.shots.map(String), signals: state.signals, t, cursor: at }, false);
  };
  const writeSoon = ishtar.afterPause(writeAddress, PAUSE_MS); // browsers limit how often an address may change

  // from the state to rows ------------------------------------------------------------------------

  const apply = async () => {
    const mine = ++turn;
    troubles = [];
    if (state.shots.length > ishtar.MOST_SHOTS) {
      troubles.push(`At most ${ishtar.MOST_SHOTS} shots can be overlaid. Only the first ${ishtar.MOST_SHOTS} are shown.`);
      state.shots = state.shots.slice(0, ishtar.MOST_SHOTS);
    }
    status.textContent = state.shots.length ? "Loading …" : "Choose a shot.";
    await Promise.all(state.shots.map(async (shot) => {
      if (!indexes.get(shot)) indexes.set(shot, known.length && !known.includes(shot) ? null : await ishtar.curves.index(shot));
    }));
    if (mine !== turn) return;
    if (!state.signals.length) state.signals = usualSignals();
    for (const index of state.signals.length ? [] : state.shots.map((n) => indexes.get(n))) {
      if (index && !index.signals.length) troubles.push(`Shot ${index.shot} has no signals.`);
      for (const { name, problem } of index?.signals || []) troubles.push(`${name} of shot ${index?.shot} cannot be drawn: ${problem || "its traces were deleted"}.`);
    }
    const wanted = ofOneAxis(state.signals.map((name) => ({ name, found: findCurves(name) })).filter((w) => w.found.length));
    const curves = wanted.flatMap((w) => w.found.map((f) => f.curve));
    const results = await Promise.allSettled(curves.map((c) => c.fetch(COARSEST)));
    if (mine !== turn) return;
    for (const result of results) if (result.status === "rejected") troubles.push(String(result.reason.message));
    layOut(wanted);
    const spans = lines().map((l) => l.curve.span());
    whole = spans.length ? [Math.min(...spans.map((s) => s[0])), Math.max(...spans.map((s) => s[1]))] : [0, 1];
    if (!(whole[1] > whole[0])) whole = [whole[0], whole[0] + 1];
    tell();
    showTroubles();
    show(state.t || whole);
  };

  /** @returns {string[]} the first that every shot can draw, along time if there are any */
  const usualSignals = () => {
    const index = state.shots.map((s) => indexes.get(s)).find((i) => i);
    const drawable = index ? index.signals.filter((s) => !s.problem && s.levels.length) : [];
    const timed = drawable.filter((s) => s.x_unit === "s");
    return (timed.length ? timed : drawable.slice(0, 1)).slice(0, FIRST_SIGNALS).map((s) => s.name);
  };

  /** @param {string} unit */
  const inWords = (unit) => unit === "" ? "has no time base" : `is against ${ishtar.along(unit).name.toLowerCase()} [${unit}]`;

  /** Keep signals with the same axis as the first; report the others. @param {{name: string, found: {curve: Curve, color: number}[]}[]} wanted */
  const ofOneAxis = (wanted) => {
    const unit = wanted.length ? wanted[0].found[0].curve.unit : along.base;
    if (unit !== along.base) {
      along = ishtar.along(unit);
      if (!isFromAddress) [state.t, state.cursor] = [null, NaN]; // a span of seconds does not apply to frequencies
      cursor = NaN;
    }
    isFromAddress = false;
    for (const node of document.querySelectorAll("[data-along=unit]")) node.textContent = unit;
    for (const node of document.querySelectorAll("[data-along=name]")) node.textContent = along.name;
    const kept = [];
    for (const { name, found } of wanted) {
      for (const { curve } of found) {
        if (curve.unit !== unit) troubles.push(`${name} of shot ${curve.shot} ${inWords(curve.unit)}, and ${wanted[0].name} ${inWords(unit)}: draw it alone.`);
      }
      const fitting = found.filter(({ curve }) => curve.unit === unit);
      if (fitting.length) kept.push({ name, found: fitting });
    }
    return kept;
  };

  /** @param {string} name @returns {{curve: Curve, color: number}[]} */
  const findCurves = (name) => {
    const found = [];
    let unit = "";
    for (const [k, shot] of state.shots.entries()) {
      const index = indexes.get(shot);
      const signal = index?.signals.find((s) => s.name === name);
      if (!index) continue; // reported once for all signals
      if (!signal) troubles.push(`Shot ${shot} has no signal ${name}.`);
      else if (signal.problem || !signal.levels.length) troubles.push(`${name} of shot ${shot} cannot be drawn: ${signal.problem || "its traces were deleted"}.`);
      else if (found.length && signal.unit !== unit) troubles.push(`${name} of shot ${shot} is in ${signal.unit}, not in ${unit}; it is left out.`);
      else {
        unit = signal.unit;
        found.push({ curve: ishtar.curves.curve(index, signal), color: k });
      }
    }
    return found;
  };

  /** @param {number} count @returns {number} of each plot, so that they fill the space reserved on the page */
  const heightOf = (count) => Math.max(LEAST_HEIGHT, Math.floor((plotsBox.clientHeight - AXIS) / Math.max(count, 1)) - HEAD);

  /** @param {{name: string, found: {curve: Curve, color: number}[]}[]} wanted */
  const layOut = (wanted) => {
    for (const row of rows) row.plot.destroy();
    plotsBox.replaceChildren();
    const tall = heightOf(wanted.length); // once the old ones have gone
    rows = wanted.map(({ name, found }, i) => {
      const unit = found[0].curve.signal.unit;
      const head = el("p", { class: "trace-head" });
      const canvas = el("div", { class: "trace-canvas" });
      const box = el("div", { class: "trace" }, head, canvas);
      plotsBox.append(box);
      const last = i === wanted.length - 1;
      const plot = ishtar.tracePlot({
        host: canvas,
        label: `${name} against ${along.name.toLowerCase()}, shots ${found.map((f) => f.curve.shot).join(", ")}; values are in the table below`,
        height: tall + (last ? 50 : 0),
        last,
        along,
        onSelect: (span) => show(span),
        onWhole: () => show(whole),
        onCursor: (time) => viewerPoint(time, false),
      });
      return {
        name, unit, plot, head, box,
        lines: found.map((f) => ({ ...f, choice: null, pieces: [], stride: 0, cells: [] })),
      };
    });
    values.replaceChildren(...rows.flatMap((row) => row.lines.map((line) => {
      line.cells = [el("td", { class: "num" }), el("td", { class: "dim" })];
      return el("tr", null, el("th", { scope: "row" }, row.name),
        el("td", null, ishtar.swatch(line.color), " ", line.curve.shot),
        line.cells[0], el("td", null, ishtar.numbers.unitText(row.unit)), line.cells[1]);
    })));
  };

  // from the view to pictures -----------------------------------------------------------------------

  const least = () => {
    const steps = lines().map((l) => l.curve.each || (whole[1] - whole[0]) / l.curve.signal.n);
    return LEAST_SAMPLES * Math.max(Math.min(...steps), Number.EPSILON * Math.max(...whole.map(Math.abs)));
  };

  /** @param {Span} span */
  const show = (span) => {
    if (!rows.length) {
      status.textContent = state.shots.length ? "" : "Choose a shot.";
      page.setAttribute("aria-busy", "false");
      return;
    }
    const length = Math.min(Math.max(span[1] - span[0], least()), whole[1] - whole[0]);
    const start = Math.min(Math.max(span[0], whole[0]), whole[1] - length);
    view = [start, start + length];
    state.t = length < (whole[1] - whole[0]) * 0.9999 ? view : null;
    if (state.cursor >= view[0] && state.cursor <= view[1]) cursor = state.cursor;
    else state.cursor = NaN;
    if (!(cursor >= view[0] && cursor <= view[1])) cursor = (view[0] + view[1]) / 2;
    writeAddress();
    draw();
    refineSoon();
  };

  let asked = 0;
  /** Draw at the next frame. */
  const drawSoon = () => {
    cancelAnimationFrame(asked);
    asked = requestAnimationFrame(draw);
  };

  const draw = () => {
    const width = rows.length ? rows[0].plot.width() : 0;
    for (const row of rows) {
      for (const line of row.lines) {
        const wanted = line.choice || line.curve.choose(view, width, 0);
        ({ pieces: line.pieces, stride: line.stride } = line.curve.best(wanted.level, view));
      }
      const power = row.plot.draw(view, row.lines.map((l) => ({ color: color(l.color), pieces: l.pieces })));
      describe(row, power);
    }
    [fromField.value, toField.value] = view.map((t) => short(t, view[1] - view[0]));
    point(cursor, false);
  };

  /** @param {Row} row @param {number} power */
  const describe = (row, power) => {
    const levels = [...new Set(row.lines.map((l) => {
      const held = l.choice?.held === "kept" && l.stride === l.curve.signal.levels[l.choice.level].stride ? "; finer data was not kept"
        : l.choice?.held === "budget" ? "; finer with fewer curves, or closer"
          : l.choice?.held === "disk" ? "; finer data needs a web server"
            : l.choice?.held === "ranges" ? "; finer data needs a server with HTTP ranges" : "";
      return ishtar.readings.level(l.stride, l.curve.each, along) + held;
    }))];
    const unit = ishtar.numbers.scaledUnit(power, row.unit);
    row.head.replaceChildren(el("b", null, row.name), unit ? ` [${unit}]` : "", " ", el("span", { class: "dim level" }, levels.join(" / ")));
  };

  const refine = async () => {
    const mine = turn, width = rows.length ? rows[0].plot.width() : 0, asFor = view;
    const plan = ishtar.curves.plan(rows.map((row) => row.lines.map((l) => l.curve)), view, width, BUDGET);
    for (const [i, row] of rows.entries()) for (const [k, line] of row.lines.entries()) line.choice = plan[i][k];
    const loads = lines().map(({ curve, choice }) => choice ? curve.fetch(choice).then(() => { if (mine === turn) drawSoon(); }) : null);
    drawSoon();
    page.setAttribute("aria-busy", "true");
    const results = await Promise.allSettled(loads);
    if (mine !== turn || asFor !== view) return;
    for (const result of results) {
      const message = result.status === "rejected" ? String(result.reason.message) : "";
      if (message && !troubles.includes(message)) troubles.push(message);
    }
    showTroubles();
    page.setAttribute("aria-busy", "false");
    const length = view[1] - view[0], share = length / (whole[1] - whole[0]);
    status.textContent = `${along.range(view)}, ` + (share > 0.999 ? "the whole record" : `${along.length(length)} of ${along.length(whole[1] - whole[0])}`);
  };
  const refineSoon = ishtar.afterPause(() => { refine(); }, PAUSE_MS);

  /** Where the samples are that a view is too fine for. @param {Line} line @returns {string} */
  const finerData = ({ curve, choice }) => {
    if (choice?.held !== "kept" || !site?.archive || curve.unit !== "s") return "";
    const [from, to] = view.map((t) => short(t, view[1] - view[0]));
    return `Single samples of ${curve.signal.name} are in the raw data of this site. In Python, anywhere: `
      + `ishtar.open("${new URL(".", location.href).href}")[${curve.shot}]["${curve.signal.name}"][${from}:${to}].load()`;
  };

  const showTroubles = () => {
    const none = state.shots.filter((s) => !indexes.get(s)).map((s) => known.length && !known.includes(s)
      ? `There is no shot ${s} on this site.` : `Shot ${s} has no traces on this site.`);
    const limits = new Set([...lines().map((l) => FROM_COARSE[l.choice?.held ?? ""]), ...lines().map(finerData)].filter(Boolean));
    const all = [...none, ...troubles, ...limits, ...(lack ? [lack] : [])];
    problemsBox.hidden = !all.length;
    problemsBox.replaceChildren(el("ul", null, ...all.map((text) => el("li", null, text))));
  };

  // the cursor ------------------------------------------------------------------------------------

  /** @param {number} time @param {boolean} say */
  const point = (time, say) => {
    if (!Number.isFinite(time)) return;
    cursor = time;
    for (const row of rows) row.plot.cursor(time);
    if (document.activeElement !== cursorField) cursorField.value = short(time, (view[1] - view[0]) / 100);
    const spoken = [along.text(time, (view[1] - view[0]) / 1e3)];
    for (const row of rows) {
      for (const line of row.lines) {
        const reading = ishtar.readings.at(line.pieces, time);
        const value = reading ? ishtar.readings.text(reading) : "–";
        line.cells[0].textContent = value;
        line.cells[1].textContent = !reading ? "no value here" : reading.stride === 1 ? "sample" : `min and max of ${reading.stride} samples`;
        spoken.push(`${row.name}, shot ${line.curve.shot}: ${value} ${ishtar.numbers.unitText(row.unit)}`);
      }
    }
    if (say) said.textContent = spoken.join("; ");
  };

  /** Set the cursor on the user's behalf: links to this view keep it. @param {number} time @param {boolean} say */
  const viewerPoint = (time, say) => {
    if (!Number.isFinite(time)) return;
    state.cursor = time;
    point(time, say);
    writeSoon();
  };

  ishtar.viewer = {
    view: () => view,
    settle: writeAddress,
    whole: () => whole,
    show,
    zoom: (at, factor) => show(ishtar.view.zoom(view, at, factor, whole, least())),
    pan: (share) => show(ishtar.view.pan(view, share * (view[1] - view[0]), whole)),
    cursor: () => cursor,
    point: viewerPoint,
    step(by) {
      const finest = lines().filter((l) => l.pieces.length).sort((a, b) => a.stride * (a.curve.each || 1) - b.stride * (b.curve.each || 1))[0];
      const time = finest ? ishtar.readings.next(finest.pieces, cursor, by) : null;
      if (time === null) return;
      if (time < view[0] || time > view[1]) show(ishtar.view.pan(view, time - (view[0] + view[1]) / 2, whole));
      viewerPoint(time, true);
    },
    plots: () => rows.map((row) => row.plot),
    shots: () => state.shots,
    signals: () => state.signals,
    known: () => known,
    index: (shot) => indexes.get(shot) ?? null,
    take(shots, signals) {
      [state.shots, state.signals] = [shots, signals];
      writeAddress();
      apply();
    },
    follow: (listener) => { listeners.push(listener); },
  };

  const again = () => {
    for (const row of rows) row.box.hidden = true; // keep the space, hide the content
    const tall = heightOf(rows.length);
    for (const row of rows) row.box.hidden = false;
    for (const [i, row] of rows.entries()) row.plot.resize(tall + (i === rows.length - 1 ? 50 : 0));
    drawSoon();
    refineSoon();
  };
  addEventListener("resize", ishtar.afterPause(again, 100));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawSoon);
  addEventListener("hashchange", () => {
    state = readAddress();
    isFromAddress = true;
    if (!state.shots.length) state.shots = known.slice(-1);
    apply();
  });

  const start = async () => {
    state = readAddress();
    try {
      site = await ishtar.load("data/index");
      known = numbersOf(site?.shots || "");
    } catch (error) {
      lack = error instanceof Error ? error.message : String(error);
    }
    if (!state.shots.length) state.shots = known.slice(-1);
    await apply();
  };
  start();
})();
