"use strict";
// The gallery: cards of generated, nearest and second nearest; a threshold that recounts live over
// ALL generated images, not only over those that have a card. Texts go in as textContent only.
const roteGallery = (() => {
  const data = JSON.parse(document.getElementById("gallery-data").textContent);
  const get = (id) => document.getElementById(id);
  const PAGE = 24;
  const TILE = 96; // CSS pixels a tile may have, at a whole multiple of its own
  const BINS = 38;
  const GAIN = 4; // how much stronger than it is a difference is shown
  const CHIPS = { memorized: "copy", collapsed: "twin", novel: "new" };
  const state = {
    set: data.chosen, threshold: data.threshold, verdict: "all", only: "all", order: "ratio",
    difference: false, pages: 1,
  };
  const sheets = new Map();

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
  const integer = (value) => value.toLocaleString("en-US");

  // Little-endian float64, read as such on any machine.
  function decode(set) {
    if (set.values_ === undefined) {
      const bytes = Uint8Array.from(atob(set.ratios), (c) => c.charCodeAt(0));
      const view = new DataView(bytes.buffer);
      set.values_ = Float64Array.from({ length: set.total }, (_, n) => view.getFloat64(8 * n, true));
      set.sorted_ = set.values_.slice().sort();
    }
    return set;
  }

  // How many ratios lie strictly below the threshold.
  function countBelow(sorted, threshold) {
    let low = 0, high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle] < threshold) low = middle + 1; else high = middle;
    }
    return low;
  }

  function wilson(count, total) {
    const z = data.z, p = count / total, n = 1 + (z * z) / total;
    const center = (p + (z * z) / (2 * total)) / n;
    const half = (z / n) * Math.sqrt((p * (1 - p)) / total + (z / (2 * total)) ** 2);
    return [count === 0 ? 0 : center - half, count === total ? 1 : center + half];
  }

  // One more decimal below 1 in 100; never rounding a miss to certainty.
  const decimals = (rate) => (rate < 0.01 ? 4 : 3);

  function rateText(rate) {
    const text = rate.toFixed(rate === 0 ? 3 : decimals(rate));
    const misleading = (+text === 0 && rate > 0) || (+text === 1 && rate < 1);
    return misleading ? String(+rate.toPrecision(4)) : text;
  }

  const isDefault = () => state.threshold === data.threshold;
  const label = () =>
    isDefault() && Math.abs(data.threshold - 1 / 3) < 1e-12 ? "1/3" : String(+state.threshold.toFixed(3));

  function recount(set) {
    const count = countBelow(set.sorted_, state.threshold);
    const [low, high] = wilson(count, set.total);
    const rate = count / set.total;
    get("threshold-value").textContent = label();
    get("threshold").setAttribute("aria-valuetext", label());
    get("threshold-reset").hidden = isDefault();
    get("recount-rate").textContent = rateText(rate);
    get("recount-interval").textContent = [low, high].map((end) => end.toFixed(decimals(rate))).join(" to ");
    get("recount-count").textContent = `${integer(count)} of ${integer(set.total)} generated`;
    Object.assign(get("recount").dataset, { count, total: set.total, rate, low, high });
  }

  // Bars of all ratios above the slider's own scale; what lies below 0.05 is in the first bar.
  function histogram(set) {
    const bins = new Array(BINS).fill(0);
    const start = 0.05, width = (1 - start) / BINS;
    for (const ratio of set.values_) {
      bins[Math.min(BINS - 1, Math.max(0, Math.floor((ratio - start) / width)))] += 1;
    }
    const top = Math.sqrt(Math.max(...bins, 1)); // square roots keep small bars in sight
    const step = 950 / BINS;
    get("histogram").replaceChildren(...bins.map((count, n) => {
      const height = count ? Math.max(2, (86 * Math.sqrt(count)) / top) : 0;
      const below = start + (n + 0.5) * width < state.threshold;
      return svgNode("rect", {
        x: n * step + 1.5, y: 90 - height, width: step - 3, height, rx: 2,
        class: below ? "bin-copy" : "bin-new",
      });
    }));
  }

  // Collapsed: no copy, but with a double among the generated ones.
  const verdictOf = (set, row, ratio) =>
    ratio < state.threshold ? "memorized" : set.repeated[row] ? "collapsed" : "novel";

  function isWanted(set, row) {
    const [kind, value] = state.only.split(" ");
    if (kind === "label") return set.labels[row] === Number(value);
    return kind === "repeated" ? Boolean(set.repeated[row]) : true;
  }

  function visible(set) {
    const rows = set.index.map((index, row) => {
      const ratio = set.values_[index];
      return { row, index, ratio, verdict: verdictOf(set, row, ratio) };
    });
    const kept = rows.filter(({ row, verdict }) =>
      (state.verdict === "all" || verdict === state.verdict) && isWanted(set, row));
    const sign = state.order === "-ratio" ? -1 : 1;
    kept.sort((a, b) =>
      (state.order === "index" ? 0 : sign * (a.ratio - b.ratio)) || a.index - b.index);
    return kept;
  }

  // One decoded picture per set, fetched from the page itself.
  function sheet(set) {
    if (!sheets.has(set)) {
      const picture = new Image();
      picture.src = set.sprite;
      sheets.set(set, picture.decode().then(() => picture));
    }
    return sheets.get(set);
  }

  function part(picture, set, row, side) {
    const canvas = make("canvas");
    canvas.width = set.width;
    canvas.height = set.height;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(picture, side * set.width, row * set.height, set.width, set.height,
      0, 0, set.width, set.height);
    return context.getImageData(0, 0, set.width, set.height);
  }

  // |generated - nearest|, aligned by the transform under which the two match; white without overlap.
  function difference(picture, set, row) {
    const [mirrored, down, right] = set.moves?.[row] ?? [0, 0, 0];
    const dy = Math.round(down / set.factor), dx = Math.round(right / set.factor);
    const own = part(picture, set, row, 0), near = part(picture, set, row, 1);
    const result = new ImageData(set.width, set.height);
    for (let y = 0; y < set.height; y += 1) {
      for (let x = 0; x < set.width; x += 1) {
        const to = 4 * (y * set.width + x), v = y - dy, u = x - dx;
        const inside = v >= 0 && v < set.height && u >= 0 && u < set.width;
        const from = 4 * (v * set.width + (mirrored ? set.width - 1 - u : u));
        for (let k = 0; k < 3; k += 1) {
          result.data[to + k] = inside ? Math.min(255, GAIN * Math.abs(own.data[from + k] - near.data[to + k])) : 255;
        }
        result.data[to + 3] = inside ? 255 : 40;
      }
    }
    return result;
  }

  function fit(canvas, set, size) {
    canvas.width = set.width;
    canvas.height = set.height;
    const scale = Math.max(1, Math.floor(size / set.width));
    canvas.style.width = `${Math.min(set.width * scale, Math.max(size, TILE))}px`;
    if (scale > 1 || set.width <= size) canvas.classList.add("crisp");
  }

  function paint(canvas, set, row, side, size = TILE) {
    fit(canvas, set, size);
    return sheet(set).then((picture) => {
      const context = canvas.getContext("2d");
      if (side === "difference") context.putImageData(difference(picture, set, row), 0, 0);
      else context.drawImage(picture, side * set.width, row * set.height, set.width, set.height,
        0, 0, set.width, set.height);
    });
  }

  function tile(set, row, side) {
    const canvas = make("canvas");
    paint(canvas, set, row, side).catch((error) => console.error(error));
    return canvas;
  }

  // A vector as bars around zero, all three of a card on one scale.
  function bars(set, row, side) {
    const values = set.vectors.values[row][side];
    const { largest } = set.vectors;
    const svg = svgNode("svg", { viewBox: `0 0 ${values.length * 10} 60`, preserveAspectRatio: "none", class: "bars" });
    svg.append(svgNode("path", { d: `M0 30H${values.length * 10}`, class: "zero" }));
    values.forEach((value, n) => {
      const height = (28 * Math.abs(value)) / largest;
      svg.append(svgNode("rect", { x: n * 10 + 1, y: value < 0 ? 30 : 30 - height, width: 8, height }));
    });
    return svg;
  }

  function card(set, { row, index, ratio, verdict }) {
    const item = make("li", `tile-card is-${CHIPS[verdict]}`);
    Object.assign(item.dataset, { index, ratio, verdict });
    const tiles = make("div", set.vectors ? "tiles rows" : "tiles");
    tiles.setAttribute("role", "img");
    tiles.setAttribute("aria-label",
      `Generated number ${index}, its nearest training sample ${set.nearest[row]}, and ${state.difference ? `their difference, ${GAIN} times as strong` : "the second nearest"}`);
    const third = state.difference ? ["difference", `difference × ${GAIN}`] : [2, "second"];
    [[0, "generated"], [1, `nearest #${set.nearest[row]}`], third].forEach(([side, caption]) => {
      const figure = make("div", `tile ${side === 0 ? "own" : ""}`);
      figure.append(set.vectors ? bars(set, row, side) : tile(set, row, side), make("span", "caption num", caption));
      tiles.append(figure);
    });
    const facts = make("p", "tile-facts");
    facts.append(
      make("span", `chip ${CHIPS[verdict]}`, verdict),
      make("span", "soft", "ratio"),
      make("span", "num strong", ratio.toFixed(3)),
    );
    const asked = set.labels[row];
    if (asked >= 0) {
      const name = make("bdi", "soft asked", `label ${data.classes[asked] ?? asked}`);
      name.title = "the label that was asked for";
      facts.append(name);
    }
    item.append(tiles, facts);
    const text = matchText(set, row);
    if (text) {
      const match = make("p", "match soft");
      match.append(make("bdi", "", text));
      match.title = text;
      item.append(match);
    }
    return item;
  }

  // The names of the files, where they say more than a number, and the transform of the match.
  function matchText(set, row) {
    const [own, near] = set.names?.[row] ?? ["", ""];
    const [mirrored, down, right] = set.moves?.[row] ?? [0, 0, 0];
    const parts = [];
    if (own && !/^#\d+$/.test(own)) parts.push(own);
    if (near && !/^#\d+$/.test(near)) parts.push(`nearest ${near}`);
    if (mirrored) parts.push("matched mirrored");
    if (down || right) parts.push(`matched ${down} down, ${right} right`);
    return parts.join(" · ");
  }

  function note(set, shown) {
    const parts = [`${integer(shown)} of ${integer(set.index.length)} cards match`];
    if (set.index.length < set.total) parts.push(`cards are the lowest ratios and an even spread over the rest of all ${integer(set.total)}; the recount uses every one`);
    if (set.factor > 1) parts.push(`pictures are shown ${set.factor} times smaller than measured`);
    if (set.vectors && set.vectors.columns > set.vectors.values[0]?.[0].length) parts.push(`the first ${set.vectors.values[0][0].length} of ${set.vectors.columns} columns are drawn`);
    get("gallery-note").textContent = `${parts.join("; ")}.`;
  }

  function draw() {
    const set = decode(data.sets[state.set]);
    recount(set);
    histogram(set);
    const rows = visible(set);
    const shown = rows.slice(0, state.pages * PAGE);
    note(set, rows.length);
    get("cards").replaceChildren(...shown.map((row) => card(set, row)));
    const left = rows.length - shown.length;
    get("more").hidden = left === 0;
    get("more").textContent = `Show more (${integer(left)} left)`;
  }

  function choose(number) {
    state.set = number;
    state.pages = 1;
    document.querySelectorAll("#gallery-sets input")[number].checked = true;
    draw();
  }

  function setThreshold(value) {
    state.threshold = value;
    draw();
  }

  data.sets.forEach((set, n) => {
    const option = make("label");
    const input = make("input");
    Object.assign(input, { type: "radio", name: "set", value: String(n), checked: n === state.set });
    input.addEventListener("change", () => choose(n));
    option.append(input, make("span", "num", set.name));
    get("gallery-sets").append(option);
  });
  const twins = data.sets.some((set) => set.repeated.includes(1));
  const asked = [...new Set(data.sets.flatMap((set) => set.labels))].filter((n) => n >= 0).sort((a, b) => a - b);
  if (get("only") && (twins || asked.length > 1)) {
    const options = [["all", "everything"], ...(twins ? [["repeated", "repeated ones"]] : [])];
    if (asked.length > 1) options.push(...asked.map((n) => [`label ${n}`, `label ${data.classes[n] ?? n}`]));
    get("only").append(...options.map(([value, text]) => Object.assign(make("option", "", text), { value })));
    get("only-label").hidden = false;
    get("only").addEventListener("change", () => { state.only = get("only").value; state.pages = 1; draw(); });
  }
  get("difference")?.addEventListener("change", () => { state.difference = get("difference").checked; draw(); });
  const slider = get("threshold");
  slider.value = String(data.threshold);
  slider.addEventListener("input", () => setThreshold(Number(slider.value)));
  get("threshold-reset").addEventListener("click", () => {
    slider.value = String(data.threshold);
    setThreshold(data.threshold);
    slider.focus();
  });
  for (const input of document.querySelectorAll("#verdicts input")) {
    input.addEventListener("change", () => { state.verdict = input.value; state.pages = 1; draw(); });
  }
  get("order").addEventListener("change", () => { state.order = get("order").value; state.pages = 1; draw(); });
  get("more").addEventListener("click", () => { state.pages += 2; draw(); });

  const thumb = (canvas, row, side, size) => paint(canvas, data.sets[0], row, side, size);
  return { draw, choose, thumb };
})();
