"use strict";
// What a card shows of items that are no pictures. Texts go in as textContent only.
const roteRows = (() => {
  const make = (tag, name, text) => {
    const node = document.createElement(tag);
    if (name) node.className = name;
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const svgNode = (tag, attributes) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };
  // Shares of a column's range: the same to the eye, near, apart, far. A wrong category is far.
  const STEPS = [[0.002, ""], [0.05, "near"], [0.2, "apart"], [Infinity, "far"]];
  const mark = (share) => STEPS.find(([most]) => share <= most)[1];

  // A row of a table, one line per column; what differs from the generated row is marked.
  function table(set, row) {
    const { columns, cells, apart } = set.table;
    const box = make("div", "row-scroll");
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", `Columns of generated row ${set.index[row]}, its nearest and second nearest`);
    const node = make("table", "row-table");
    const head = make("tr");
    head.append(make("th", "text", "column"), make("th", "", "generated"),
      make("th", "", `nearest #${set.nearest[row]}`), make("th", "", "second"));
    const body = make("tbody");
    columns.forEach((name, j) => {
      const line = make("tr");
      const title = make("th", "text");
      title.scope = "row";
      title.append(make("bdi", "", name));
      line.append(title);
      [0, 1, 2].forEach((side) => {
        const cell = make("td", side === 0 ? "own-cell" : mark(apart[row][side - 1][j]));
        cell.append(make("bdi", "", cells[row][side][j]));
        if (side) cell.title = `${+(100 * apart[row][side - 1][j]).toPrecision(2)} % of the column's range`;
        line.append(cell);
      });
      body.append(line);
    });
    const top = make("thead");
    top.append(head);
    node.append(top, body);
    box.append(node);
    return box;
  }

  // A series as a line per channel, all on one scale; behind a training series lies the generated one.
  function lines(set, row, side) {
    const { values, at, times, low, high } = set.series;
    const svg = svgNode("svg", { viewBox: "0 0 300 80", preserveAspectRatio: "none", class: "lines" });
    const path = (points) => points.map((value, n) => {
      const x = times > 1 ? (300 * at[n]) / (times - 1) : 150;
      return `${n ? "L" : "M"}${x.toFixed(1)} ${(77 - (74 * (value - low)) / (high - low || 1)).toFixed(1)}`;
    }).join("");
    if (low < 0 && high > 0) {
      const zero = 77 + (74 * low) / (high - low);
      svg.append(svgNode("path", { d: `M0 ${zero}H300`, class: "zero" }));
    }
    if (side) values[row][0].forEach((points) => svg.append(svgNode("path", { d: path(points), class: "behind" })));
    values[row][side].forEach((points, channel) =>
      svg.append(svgNode("path", { d: path(points), class: `line line-${channel % 3}` })));
    return svg;
  }

  // What a note says of what is left out.
  function omitted(set) {
    if (set.vectors && set.vectors.columns > (set.vectors.values[0]?.[0].length ?? 0)) {
      return `the first ${set.vectors.values[0][0].length} of ${set.vectors.columns} columns are drawn`;
    }
    if (set.series && set.series.channels > (set.series.values[0]?.[0].length ?? 0)) {
      return `the first ${set.series.values[0][0].length} of ${set.series.channels} channels are drawn`;
    }
    if (set.table) return "shaded cells differ from the generated row: the stronger, the more of the column's range";
    return "";
  }

  return { make, svgNode, table, lines, omitted };
})();
