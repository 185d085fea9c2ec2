// A scatter plot with error bars, a third quantity as colour, and a reading under the pointer or the arrow keys.
// The points are drawn on a canvas, as there may be ten thousand; axes and words are a drawing over it.
// @ts-check
"use strict";

(() => {
  const ishtar = window.ishtar;
  const { el, svg } = ishtar;
  const NEAR = 24; // px around the pointer in which a point is found
  const HEIGHT = 380;

  /** @param {CanvasRenderingContext2D} pen @param {string} shape @param {number} x @param {number} y @param {number} r */
  const mark = (pen, shape, x, y, r) => {
    pen.beginPath();
    if (shape === "square") pen.rect(x - r * 0.88, y - r * 0.88, r * 1.76, r * 1.76);
    else if (shape === "triangle" || shape === "down") {
      const up = shape === "triangle" ? 1 : -1;
      pen.moveTo(x, y - r * 1.2 * up);
      pen.lineTo(x + r * 1.1, y + r * 0.8 * up);
      pen.lineTo(x - r * 1.1, y + r * 0.8 * up);
      pen.closePath();
    } else if (shape === "diamond") {
      pen.moveTo(x, y - r * 1.25);
      pen.lineTo(x + r * 1.25, y);
      pen.lineTo(x, y + r * 1.25);
      pen.lineTo(x - r * 1.25, y);
      pen.closePath();
    } else if (shape === "cross" || shape === "plus") {
      pen.save();
      pen.translate(x, y);
      if (shape === "cross") pen.rotate(Math.PI / 4);
      pen.rect(-r * 1.2, -r * 0.4, r * 2.4, r * 0.8);
      pen.rect(-r * 0.4, -r * 1.2, r * 0.8, r * 2.4);
      pen.restore();
    } else pen.arc(x, y, r, 0, 2 * Math.PI);
  };

  /**
   * @param {HTMLElement} box that gets the plot
   * @returns {(plot: Scatter | null) => void} draws one, or nothing
   */
  const scatter = (box) => {
    const canvas = el("canvas", { tabIndex: 0, role: "img" });
    const under = svg("svg", { class: "axes", "aria-hidden": "true" }), over = svg("svg", { class: "axes", "aria-hidden": "true" });
    const reading = el("output", { class: "reading", "aria-live": "polite" });
    box.replaceChildren(el("div", { class: "drawing" }, under, canvas, over), reading);
    /** @type {Scatter | null} */
    let plot = null;
    /** @type {number[]} */
    let px = [];
    /** @type {number[]} */
    let py = [];
    let chosen = -1;
    const hint = "Point at a shot, or move through them with the arrow keys; Enter opens it.";

    const draw = () => {
      const width = Math.max(240, box.clientWidth), height = HEIGHT;
      const ratio = devicePixelRatio || 1;
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
      for (const layer of [under, over]) {
        layer.setAttribute("viewBox", `0 0 ${width} ${height}`);
        layer.replaceChildren();
      }
      const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
      pen.scale(ratio, ratio);
      pen.clearRect(0, 0, width, height);
      px = [];
      py = [];
      if (!plot) return;
      const { points } = plot;
      const across = ishtar.axis(plot.x, points.map((p) => ({ at: p.x, sigma: p.sx })));
      const upward = ishtar.axis(plot.y, points.map((p) => ({ at: p.y, sigma: p.sy })));
      const yTicks = upward.ticks(6);
      const left = 26 + 7.2 * Math.max(3, ...yTicks.map((/** @type {{text: string}} */ t) => t.text.length)), right = width - 14, top = 10, bottom = height - 50;
      const xTicks = across.ticks(Math.max(2, Math.floor((right - left) / (plot.x.isTime ? 110 : 80))));
      const xAt = (/** @type {number} */ v) => left + across.part(v) * (right - left);
      const yAt = (/** @type {number} */ v) => bottom - upward.part(v) * (bottom - top);
      for (const { at, text } of xTicks) {
        const x = xAt(at);
        under.append(svg("path", { class: "gridline", d: `M${x} ${top}V${bottom}` }),
          svg("text", { x, y: bottom + 18, "text-anchor": "middle" }, text));
      }
      for (const { at, text } of yTicks) {
        const y = yAt(at);
        under.append(svg("path", { class: "gridline", d: `M${left} ${y}H${right}` }),
          svg("text", { x: left - 7, y: y + 4, "text-anchor": "end" }, text));
      }
      under.append(svg("path", { class: "frame", d: `M${left} ${top}V${bottom}H${right}` }),
        svg("text", { class: "label", x: (left + right) / 2, y: height - 10, "text-anchor": "middle" }, plot.x.label),
        svg("text", { class: "label", x: 0, y: 0, "text-anchor": "middle", transform: `translate(13 ${(top + bottom) / 2}) rotate(-90)` }, plot.y.label));
      const ink = getComputedStyle(box);
      const edge = ink.getPropertyValue("--sheet"), bars = ink.getPropertyValue("--ink-2");
      const r = points.length > 2000 ? 2.6 : points.length > 400 ? 3.4 : 4.6;
      px = points.map((p) => xAt(p.x));
      py = points.map((p) => yAt(p.y));
      pen.strokeStyle = bars;
      pen.lineWidth = 1.2;
      pen.globalAlpha = points.length > 400 ? 0.25 : 0.6; // many bars would hide the points
      pen.beginPath();
      for (const [k, p] of points.entries()) {
        if (p.sy !== null) {
          pen.moveTo(px[k], yAt(p.y - p.sy));
          pen.lineTo(px[k], yAt(p.y + p.sy));
        }
        if (p.sx !== null) {
          pen.moveTo(xAt(p.x - p.sx), py[k]);
          pen.lineTo(xAt(p.x + p.sx), py[k]);
        }
      }
      pen.stroke();
      pen.globalAlpha = 1;
      for (const [k, p] of points.entries()) {
        mark(pen, p.shape, px[k], py[k], r);
        if (p.shape === "hollow") {
          pen.strokeStyle = ink.getPropertyValue("--ink-2");
          pen.lineWidth = 1.3;
          pen.stroke();
          continue;
        }
        pen.fillStyle = p.colour || ink.getPropertyValue("--accent");
        pen.fill();
        if (points.length <= 2000) {
          pen.strokeStyle = edge;
          pen.lineWidth = 0.8;
          pen.stroke();
        }
      }
      if (chosen >= 0 && chosen < points.length) {
        over.append(svg("circle", { class: "chosen", cx: px[chosen], cy: py[chosen], r: r + 4 }));
      }
      canvas.setAttribute("aria-label", plot.about);
    };

    /** @param {number} k */
    const choose = (k) => {
      if (!plot || k === chosen) return;
      chosen = k;
      for (const old of over.querySelectorAll(".chosen")) old.remove();
      if (k < 0) {
        reading.textContent = plot.points.length ? hint : "";
        canvas.classList.remove("points");
        return;
      }
      canvas.classList.add("points");
      over.append(svg("circle", { class: "chosen", cx: px[k], cy: py[k], r: 8 }));
      reading.textContent = plot.read(plot.points[k].i);
    };

    /** @param {MouseEvent} event @returns {number} the point under the pointer, or -1 */
    const nearest = (event) => {
      const place = canvas.getBoundingClientRect();
      const x = event.clientX - place.left, y = event.clientY - place.top;
      let best = -1, least = NEAR * NEAR;
      for (let k = 0; k < px.length; k++) {
        const distance = (px[k] - x) ** 2 + (py[k] - y) ** 2;
        if (distance < least) {
          least = distance;
          best = k;
        }
      }
      return best;
    };

    canvas.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => choose(nearest(event)));
    canvas.addEventListener("click", (/** @type {MouseEvent} */ event) => {
      const k = nearest(event);
      // a finger has no hover: its first touch reads, the second opens
      if (k >= 0 && plot && (k === touched || !isTouch)) plot.open(plot.points[k].i);
      touched = k;
      choose(k);
    });
    let touched = -1, isTouch = false;
    canvas.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => { isTouch = event.pointerType === "touch"; });
    canvas.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (!plot || !plot.points.length) return;
      const step = event.key === "ArrowRight" || event.key === "ArrowUp" ? 1 : event.key === "ArrowLeft" || event.key === "ArrowDown" ? -1 : 0;
      if (step) {
        const order = plot.points.map((_, k) => k).sort((a, b) => px[a] - px[b] || a - b);
        const at = order.indexOf(chosen);
        choose(order[(at < 0 ? (step > 0 ? 0 : order.length - 1) : (at + step + order.length) % order.length)]);
        event.preventDefault();
      } else if (event.key === "Enter" && chosen >= 0) plot.open(plot.points[chosen].i);
    });
    new ResizeObserver(() => { if (plot) draw(); }).observe(box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

    return (next) => {
      plot = next;
      chosen = -1;
      reading.textContent = next && next.points.length ? hint : "";
      draw();
    };
  };

  ishtar.scatter = scatter;
})();
