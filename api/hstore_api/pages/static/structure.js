"use strict";
// Draws a unit cell with 3Dmol: atoms as spheres, those on faces of the cell at every place, bonds by distance;
// on demand its largest voids as translucent spheres, with the atoms that bound them marked.
(function () {
  const box = document.getElementById("viewer");
  if (!box) return;
  const cell = JSON.parse(document.getElementById(box.dataset.structure).textContent);
  const voids = JSON.parse(document.getElementById(box.dataset.voids).textContent);
  const colours = window.$3Dmol.elementColors.Jmol;
  const EDGE = 1e-3, MOST_ATOMS = 4000;
  let viewer;
  const state = { repeat: 1, edges: true, voids: new Set() };

  function place(fractional) {
    return [0, 1, 2].map((k) => fractional.reduce((sum, x, i) => sum + x * cell.matrix[i][k], 0));
  }

  function images(site) {
    // A site on a face of the drawn block is seen on the opposite face too.
    const spans = site.slice(1).map(function (x) {
      const inside = x - Math.floor(x + EDGE);
      const found = [];
      for (let n = 0; n < state.repeat; n += 1) found.push(inside + n);
      if (Math.abs(inside) < EDGE) found.push(inside + state.repeat);
      return found;
    });
    const all = [];
    for (const x of spans[0]) for (const y of spans[1]) for (const z of spans[2]) all.push([x, y, z]);
    return all;
  }

  function colourOf(element) {
    const value = colours[element];
    return value === undefined ? "#ff1493" : "#" + value.toString(16).padStart(6, "0");
  }

  function addEdges() {
    const n = state.repeat, corners = [];
    for (let x = 0; x <= n; x += 1) for (let y = 0; y <= n; y += 1) for (let z = 0; z <= n; z += 1) corners.push([x, y, z]);
    const colour = getComputedStyle(box).getPropertyValue("--edge") ? (dark() ? "#a6b0bc" : "#545e6b") : "#808080";
    for (const corner of corners) {
      for (let k = 0; k < 3; k += 1) {
        if (corner[k] === n) continue;
        const other = corner.slice();
        other[k] += 1;
        const [a, b] = [place(corner), place(other)];
        viewer.addLine({ start: { x: a[0], y: a[1], z: a[2] }, end: { x: b[0], y: b[1], z: b[2] }, color: colour, linewidth: 1.5 });
      }
    }
  }

  function point(fractional) {
    const [x, y, z] = place(fractional);
    return { x: x, y: y, z: z };
  }

  function addVoids() {
    for (const index of state.voids) {
      const found = voids[index];
      viewer.addSphere({ center: point(found.centre), radius: found.radius, color: "#2f7ed8", opacity: 0.35 });
      for (const [element, ...where] of found.atoms) {
        // Atoms that bound it may lie outside the cell: they are drawn with their mark.
        viewer.addSphere({ center: point(where), radius: 0.42, color: colourOf(element) });
        viewer.addSphere({ center: point(where), radius: 0.62, color: "#e8a400", opacity: 0.5 });
      }
    }
    box.dataset.shownVoids = [...state.voids].sort().join(",");
  }

  function noteVoids() {
    const all = document.getElementById("voids");
    if (all) all.setAttribute("aria-pressed", String(state.voids.size === voids.length));
    for (const button of document.querySelectorAll("[data-void]")) button.setAttribute("aria-pressed", String(state.voids.has(Number(button.dataset.void))));
  }

  function dark() {
    const theme = document.documentElement.dataset.theme;
    return theme ? theme === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches;
  }

  function panel() {
    // Translucent spheres are mixed with what the picture has behind them, so it needs the colour of the page.
    const parts = getComputedStyle(box).backgroundColor.match(/\d+/g).map(Number);
    return (parts[0] << 16) + (parts[1] << 8) + parts[2];
  }

  function draw(keepView) {
    const view = keepView ? viewer.getView() : null;
    viewer.clear();
    const lines = [];
    for (const site of cell.sites) for (const image of images(site)) lines.push(site[0] + " " + place(image).map((x) => x.toFixed(5)).join(" "));
    const shown = lines.slice(0, MOST_ATOMS);
    const model = viewer.addModel(shown.length + "\nunit cell\n" + shown.join("\n") + "\n", "xyz");
    model.setStyle({}, { sphere: { scale: 0.32, colorscheme: "Jmol" }, stick: { radius: 0.08, colorscheme: "Jmol" } });
    if (state.edges) addEdges();
    addVoids();
    viewer.setBackgroundColor(panel(), 1);
    if (view) viewer.setView(view); else reset();
    viewer.render();
    box.dataset.atoms = String(shown.length);
  }

  function reset() {
    viewer.zoomTo();
    viewer.rotate(-72, "x");
    viewer.rotate(-18, "y");
    viewer.zoom(0.95);
  }

  function noteView() {
    box.dataset.view = viewer.getView().slice(4).map((x) => x.toFixed(3)).join(",");
  }

  try {
    viewer = window.$3Dmol.createViewer(box, { backgroundAlpha: 0, antialias: true, disableFog: true });
    if (!viewer) throw new Error("no WebGL");
    draw(false);
    noteView();
  } catch (error) {
    box.textContent = "This browser cannot draw in three dimensions (WebGL is off); the cell is described beside this.";
    return;
  }

  for (const item of document.querySelectorAll("#elements-key li")) {
    const dot = item.querySelector("i");
    dot.style.background = colourOf(item.dataset.element);
    dot.hidden = false;
  }
  document.addEventListener("click", function (event) {
    const button = event.target.closest(".viewer-bar button, [data-void]");
    if (!button) return;
    if (button.dataset.void || button.id === "voids") {
      if (button.id === "voids") {
        state.voids = new Set(state.voids.size === voids.length ? [] : voids.keys());
      } else if (!state.voids.delete(Number(button.dataset.void))) {
        state.voids.add(Number(button.dataset.void));
      }
      noteVoids();
      draw(true);
    } else if (button.dataset.turn) {
      const [axis, angle] = button.dataset.turn.split(",");
      viewer.rotate(Number(angle), axis);
    } else if (button.dataset.zoom) {
      viewer.zoom(Number(button.dataset.zoom));
    } else if (button.id === "supercell") {
      state.repeat = state.repeat === 1 ? 2 : 1;
      button.setAttribute("aria-pressed", String(state.repeat === 2));
      draw(false);
    } else if (button.id === "cell") {
      state.edges = !state.edges;
      button.setAttribute("aria-pressed", String(state.edges));
      draw(true);
    } else {
      reset();
    }
    viewer.render();
    noteView();
  });
  // Rolling over the picture scrolls the page; with Ctrl it zooms.
  box.addEventListener("wheel", (event) => { if (!event.ctrlKey) event.stopPropagation(); }, { capture: true, passive: true });
  box.addEventListener("pointerup", noteView);
  document.addEventListener("hstore:theme", () => draw(true));
})();
