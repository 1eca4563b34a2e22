"use strict";
// Draws every plot from the JSON beside it, also in parts of a page that come later.
(function () {
  const narrow = window.matchMedia("(max-width: 640px)");
  const config = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };

  function fit(layout) {
    if (!narrow.matches) return layout;
    const margin = Object.assign({}, layout.margin, { l: 44, r: 8 });
    return Object.assign({}, layout, { margin: margin, font: Object.assign({}, layout.font, { size: 11 }) });
  }

  function draw(source) {
    const plot = document.getElementById(source.dataset.plot);
    if (!plot || plot.dataset.drawn) return null;
    plot.dataset.drawn = "yes";
    const figure = JSON.parse(source.textContent);
    return window.Plotly.newPlot(plot, figure.data, fit(figure.layout), config);
  }

  function drawAll() {
    return Promise.all([...document.querySelectorAll("script[data-plot]")].map(draw));
  }

  drawAll().then(() => (document.documentElement.dataset.plots = "drawn"));
  document.addEventListener("htmx:afterSettle", drawAll);
  window.addEventListener("beforeprint", () => document.querySelectorAll(".plot").forEach((plot) => window.Plotly.Plots.resize(plot)));
})();
