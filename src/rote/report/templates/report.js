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

  function save(name, text, type) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
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
      save(node.dataset.download, text, "application/json");
    });
  }
  for (const node of document.querySelectorAll("[data-svg]")) {
    node.addEventListener("click", async () => {
      save(`${node.dataset.svg}.svg`, await roteCharts.svg(node.dataset.svg), "image/svg+xml");
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
})();
