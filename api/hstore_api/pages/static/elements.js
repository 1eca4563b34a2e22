"use strict";
// The periodic table: each press goes from any to required to excluded and back; the two text fields hold the choice.
(function () {
  const table = document.getElementById("periodic-table");
  if (!table) return;
  const buttons = [...table.querySelectorAll("button")];
  const fields = { require: document.getElementById("elements"), exclude: document.getElementById("exclude") };
  const at = new Map(buttons.map((b) => [b.dataset.row + "," + b.dataset.column, b]));
  const NEXT = { "": "require", require: "exclude", exclude: "" };
  const WORDS = { "": "", require: ", must be present", exclude: ", must be absent" };

  function symbols(field) {
    return field.value.split(/[\s,]+/).filter(Boolean);
  }

  function show() {
    const [required, excluded] = [symbols(fields.require), symbols(fields.exclude)];
    for (const button of buttons) {
      const symbol = button.dataset.symbol;
      const state = required.includes(symbol) ? "require" : excluded.includes(symbol) ? "exclude" : "";
      button.dataset.state = state;
      button.setAttribute("aria-pressed", state === "require" ? "true" : state === "exclude" ? "mixed" : "false");
      button.setAttribute("aria-label", button.dataset.name + WORDS[state]);
    }
  }

  function put(symbol, state) {
    for (const [name, field] of Object.entries(fields)) {
      const kept = symbols(field).filter((other) => other !== symbol);
      if (name === state) kept.push(symbol);
      field.value = kept.join(", ");
    }
    show();
    fields.require.dispatchEvent(new Event("change", { bubbles: true }));
  }

  function focus(button) {
    for (const other of buttons) other.tabIndex = other === button ? 0 : -1;
    button.focus();
  }

  table.addEventListener("click", function (event) {
    const button = event.target.closest("button");
    if (button) put(button.dataset.symbol, NEXT[button.dataset.state]);
  });
  table.addEventListener("keydown", function (event) {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!step) return;
    event.preventDefault();
    let row = Number(event.target.dataset.row), column = Number(event.target.dataset.column);
    for (let n = 0; n < 18; n += 1) {
      row += step[0];
      column += step[1];
      const found = at.get(row + "," + column);
      if (found) return focus(found);
    }
  });
  document.getElementById("elements-clear").addEventListener("click", function () {
    fields.require.value = fields.exclude.value = "";
    show();
    fields.require.dispatchEvent(new Event("change", { bubbles: true }));
  });
  for (const field of Object.values(fields)) field.addEventListener("input", show);
  buttons.forEach((button, place) => (button.tabIndex = place === 0 ? 0 : -1));
  show();
})();
