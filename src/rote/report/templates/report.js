"use strict";
// The frame of the page: theme, downloads, the way from a table row to the gallery.
(() => {
  const root = document.documentElement;
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const button = document.getElementById("theme");

  const isDark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const remember = (theme) => {
    try { localStorage.setItem("rote-theme", theme); } catch { /* storage may be forbidden */ }
  };
  const remembered = () => {
    try { return localStorage.getItem("rote-theme"); } catch { return null; }
  };

  function applyTheme() {
    button.setAttribute("aria-pressed", String(isDark()));
    if (typeof roteGallery !== "undefined") roteGallery.draw();
    roteCharts.draw(isDark()).catch((error) => console.error(error));
  }

  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    remember(root.dataset.theme);
    applyTheme();
  });
  system.addEventListener("change", applyTheme);

  for (const node of document.querySelectorAll("[data-download]")) {
    node.addEventListener("click", () => {
      const text = document.getElementById("raw-text").textContent;
      roteTables.save(node.dataset.download, text, "application/json");
    });
  }
  for (const node of document.querySelectorAll("[data-chart]")) {
    const { chart, kind } = node.dataset;
    node.addEventListener("click", async () => {
      roteTables.save(`${chart}.${kind}`, await roteCharts.picture(chart, kind));
    });
  }
  for (const node of document.querySelectorAll("[data-set]")) {
    node.addEventListener("click", () => {
      roteGallery.choose(Number(node.dataset.set));
      document.getElementById("gallery").scrollIntoView();
      document.querySelector("#gallery-sets input:checked").focus({ preventScroll: true });
    });
  }

  const theme = remembered();
  if (theme === "dark" || theme === "light") root.dataset.theme = theme;
  applyTheme();
  if (typeof roteGallery !== "undefined") roteGallery.follow();
})();
