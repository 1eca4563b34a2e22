"use strict";
// Draws the plots from the JSON beside them. Colours of text and grid come from the style sheet.
(function () {
  const narrow = window.matchMedia("(max-width: 640px)").matches;
  const config = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };

  function fit(layout) {
    if (!narrow) return layout;
    const margin = Object.assign({}, layout.margin, { l: 44, r: 8 });
    const notes = (layout.annotations || []).map((a) => ("ax" in a ? Object.assign({}, a, { ax: 0.6 * a.ax }) : a));
    const font = Object.assign({}, layout.font, { size: 11 });
    return Object.assign({}, layout, { margin: margin, font: font, annotations: notes });
  }

  function bandsFollowPointer(plot) {
    const bands = plot.data.map((t, i) => (t.meta && "band" in t.meta ? i : -1)).filter((i) => i >= 0);
    if (!bands.length) return;
    let shown = 0;
    plot.on("plotly_hover", function (event) {
      const meta = event.points[0].data.meta;
      if (!meta || !("line" in meta) || meta.line === shown) return;
      shown = meta.line;
      window.Plotly.restyle(plot, { visible: bands.map((i) => plot.data[i].meta.band === shown) }, bands);
    });
  }

  function draw(source) {
    const plot = document.getElementById(source.dataset.plot);
    const figure = JSON.parse(source.textContent);
    return window.Plotly.newPlot(plot, figure.data, fit(figure.layout), config).then(bandsFollowPointer);
  }

  Promise.all([...document.querySelectorAll("script[data-plot]")].map(draw)).then(function () {
    document.documentElement.dataset.drawn = "yes";
  });

  // Paper is narrower than the window, and folded parts would be lost on it.
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details").forEach((part) => (part.open = true));
    document.querySelectorAll(".plot").forEach((plot) => window.Plotly.Plots.resize(plot));
  });
})();
