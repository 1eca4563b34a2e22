"use strict";
(function () {
  const slider = document.getElementById("celsius"), shown = document.getElementById("celsius-now");
  slider.addEventListener("input", () => (shown.textContent = slider.value.replace("-", "−")));
})();
