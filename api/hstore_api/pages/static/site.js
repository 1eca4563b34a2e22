"use strict";
// What every page has: theme, basket of materials to compare, notices, and small behaviours named by data-attributes.
window.hstore = (function () {
  const THEMES = { "": "as the system", light: "light", dark: "dark" };
  const MOST = 4;

  function kept(name) {
    try { return localStorage.getItem(name) || ""; } catch (error) { return ""; }
  }

  function keep(name, value) {
    try { if (value) localStorage.setItem(name, value); else localStorage.removeItem(name); } catch (error) { /* off */ }
  }

  function notice(text, kind) {
    const box = document.createElement("div");
    box.className = "notice " + (kind || "");
    const words = document.createElement("span");
    words.textContent = text;
    const close = document.createElement("button");
    close.type = "button";
    close.className = "button quiet";
    close.textContent = "Close";
    close.addEventListener("click", () => box.remove());
    box.append(words, close);
    document.getElementById("notices").append(box);
    if (kind !== "bad") setTimeout(() => box.remove(), 6000);
  }

  // ---- theme
  function showTheme() {
    const now = document.documentElement.dataset.theme || "";
    document.getElementById("theme-now").textContent = THEMES[now];
    document.getElementById("theme").title = "Colours: " + THEMES[now];
    document.dispatchEvent(new CustomEvent("hstore:theme"));
  }

  function nextTheme() {
    const order = Object.keys(THEMES);
    const now = document.documentElement.dataset.theme || "";
    const next = order[(order.indexOf(now) + 1) % order.length];
    if (next) document.documentElement.dataset.theme = next; else delete document.documentElement.dataset.theme;
    keep("hstore-theme", next);
    showTheme();
  }

  // ---- basket
  function basket() {
    try { return JSON.parse(kept("hstore-basket") || "[]").filter((id) => typeof id === "string"); } catch (error) { return []; }
  }

  function compareAddress(ids) {
    return "/compare" + (ids.length ? "?" + ids.map((id) => "ids=" + encodeURIComponent(id)).join("&") : "");
  }

  function showBasket() {
    const ids = basket();
    const link = document.getElementById("basket");
    link.hidden = ids.length === 0;
    link.href = compareAddress(ids);
    link.querySelector(".count").textContent = String(ids.length);
    link.setAttribute("aria-label", "Compare " + ids.length + (ids.length === 1 ? " material" : " materials"));
    for (const button of document.querySelectorAll("[data-compare]")) {
      const held = ids.includes(button.dataset.compare);
      button.hidden = false;
      button.setAttribute("aria-pressed", String(held));
      const words = button.querySelector(".words");
      if (words) words.textContent = held ? "In the comparison" : "Compare";
    }
  }

  function toggleBasket(id) {
    let ids = basket();
    if (ids.includes(id)) ids = ids.filter((other) => other !== id);
    else if (ids.length >= MOST) return notice("Four materials can be compared at a time; take one out first.", "bad");
    else ids.push(id);
    keep("hstore-basket", ids.length ? JSON.stringify(ids) : "");
    showBasket();
  }

  // ---- behaviours
  document.addEventListener("click", function (event) {
    const compare = event.target.closest("[data-compare]");
    if (compare) toggleBasket(compare.dataset.compare);
    const drop = event.target.closest("[data-drop]");
    if (drop) keep("hstore-basket", JSON.stringify(basket().filter((id) => id !== drop.dataset.drop)));
    const copy = event.target.closest("[data-copy]");
    if (copy) navigator.clipboard.writeText(copy.dataset.copy).then(() => notice("Copied."), () => notice("The browser does not allow copying."));
    if (event.target.closest("#theme")) nextTheme();
  });
  // A form that writes is sent once, however often its button is pressed; it is new again when one comes back to it.
  document.addEventListener("submit", function (event) {
    if (event.target.method !== "post") return;
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "yes";
  });
  window.addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent));
  document.addEventListener("change", function (event) {
    if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
  });
  document.addEventListener("htmx:responseError", function (event) {
    let words = "The service did not answer as expected.";
    try { words = JSON.parse(event.detail.xhr.responseText).detail || words; } catch (error) { /* no problem document */ }
    notice(words, "bad");
  });
  document.addEventListener("htmx:sendError", () => notice("The service cannot be reached.", "bad"));
  document.addEventListener("htmx:afterSettle", showBasket);
  window.addEventListener("storage", showBasket);
  window.addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => (part.open = true)));

  document.getElementById("theme").hidden = false;
  showTheme();
  showBasket();
  return { notice: notice, basket: basket, dataOf: (id) => JSON.parse(document.getElementById(id).textContent) };
})();
