// One plot of the trace viewer: uPlot draws frame, axes, cursor and selection; the curves are drawn
// here, as each shot has its own times, and values come as minimum and maximum.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar;
  const LEFT = 64, RIGHT = 24, BOTTOM = 28, ROOM = 0.06;
  const POINTS_FROM = 7; // CSS pixels between samples from which each is marked
  const ALONE = 0.9, AMONG = 0.6; // opacity of a band between minimum and maximum

  /** @param {string} name @returns {string} */
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  /** @param {Piece[]} pieces @param {Span} view @param {[number, number]} range is widened */
  const widen = (pieces, view, range) => {
    for (const piece of pieces) {
      for (let i = 0; i < piece.n; i++) {
        if (piece.time(i + 1) < view[0] || piece.time(i) > view[1]) continue;
        const low = piece.low(i), high = piece.high(i);
        if (low < range[0]) range[0] = low;
        if (high > range[1]) range[1] = high;
      }
    }
  };

  /** @param {Span} view @param {Drawn[]} curves @returns {[number, number]} the range of the vertical axis */
  const extent = (view, curves) => {
    /** @type {[number, number]} */
    const range = [Infinity, -Infinity];
    for (const { pieces } of curves) widen(pieces, view, range);
    if (range[0] > range[1]) return [-1, 1];
    const room = (range[1] - range[0]) * ROOM || Math.abs(range[0]) * 0.1 || 1;
    return [range[0] - room, range[1] + room];
  };

  /** @param {[number, number]} range @returns {number} the common power of ten of its numbers, 0 for plain ones */
  const powerOf = (range) => {
    const power = Math.floor(Math.log10(Math.max(Math.abs(range[0]), Math.abs(range[1]))));
    return power >= -2 && power < 5 ? 0 : 3 * Math.floor(power / 3);
  };

  /** Draw runs of points that have values. @param {CanvasRenderingContext2D} ctx @param {Drawn} curve
   * @param {(t: number) => number} x @param {(v: number) => number} y @param {number} ratio */
  const paint = (ctx, { color, pieces }, x, y, ratio) => {
    ctx.strokeStyle = ctx.fillStyle = color;
    ctx.lineJoin = "round";
    if (!pieces.length) return;
    if (pieces[0].stride > 1) paintBand(ctx, pieces, x, y, ratio);
    else paintLine(ctx, pieces, x, y, ratio);
  };

  /** @param {CanvasRenderingContext2D} ctx @param {Piece[]} pieces @param {(t: number) => number} x
   * @param {(v: number) => number} y @param {number} ratio */
  const paintBand = (ctx, pieces, x, y, ratio) => {
    const half = 0.6 * ratio; // a band without height is a line
    /** @type {{from: number, to: number, top: number, bottom: number}[]} columns without a gap between them */
    let run = [];
    const flush = () => {
      const end = run[run.length - 1];
      if (end && end.to - run[0].from < 2 * ratio) end.to = run[0].from + 2 * ratio; // a burst in a long record
      ctx.beginPath();
      for (const c of run) { ctx.lineTo(c.from, c.top - half); ctx.lineTo(c.to, c.top - half); }
      for (const c of run.reverse()) { ctx.lineTo(c.to, c.bottom + half); ctx.lineTo(c.from, c.bottom + half); }
      ctx.closePath();
      ctx.fill();
      run = [];
    };
    for (const piece of pieces) {
      for (let i = 0; i < piece.n; i++) {
        const low = piece.low(i);
        if (Number.isNaN(low)) { flush(); continue; }
        const from = x(piece.time(i)), to = x(piece.time(i + 1));
        let [top, bottom] = [y(piece.high(i)), y(low)];
        const before = run[run.length - 1];
        if (before) {
          // neighbours that do not overlap are joined, as the signal went from one to the other
          if (top > before.bottom) top = before.bottom;
          if (bottom < before.top) bottom = before.top;
        }
        if (before && before.to - before.from < ratio) {
          before.to = to; // several in one column of the screen
          before.top = Math.min(before.top, top);
          before.bottom = Math.max(before.bottom, bottom);
        } else run.push({ from, to, top, bottom });
      }
    }
    flush();
  };

  /** @param {CanvasRenderingContext2D} ctx @param {Piece[]} pieces @param {(t: number) => number} x
   * @param {(v: number) => number} y @param {number} ratio */
  const paintLine = (ctx, pieces, x, y, ratio) => {
    ctx.lineWidth = 1.4 * ratio;
    let joined = false;
    ctx.beginPath();
    for (const piece of pieces) {
      for (let i = 0; i < piece.n; i++) {
        const value = piece.low(i);
        if (Number.isNaN(value)) { joined = false; continue; }
        if (joined) ctx.lineTo(x(piece.time(i)), y(value));
        else ctx.moveTo(x(piece.time(i)), y(value));
        joined = true;
      }
    }
    ctx.stroke();
    const first = pieces[0];
    if (first.n > 1 && Math.abs(x(first.time(1)) - x(first.time(0))) < POINTS_FROM * ratio) return;
    ctx.beginPath();
    for (const piece of pieces) {
      for (let i = 0; i < piece.n; i++) {
        const value = piece.low(i);
        if (Number.isNaN(value)) continue;
        const px = x(piece.time(i)), py = y(value);
        ctx.moveTo(px + 2.4 * ratio, py);
        ctx.arc(px, py, 2.4 * ratio, 0, 2 * Math.PI);
      }
    }
    ctx.fill();
  };

  ishtar.MOST_SHOTS = 6; // the number of distinguishable colours
  ishtar.swatch = (k) => ishtar.el("span", { class: `swatch trace-${k + 1}`, "aria-hidden": "true" });

  ishtar.tracePlot = ({ host, label, height, last, along, onSelect, onWhole, onCursor }) => {
    /** @type {Span} */
    let view = [0, 1];
    /** @type {Drawn[]} */
    let curves = [];
    let axis = along.unit(view);
    let power = 0;
    let silent = false; // while we set the cursor ourselves
    const sans = css("--sans");

    /** @param {number} step @param {number} scale */
    const decimals = (step, scale) => Math.max(0, Math.ceil(-Math.log10(step * scale * 1.0001) + (/25/.test(step.toPrecision(3)) ? 1 : 0)));
    /** @param {number} value @param {number} places */
    const label_ = (value, places) => value.toFixed(Math.min(places, 12)).replace(/^-(?=0(\.0*)?$)/, "").replace("-", "−");

    /** @type {import("uplot").Options} */
    const options = {
      width: Math.max(host.clientWidth, 200),
      height,
      padding: [6, RIGHT, last ? 0 : 6, 0],
      legend: { show: false },
      focus: { alpha: 1 },
      scales: {
        x: { time: false, auto: false, range: (_, min, max) => [min, max] },
        y: { auto: false, range: (_, min, max) => [min, max] },
      },
      series: [{}, { show: true, points: { show: false } }],
      axes: [
        {
          show: true,
          size: last ? BOTTOM : 0,
          labelSize: last ? 20 : 0,
          labelGap: 0,
          label: last ? () => axis.label : undefined,
          font: `12px ${sans}`,
          labelFont: `12px ${sans}`,
          stroke: () => css("--ink-2"),
          grid: { stroke: () => css("--line"), width: 1 },
          ticks: { show: last, stroke: () => css("--line-2"), width: 1, size: 5 },
          space: 76,
          values: (_, splits, __, ___, step) => last
            ? splits.map((s) => label_((s - axis.offset) * axis.scale, decimals(step, axis.scale))) : splits.map(() => ""),
        },
        {
          size: LEFT,
          font: `12px ${sans}`,
          stroke: () => css("--ink-2"),
          grid: { stroke: () => css("--line"), width: 1 },
          ticks: { stroke: () => css("--line-2"), width: 1, size: 5 },
          space: 28,
          values: (_, splits, __, ___, step) => splits.map((s) => label_(s / 10 ** power, decimals(step, 10 ** -power))),
        },
      ],
      cursor: {
        y: false,
        points: { show: false },
        drag: { x: true, y: false, setScale: false },
        bind: {
          dblclick: () => () => { onWhole(); return null; },
          mouseleave: () => () => null, // the cursor stays where it was
        },
      },
      hooks: {
        draw: [(u) => {
          const { ctx, bbox } = u;
          const [low, high] = [u.scales.y.min ?? 0, u.scales.y.max ?? 1];
          /** @param {number} t */
          const x = (t) => bbox.left + (t - view[0]) / (view[1] - view[0]) * bbox.width;
          /** @param {number} v */
          const y = (v) => bbox.top + (high - v) / (high - low) * bbox.height;
          ctx.save();
          ctx.beginPath();
          ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
          ctx.clip();
          for (const curve of curves) {
            ctx.globalAlpha = curve.pieces[0]?.stride === 1 ? 1 : curves.length > 1 ? AMONG : ALONE;
            paint(ctx, curve, x, y, devicePixelRatio || 1);
          }
          ctx.restore();
        }],
        setSelect: [(u) => {
          const { left, width } = u.select;
          if (width > 3) onSelect([u.posToVal(left, "x"), u.posToVal(left + width, "x")]);
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        }],
        setCursor: [(u) => {
          if (!silent && (u.cursor.left ?? -1) >= 0) onCursor(u.posToVal(u.cursor.left ?? 0, "x"));
        }],
      },
    };
    const plot = new uPlot(options, [view.slice(), [null, null]], host);
    const canvas = plot.ctx.canvas;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);

    return {
      draw(span, drawn) {
        view = span;
        curves = drawn;
        axis = along.unit(view);
        const range = extent(view, curves);
        power = powerOf(range);
        plot.batch(() => {
          plot.setScale("x", { min: view[0], max: view[1] });
          plot.setScale("y", { min: range[0], max: range[1] });
        });
        plot.redraw(false, true);
        return power;
      },
      cursor(time) {
        silent = true;
        const inside = time >= view[0] && time <= view[1];
        plot.setCursor({ left: inside ? plot.valToPos(time, "x") : -10, top: 10 }, true);
        silent = false;
      },
      width: () => plot.bbox.width / (devicePixelRatio || 1),
      resize(tall) {
        plot.setSize({ width: Math.max(host.clientWidth, 200), height: tall });
      },
      over: () => plot.over,
      timeAt: (clientX) => plot.posToVal(clientX - plot.over.getBoundingClientRect().left, "x"),
      destroy() {
        plot.destroy();
      },
    };
  };
})();
