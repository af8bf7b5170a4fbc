"use strict";
// Every table of numbers: a click on a column's head sorts by it, a button below saves it as CSV.
const roteTables = (() => {
  const words = (node) => node.textContent.trim().replace(/\s+/g, " ");

  // The cells of some rows in their columns, whatever spans several.
  function gridOf(rows) {
    const grid = rows.map(() => []);
    rows.forEach((row, y) => {
      let x = 0;
      for (const cell of row.cells) {
        while (grid[y][x] !== undefined) x += 1;
        for (let down = 0; down < cell.rowSpan && y + down < rows.length; down += 1) {
          for (let right = 0; right < cell.colSpan; right += 1) {
            grid[y + down][x + right] = down + right ? null : cell;
          }
        }
      }
    });
    return grid;
  }

  // A ' before what a spreadsheet would run as a formula.
  function field(text) {
    const safe = /^[=+\-@\t]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
    return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  }

  const csv = (rows) => rows.map((row) => row.map((text) => field(String(text))).join(",") + "\n").join("");

  function save(name, content, type) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  const number = (text) => {
    const found = /^[#<>≥≤\s]*([+\-−]?\d[\d,]*\.?\d*)/.exec(text);
    return found ? Number(found[1].replaceAll(",", "").replace("−", "-")) : NaN;
  };

  // Numbers by their size where a column has any, else texts; what is neither comes last.
  function compare(a, b) {
    if (a.value === b.value || (Number.isNaN(a.value) && Number.isNaN(b.value))) return a.text.localeCompare(b.text);
    if (Number.isNaN(a.value)) return 1;
    return Number.isNaN(b.value) ? -1 : a.value - b.value;
  }

  function sort(table, column, descending) {
    const bodies = [...table.tBodies];
    const parts = bodies.length > 1 ? bodies : [...bodies[0].rows];
    const key = (part) => {
      const cell = gridOf(part.rows ? [part.rows[0]] : [part])[0][column];
      const text = cell ? cell.dataset.sort ?? words(cell) : "";
      return { part, text, value: number(text) };
    };
    const sorted = parts.map(key).sort((a, b) => compare(a, b) * (descending ? -1 : 1));
    const parent = bodies.length > 1 ? table : bodies[0];
    parent.append(...sorted.map(({ part }) => part));
  }

  function sortable(table) {
    const heads = table.tHead?.rows.length === 1 ? gridOf([table.tHead.rows[0]])[0] : [];
    if (table.tBodies.length + (table.tBodies[0]?.rows.length ?? 0) < 3) return;
    heads.forEach((head, column) => {
      if (!head || !words(head) || head.querySelector(".sr")) return;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const descending = head.ariaSort === "ascending";
        heads.forEach((other) => other?.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", descending ? "descending" : "ascending");
        sort(table, column, descending);
      });
    });
  }

  // What a table is called: by its caption, the region around it, or the heading above.
  const nameOf = (table) => {
    const region = table.closest("[role=region][aria-label]");
    const heading = table.closest("section, article")?.querySelector("h2, h3");
    return region?.getAttribute("aria-label") ?? (heading ? words(heading) : "table");
  };

  document.querySelectorAll("table.data:not([data-own])").forEach((table) => {
    if (!table.classList.contains("heatmap")) sortable(table);
    const name = nameOf(table);
    const button = Object.assign(document.createElement("button"), { type: "button", className: "link export", textContent: "CSV" });
    button.setAttribute("aria-label", `Save as CSV: ${name}`);
    button.addEventListener("click", () => {
      const rows = gridOf([...table.rows]).map((row) => Array.from(row, (cell) => (cell ? words(cell) : "")));
      save(`${name.toLowerCase().replace(/[^a-z0-9]+/g, "-")}.csv`, csv(rows), "text/csv");
    });
    (table.closest(".scroll") ?? table).after(button);
  });

  return { csv, save };
})();
