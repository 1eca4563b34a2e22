"use strict";
// Runs before the page is painted, so that a chosen theme does not flash.
(function () {
  try {
    const chosen = localStorage.getItem("hstore-theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch (error) { /* storage is switched off: the system decides */ }
  document.documentElement.dataset.scripts = "on";
})();
