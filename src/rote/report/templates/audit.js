"use strict";
// What only the page of an audit has: small pictures, the way from a group to the gallery, and tables of
// colored numbers, each one stop for the keyboard, that tell the interval of the cell in focus.
(() => {
  for (const canvas of document.querySelectorAll("canvas.thumb")) {
    roteGallery.small(canvas, Number(canvas.dataset.row), 64).catch((error) => console.error(error));
  }
  for (const node of document.querySelectorAll("[data-group]")) {
    node.addEventListener("click", () => {
      roteGallery.only(node.dataset.group, node.dataset.told);
      document.getElementById("gallery-panel").scrollIntoView();
      document.getElementById("only-group").focus({ preventScroll: true });
    });
  }

  for (const canvas of document.querySelectorAll("canvas.disputed")) {
    const { row, side } = canvas.dataset;
    roteGallery.disputed(canvas, Number(row), Number(side)).catch((error) => console.error(error));
  }

  for (const table of document.querySelectorAll("table.heatmap")) heat(table);
})();

function heat(table) {
  const tip = document.getElementById(table.dataset.tip);
  const grid = [...table.querySelectorAll("tr")]
    .map((row) => [...row.querySelectorAll("td")])
    .filter((cells) => cells.length > 0);
  const tell = (cell) => { tip.textContent = cell?.getAttribute("aria-label") ?? ""; };
  const focused = () => table.querySelector("td:focus");
  let stop = grid[0][0];
  stop.tabIndex = 0;

  table.addEventListener("mouseover", (event) => tell(event.target.closest("td") ?? focused()));
  table.addEventListener("mouseleave", () => tell(focused()));
  table.addEventListener("focusin", (event) => {
    stop.tabIndex = -1;
    stop = event.target;
    stop.tabIndex = 0;
    tell(stop);
  });
  table.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    const y = grid.findIndex((cells) => cells.includes(event.target));
    if (!step || y < 0) return;
    event.preventDefault();
    const x = grid[y].indexOf(event.target) + step[1];
    grid[y + step[0]]?.[x]?.focus();
  });
}
