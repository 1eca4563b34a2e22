"use strict";
// A scatter plot on a canvas: tens of thousands of points, linear or logarithmic axes, brushing, hovering.
// Own code because plotly draws that many points with WebGL only, whose shaders its script makes with eval, which
// our Content-Security-Policy forbids; as SVG they took 3.5 s.
window.hstoreScatter = (function () {
  const MARGIN = { left: 62, right: 14, top: 14, bottom: 44 };
  const NEAR_PX = 12;

  function colours(element) {
    const style = getComputedStyle(element);
    return { ink: style.getPropertyValue("color"), soft: resolve(element, "--soft"), grid: resolve(element, "--grid"), accent: resolve(element, "--accent"), warn: resolve(element, "--warn"), page: resolve(element, "--page") };
  }

  function resolve(element, name) {
    const probe = document.createElement("span");
    probe.style.color = "var(" + name + ")";
    element.parentElement.append(probe);
    const value = getComputedStyle(probe).color;
    probe.remove();
    return value;
  }

  function niceTicks(low, high, most) {
    const span = high - low || 1, raw = span / most, power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((n) => n * power).find((s) => span / s <= most) || 10 * power;
    const ticks = [];
    for (let t = Math.ceil(low / step) * step; t <= high + step * 1e-9; t += step) ticks.push(Math.abs(t) < step * 1e-9 ? 0 : t);
    return ticks;
  }

  function powers(low, high, most) {
    const first = Math.ceil(low), last = Math.floor(high), step = Math.max(1, Math.ceil((last - first + 1) / most));
    const ticks = [];
    for (let p = first; p <= last; p += step) ticks.push(p);
    return ticks.length >= 2 ? ticks : niceTicks(low, high, 4);
  }

  function write(value) {
    if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5)) {
      const [m, p] = value.toExponential(0).split("e");
      return (m === "1" ? "" : m + "·") + "10" + [...String(Number(p))].map((c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c] || "⁻").join("");
    }
    return String(Number(value.toPrecision(6))).replace("-", "−");
  }

  class Axis {
    constructor(values, log, extra) {
      this.log = log;
      let low = Infinity, high = -Infinity;
      const use = (v) => {
        const s = this.scale(v);
        if (Number.isFinite(s)) { low = Math.min(low, s); high = Math.max(high, s); }
      };
      for (const v of values) use(v);
      for (const v of extra) use(v);
      if (!Number.isFinite(low)) { low = 0; high = 1; }
      if (log) low = Math.max(low, high - 14);
      const margin = 0.04 * (high - low) || 0.5;
      this.low = low - margin;
      this.high = high + margin;
    }

    scale(v) { return v === null ? NaN : this.log ? (v > 0 ? Math.log10(v) : NaN) : v; }
    unscale(s) { return this.log ? 10 ** s : s; }
    share(v) { return (this.scale(v) - this.low) / (this.high - this.low); }
    at(share) { return this.unscale(this.low + share * (this.high - this.low)); }

    ticks(most) {
      const places = this.log ? powers(this.low, this.high, most) : niceTicks(this.low, this.high, most);
      return places.map((s) => [(s - this.low) / (this.high - this.low), this.log ? write(10 ** s) : write(s)]);
    }
  }

  function path(context, symbol, x, y, r) {
    context.beginPath();
    if (symbol === 1) context.rect(x - r, y - r, 2 * r, 2 * r);
    else if (symbol === 2) { context.moveTo(x, y - 1.2 * r); context.lineTo(x + 1.15 * r, y + r); context.lineTo(x - 1.15 * r, y + r); context.closePath(); }
    else if (symbol === 3) { context.moveTo(x, y - 1.35 * r); context.lineTo(x + 1.35 * r, y); context.lineTo(x, y + 1.35 * r); context.lineTo(x - 1.35 * r, y); context.closePath(); }
    else context.arc(x, y, r, 0, 2 * Math.PI);
  }

  class Scatter {
    constructor(canvas, tip, events) {
      this.canvas = canvas;
      this.tip = tip;
      this.events = events;
      this.brush = null;
      this.drag = null;
      new ResizeObserver(() => this.draw()).observe(canvas);
      canvas.addEventListener("pointerdown", (e) => this.down(e));
      canvas.addEventListener("pointermove", (e) => this.move(e));
      canvas.addEventListener("pointerup", (e) => this.up(e));
      canvas.addEventListener("pointercancel", () => (this.drag = null));
      canvas.addEventListener("pointerleave", () => (tip.hidden = true));
      canvas.addEventListener("keydown", (e) => { if (e.key === "Escape") this.setBrush(null, true); });
      document.addEventListener("hstore:theme", () => this.draw());
      window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    }

    // view: {x, y, xLog, yLog, xTitle, yTitle, colour[], radius[], symbol[], pale[], shown[], marked[], front[], xGuides, yGuides}
    show(view) {
      this.view = view;
      this.axes = { x: new Axis(view.x, view.xLog, view.xGuides.map((g) => g.value)), y: new Axis(view.y, view.yLog, view.yGuides.map((g) => g.value)) };
      this.draw();
    }

    place(i) {
      const box = this.box;
      return [box.left + this.axes.x.share(this.view.x[i]) * box.width, box.top + (1 - this.axes.y.share(this.view.y[i])) * box.height];
    }

    draw() {
      if (!this.view) return;
      const { canvas, view } = this, ratio = window.devicePixelRatio || 1;
      const width = canvas.clientWidth, height = canvas.clientHeight;
      if (!width) return;
      canvas.width = width * ratio;
      canvas.height = height * ratio;
      const c = canvas.getContext("2d"), hue = colours(canvas);
      c.scale(ratio, ratio);
      c.font = "12px system-ui, sans-serif";
      const box = (this.box = { left: MARGIN.left, top: MARGIN.top, width: width - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom });
      this.drawAxes(c, hue, box);
      c.save();
      c.beginPath();
      c.rect(box.left, box.top, box.width, box.height);
      c.clip();
      const order = view.order;
      let drawn = 0;
      for (const marked of [false, true]) {
        for (const i of order) {
          if (!view.shown[i] || view.marked[i] !== marked) continue;
          const [x, y] = this.place(i);
          if (!Number.isFinite(x) || !Number.isFinite(y)) continue;
          c.globalAlpha = marked ? (view.pale[i] ? 0.3 : 0.85) : 0.07;
          c.fillStyle = marked ? view.colour[i] : hue.soft;
          path(c, view.symbol[i], x, y, view.radius[i]);
          c.fill();
          drawn += 1;
        }
      }
      c.globalAlpha = 1;
      this.drawGuides(c, hue, box);
      this.drawFront(c, hue);
      if (this.brush) this.drawBrush(c, hue, box);
      c.restore();
      canvas.dataset.drawn = String(drawn);
    }

    drawAxes(c, hue, box) {
      c.strokeStyle = hue.grid;
      c.fillStyle = hue.ink;
      c.lineWidth = 1;
      c.textAlign = "center";
      c.textBaseline = "top";
      for (const [share, words] of this.axes.x.ticks(Math.max(3, Math.floor(box.width / 80)))) {
        const x = Math.round(box.left + share * box.width) + 0.5;
        c.beginPath(); c.moveTo(x, box.top); c.lineTo(x, box.top + box.height); c.stroke();
        c.fillText(words, x, box.top + box.height + 6);
      }
      c.textAlign = "right";
      c.textBaseline = "middle";
      for (const [share, words] of this.axes.y.ticks(7)) {
        const y = Math.round(box.top + (1 - share) * box.height) + 0.5;
        c.beginPath(); c.moveTo(box.left, y); c.lineTo(box.left + box.width, y); c.stroke();
        c.fillText(words, box.left - 6, y);
      }
      c.textAlign = "center";
      c.textBaseline = "bottom";
      c.fillText(this.view.xTitle, box.left + box.width / 2, box.top + box.height + MARGIN.bottom - 4);
      c.save();
      c.translate(13, box.top + box.height / 2);
      c.rotate(-Math.PI / 2);
      c.textBaseline = "middle";
      c.fillText(this.view.yTitle, 0, 0);
      c.restore();
    }

    // words of a guide, readable over points
    write(c, hue, guide, x, y) {
      const words = (guide.atLeast ? "≥ " : "≤ ") + guide.words;
      c.save();
      c.setLineDash([]);
      c.strokeStyle = hue.page;
      c.lineWidth = 4;
      c.lineJoin = "round";
      c.strokeText(words, x, y);
      c.restore();
      c.fillText(words, x, y);
    }

    drawGuides(c, hue, box) {
      c.strokeStyle = hue.warn;
      c.fillStyle = hue.warn;
      c.setLineDash([5, 4]);
      c.textBaseline = "bottom";
      for (const guide of this.view.xGuides) {
        const x = box.left + this.axes.x.share(guide.value) * box.width;
        c.beginPath(); c.moveTo(x, box.top); c.lineTo(x, box.top + box.height); c.stroke();
        const right = x < box.left + box.width / 2;
        c.textAlign = right ? "left" : "right";
        this.write(c, hue, guide, x + (right ? 5 : -5), box.top + box.height - 5);
      }
      for (const guide of this.view.yGuides) {
        const y = box.top + (1 - this.axes.y.share(guide.value)) * box.height;
        c.beginPath(); c.moveTo(box.left, y); c.lineTo(box.left + box.width, y); c.stroke();
        c.textAlign = "left";
        this.write(c, hue, guide, box.left + 5, y - 3);
      }
      c.setLineDash([]);
    }

    drawFront(c, hue) {
      c.strokeStyle = hue.warn;
      c.lineWidth = 1.6;
      c.beginPath();
      this.view.front.forEach((i, place) => { const [x, y] = this.place(i); if (place) c.lineTo(x, y); else c.moveTo(x, y); });
      c.stroke();
      for (const i of this.view.front) { const [x, y] = this.place(i); c.beginPath(); c.arc(x, y, this.view.radius[i] + 3, 0, 2 * Math.PI); c.stroke(); }
    }

    drawBrush(c, hue, box) {
      const [x0, x1] = [this.brush.x[0], this.brush.x[1]].map((v) => (v === null ? null : box.left + this.axes.x.share(v) * box.width));
      const [y0, y1] = [this.brush.y[0], this.brush.y[1]].map((v) => (v === null ? null : box.top + (1 - this.axes.y.share(v)) * box.height));
      const left = x0 ?? box.left, right = x1 ?? box.left + box.width, top = y1 ?? box.top, bottom = y0 ?? box.top + box.height;
      c.globalAlpha = 0.12;
      c.fillStyle = hue.accent;
      c.fillRect(left, top, right - left, bottom - top);
      c.globalAlpha = 1;
      c.strokeStyle = hue.accent;
      c.strokeRect(left, top, right - left, bottom - top);
    }

    setBrush(brush, tell) {
      this.brush = brush;
      if (tell) this.events.brush(brush);
      this.draw();
    }

    where(event) {
      const box = this.canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    }

    down(event) {
      this.drag = { from: this.where(event), moved: false };
      this.canvas.setPointerCapture(event.pointerId);
    }

    move(event) {
      const [x, y] = this.where(event);
      if (this.drag) {
        const [a, b] = this.drag.from;
        if (Math.hypot(x - a, y - b) < 5 && !this.drag.moved) return;
        this.drag.moved = true;
        const share = (px, start, size) => Math.min(1, Math.max(0, (px - start) / size));
        const xs = [a, x].map((p) => this.axes.x.at(share(p, this.box.left, this.box.width))).sort((m, n) => m - n);
        const ys = [b, y].map((p) => this.axes.y.at(1 - share(p, this.box.top, this.box.height))).sort((m, n) => m - n);
        this.setBrush({ x: xs, y: ys }, false);
        return;
      }
      this.point(x, y);
    }

    up(event) {
      const drag = this.drag;
      this.drag = null;
      if (!drag) return;
      if (drag.moved) return this.events.brush(this.brush);
      const [x, y] = this.where(event), i = this.nearest(x, y);
      if (i >= 0) this.events.open(i);
      else if (this.brush) this.setBrush(null, true);
    }

    nearest(x, y) {
      let best = -1, least = NEAR_PX;
      const { view } = this;
      for (let i = 0; i < view.x.length; i += 1) {
        if (!view.shown[i] || !view.marked[i]) continue;
        const [px, py] = this.place(i), d = Math.hypot(px - x, py - y);
        if (d < least) { best = i; least = d; }
      }
      return best;
    }

    point(x, y) {
      const i = this.nearest(x, y);
      this.tip.hidden = i < 0;
      this.canvas.style.cursor = i < 0 ? "crosshair" : "pointer";
      if (i < 0) return;
      this.tip.replaceChildren(...this.events.words(i));
      const left = x > this.canvas.clientWidth / 2;
      this.tip.style.left = left ? "" : x + 14 + "px";
      this.tip.style.right = left ? this.canvas.clientWidth - x + 14 + "px" : "";
      this.tip.style.top = Math.min(y, this.canvas.clientHeight - 90) + "px";
    }
  }

  return { Scatter: Scatter };
})();
