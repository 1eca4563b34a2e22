"use strict";
// Two scatter plots and a table over the same candidates: what is marked in one is marked everywhere.
(function () {
  const waiting = document.querySelector("[data-reload]");
  if (waiting) return void setTimeout(() => location.reload(), Number(waiting.dataset.reload));
  const root = document.getElementById("map");
  if (!root) return;
  const FAMILY_COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00"];
  const RAMP = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];  // viridis
  const LOG = new Set(["plateau_pressure_bar"]);
  const ROWS = 50;
  const by = (id) => document.getElementById(id);
  let data, plots;
  const state = { brushes: [null, null], families: new Set() };

  function ramp(share) {
    const at = Math.min(0.9999, Math.max(0, share)) * (RAMP.length - 1), i = Math.floor(at), part = at - i;
    return "rgb(" + RAMP[i].map((v, k) => Math.round(v + part * (RAMP[i + 1][k] - v))).join(",") + ")";
  }

  function title(name) {
    const { label, unit } = data.labels[name];
    return unit ? label + " (" + unit + ")" : label;
  }

  function shares(name) {
    const scale = (v) => (v === null ? NaN : LOG.has(name) ? Math.log10(v) : v);
    const values = data.values[name].map(scale), sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
    const low = sorted[Math.floor(0.02 * sorted.length)], high = sorted[Math.floor(0.98 * (sorted.length - 1))];
    return values.map((v) => (Number.isFinite(v) ? (v - low) / (high - low || 1) : 0));
  }

  function inBrush(i, brush, x, y) {
    if (!brush) return true;
    const within = (v, [low, high]) => v !== null && (low === null || v >= low) && (high === null || v <= high);
    const open = ([low, high]) => low === null && high === null;
    return (open(brush.x) || within(x[i], brush.x)) && (open(brush.y) || within(y[i], brush.y));
  }

  function front(x, y, use, lessX, lessY) {
    const sx = lessX ? -1 : 1, sy = lessY ? -1 : 1;
    const rows = [];
    for (let i = 0; i < x.length; i += 1) if (use[i] && data.inside[i] && x[i] !== null && y[i] !== null) rows.push(i);
    rows.sort((a, b) => sx * (x[b] - x[a]) || sy * (y[b] - y[a]));
    let best = -Infinity;
    return rows.filter((i) => { if (sy * y[i] > best) { best = sy * y[i]; return true; } return false; });
  }

  function show() {
    const n = data.ids.length;
    const axes = [1, 2].map((k) => ({ x: by("x" + k).value, y: by("y" + k).value }));
    const known = by("only-known").checked, inside = by("only-inside").checked;
    const shown = new Array(n), marked = new Array(n);
    for (let i = 0; i < n; i += 1) {
      shown[i] = state.families.has(data.family[i]) && (!known || data.known[i] === 1) && (!inside || data.inside[i] === 1);
      marked[i] = shown[i] && axes.every((a, k) => inBrush(i, state.brushes[k], data.values[a.x], data.values[a.y]));
    }
    const byFamily = by("colour").value === "";
    const tint = byFamily ? null : shares(by("colour").value), grow = by("size").value === "" ? null : shares(by("size").value);
    const colour = data.family.map((f, i) => (byFamily ? FAMILY_COLOURS[f % FAMILY_COLOURS.length] : ramp(tint[i])));
    const radius = data.known.map((k, i) => (grow ? 2 + 3.5 * Math.min(1, Math.max(0, grow[i])) : k ? 4 : 3));
    const order = [...data.ids.keys()].reverse();
    plots.forEach(function (plot, k) {
      const a = axes[k], guides = (name) => data.guides.filter((g) => g.column === name);
      plot.brush = state.brushes[k];
      const x = data.values[a.x], y = data.values[a.y];
      const less = (which) => root.querySelector('[data-better="' + which + (k + 1) + '"]').checked;
      plot.show({ x: x, y: y, xLog: LOG.has(a.x), yLog: LOG.has(a.y), xTitle: title(a.x), yTitle: title(a.y), colour: colour, radius: radius, symbol: data.family, pale: data.inside.map((v) => !v), shown: shown, marked: marked, order: order, front: front(x, y, shown, less("x"), less("y")), xGuides: guides(a.x), yGuides: guides(a.y) });
    });
    table(marked);
    legend(byFamily);
  }

  function number(v) {
    if (v === null) return "–";
    const size = Math.abs(v);
    if (size !== 0 && (size < 1e-3 || size >= 1e5)) {
      const [m, p] = v.toExponential(2).split("e");
      return (m + " · 10" + [...String(Number(p))].map((c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c] || "⁻").join("")).replace("-", "−");
    }
    return String(Number(v.toPrecision(3)).toLocaleString("en", { minimumFractionDigits: size >= 100 || size === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(size))), maximumFractionDigits: 6 })).replace("-", "−");
  }

  function formula(text) {
    const parts = document.createDocumentFragment();
    for (const piece of text.split(/((?<=[A-Za-z)\]}])(?:\d+\.?\d*|\.\d+))/)) {
      if (/^[\d.]/.test(piece)) { const sub = document.createElement("sub"); sub.textContent = piece; parts.append(sub); }
      else parts.append(piece);
    }
    return parts;
  }

  function element(tag, text, kind) {
    const made = document.createElement(tag);
    made.textContent = text;
    if (kind) made.className = kind;
    return made;
  }

  function address(id) {
    return "/materials/" + encodeURIComponent(id).replace(/%2F/g, "/").replace(/%3A/g, ":");
  }

  function table(marked) {
    const rows = [];
    let count = 0;
    for (let i = 0; i < marked.length; i += 1) {
      if (!marked[i]) continue;
      count += 1;
      if (rows.length < ROWS) rows.push(i);
    }
    by("marked").textContent = count.toLocaleString("en") + (count === 1 ? " candidate" : " candidates") + (count > ROWS ? ", the best " + ROWS + " listed" : "");
    by("map-table").tBodies[0].replaceChildren(...rows.map(function (i) {
      const row = document.createElement("tr"), head = document.createElement("th"), link = document.createElement("a");
      head.scope = "row";
      link.href = address(data.ids[i]);
      link.append(formula(data.names[i]));
      head.append(link);
      if (!data.inside[i]) head.append(" ", element("span", "outside", "badge warn"));
      if (data.own[i]) head.append(" ", element("span", "your lab only", "badge accent"));
      row.append(head, element("td", data.families[data.family[i]]));
      for (const name of Object.keys(data.values)) {
        const cell = element("td", number(data.values[name][i]), "right");
        if (data.lower[name]) cell.append(document.createElement("br"), element("small", number(data.lower[name][i]) + " to " + number(data.upper[name][i]), "soft"));
        row.append(cell);
      }
      return row;
    }));
  }

  function legend(byFamily) {
    const NS = "http://www.w3.org/2000/svg";
    const shapes = ["M5 1a4 4 0 1 0 .01 0z", "M1.5 1.5h7v7h-7z", "M5 1l4 8h-8z", "M5 .5l4.5 4.5-4.5 4.5-4.5-4.5z"];
    const items = data.families.map(function (family, place) {
      const item = document.createElement("li"), svg = document.createElementNS(NS, "svg"), mark = document.createElementNS(NS, "path");
      svg.setAttribute("viewBox", "0 0 10 10");
      svg.setAttribute("aria-hidden", "true");
      mark.setAttribute("d", shapes[place % 4] || shapes[0]);
      mark.setAttribute("fill", byFamily ? FAMILY_COLOURS[place] : "currentColor");
      svg.append(mark);
      item.append(svg, family);
      return item;
    });
    if (!byFamily) items.push(element("li", "colour: " + title(by("colour").value) + ", dark is low, yellow is high"));
    if (by("size").value) items.push(element("li", "size: " + title(by("size").value)));
    by("legend").replaceChildren(...items);
  }

  function words(i, k) {
    const name = element("strong", ""), lines = [name];
    name.append(formula(data.names[i]));
    for (const axis of ["x" + (k + 1), "y" + (k + 1)]) {
      const column = by(axis).value, { label, unit } = data.labels[column];
      const spread = data.lower[column] ? " (" + number(data.lower[column][i]) + " to " + number(data.upper[column][i]) + ")" : "";
      lines.push(document.createElement("br"), label + " " + number(data.values[column][i]) + spread + " " + unit);
    }
    if (!data.inside[i]) lines.push(document.createElement("br"), "outside the domain of the models");
    return lines;
  }

  function readBrush(k) {
    const value = (end) => { const text = root.querySelector('[data-brush="' + (k + 1) + "," + end + '"]').value; return text === "" ? null : Number(text); };
    const brush = { x: [value("x-low"), value("x-high")], y: [value("y-low"), value("y-high")] };
    state.brushes[k] = [...brush.x, ...brush.y].every((v) => v === null) ? null : brush;
    show();
  }

  function writeBrush(k, brush) {
    state.brushes[k] = brush;
    const put = (end, v) => (root.querySelector('[data-brush="' + (k + 1) + "," + end + '"]').value = v === null || v === undefined ? "" : Number(v.toPrecision(4)));
    ["low", "high"].forEach((end, place) => { put("x-" + end, brush && brush.x[place]); put("y-" + end, brush && brush.y[place]); });
    show();
  }

  function start(loaded) {
    data = loaded;
    for (const id of ["colour", "size"]) {
      const none = new Option(id === "colour" ? "family" : "reported or not", "");
      by(id).prepend(none);
      by(id).value = "";
    }
    data.families.forEach(function (family, place) {
      state.families.add(place);
      const chip = element("label", "", "chip"), box = document.createElement("input");
      box.type = "checkbox";
      box.checked = true;
      box.addEventListener("change", () => { if (box.checked) state.families.add(place); else state.families.delete(place); show(); });
      chip.append(box, family);
      by("families").append(chip);
    });
    plots = [0, 1].map((k) => {
      const canvas = by("plot-" + (k + 1));
      return new window.hstoreScatter.Scatter(canvas, canvas.nextElementSibling, { brush: (b) => writeBrush(k, b), open: (i) => (location.href = address(data.ids[i])), words: (i) => words(i, k) });
    });
    root.addEventListener("change", function (event) {
      const axis = /^[xy]([12])$/.exec(event.target.id);
      if (axis) writeBrush(Number(axis[1]) - 1, null);
      else if (event.target.dataset.brush) readBrush(Number(event.target.dataset.brush[0]) - 1);
      else show();
    });
    by("clear-marks").addEventListener("click", () => { writeBrush(0, null); writeBrush(1, null); });
    show();
    document.documentElement.dataset.plots = "drawn";
  }

  fetch(root.dataset.source, { headers: { Accept: "application/json" } })
    .then((answer) => { if (!answer.ok) throw new Error(String(answer.status)); return answer.json(); })
    .then(start)
    .catch(() => window.hstore.notice("The points of the map could not be loaded; the table shows the best.", "bad"));
})();
