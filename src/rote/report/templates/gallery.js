"use strict";
// The gallery: cards of generated, nearest and second nearest. At the threshold of the files verdicts, rate
// and interval are theirs; another threshold recounts live over ALL generated images, not only over those
// that have a card. Texts go in as textContent only.
const roteGallery = (() => {
  const data = JSON.parse(document.getElementById("gallery-data").textContent);
  const get = (id) => document.getElementById(id);
  const PAGE = window.matchMedia("(max-width: 46rem)").matches ? 12 : 24;
  const LIST_PAGE = 50;
  const LISTED_GROUPS = 20;
  const TILE = 96; // CSS pixels a tile may have, at a whole multiple of its own
  const BINS = 38;
  const { GAIN } = roteViewer; // viewer.js stands before this file
  const CHIPS = { memorized: "copy", collapsed: "twin", novel: "new" };
  // What is not flagged may be a copy of a kind that no ruler here sees.
  const TOLD = { memorized: "memorized", collapsed: "collapsed", novel: "no copy seen" };
  // What is kept in the address, as the page opens; `pair` is the generated item that is shown large.
  const START = {
    set: data.chosen, threshold: data.threshold, verdict: "all", order: "ratio",
    label: "all", kind: "all", group: "all", find: "", difference: false, pair: "",
  };
  const state = { ...START, pages: 1, listed: 1 };
  const sheets = new Map();

  const { make, svgNode } = roteRows;  // gallery_rows.js stands before this file
  const integer = (value) => value.toLocaleString("en-US");

  const bytesOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

  // Little-endian float64, read as such on any machine; verdicts are bits, the first the highest.
  function decode(set) {
    if (set.values_ === undefined) {
      const view = new DataView(bytesOf(set.ratios).buffer);
      const bits = bytesOf(set.memorized);
      set.stored_ = (n) => Boolean(bits[n >> 3] & (128 >> (n & 7)));
      set.values_ = Float64Array.from({ length: set.total }, (_, n) => view.getFloat64(8 * n, true));
      set.sorted_ = set.values_.slice().sort();
      // Rows beyond the pictures are told about in a list.
      set.items_ = set.index.map((index, row) => ({
        row, index, ratio: set.values_[index], pictured: row < set.pictures,
      }));
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
    const count = isDefault() ? set.rate.count : countBelow(set.sorted_, state.threshold);
    const [low, high] = isDefault() ? [set.rate.low, set.rate.high] : wilson(count, set.total);
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
  const isMemorized = (set, index, ratio) =>
    isDefault() ? set.stored_(index) : ratio < state.threshold;
  const verdictOf = (set, { row, index, ratio }) =>
    isMemorized(set, index, ratio) ? "memorized" : set.repeated[row] ? "collapsed" : "novel";

  // A choice is a word, or a word and a number such as "group 17".
  function isWanted(set, row) {
    const { label, kind, group } = state;
    if (!isFound(set, row)) return false;
    if (label !== "all" && set.labels[row] !== Number(label)) return false;
    if (kind !== "all" && set.kinds[row] !== Number(kind)) return false;
    const [word, number] = group.split(" ");
    switch (word) {
      case "repeated": return Boolean(set.repeated[row]);
      case "duplicated": return set.groups[row] in set.duplicated;
      case "group": return set.groups[row] === Number(number);
      case "twin": return set.twins[row] === Number(number);
      case "nearest": return set.nearest[row] === Number(number);
      default: return true;
    }
  }

  // By a part of either file's name, whatever its case, or by a number such as #12.
  function isFound(set, row) {
    const wanted = state.find.trim().toLowerCase();
    if (!wanted) return true;
    if (wanted.replace("#", "") === String(set.index[row])) return true;
    return nameOf(set, row, 0).toLowerCase().includes(wanted) || nameOf(set, row, 1).toLowerCase().includes(wanted);
  }

  const nameOf = (set, row, side) => set.names?.[row][side] || `#${side ? set.nearest[row] : set.index[row]}`;
  const named = (set, a, b, side) => nameOf(set, a.row, side).localeCompare(nameOf(set, b.row, side), "en", { numeric: true });

  // Each also with a - before it: the other way round.
  const ORDERS = {
    index: (set, a, b) => a.index - b.index,
    ratio: (set, a, b) => a.ratio - b.ratio,
    name: (set, a, b) => named(set, a, b, 0),
    nearest: (set, a, b) => named(set, a, b, 1),
    verdict: (set, a, b) => a.verdict.localeCompare(b.verdict),
    label: (set, a, b) => set.labels[a.row] - set.labels[b.row],
    kind: (set, a, b) => set.kinds[a.row] - set.kinds[b.row],
    group: (set, a, b) => set.groups[a.row] - set.groups[b.row],
    twin: (set, a, b) => set.twins[a.row] - set.twins[b.row],
  };

  function visible(set) {
    const kept = set.items_
      .map((item) => ({ ...item, verdict: verdictOf(set, item) }))
      .filter(({ row, verdict }) =>
        (state.verdict === "all" || verdict === state.verdict) && isWanted(set, row));
    const order = ORDERS[state.order.replace("-", "")], way = state.order.startsWith("-") ? -1 : 1;
    return kept.sort((a, b) => way * order(set, a, b) || a.ratio - b.ratio || a.index - b.index);
  }

  // Where a tile lies in its sheet: rows stand below each other, then further right.
  const place = (set, row, side) => [
    (Math.floor(row / set.per) * set.columns + side) * set.width, (row % set.per) * set.height];

  // One decoded picture per set, fetched from the page itself.
  function sheet(set) {
    if (!sheets.has(set)) {
      const picture = new Image();
      picture.src = set.sprite;
      sheets.set(set, picture.decode().then(() => picture));
    }
    return sheets.get(set);
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
      if (side === "difference") {
        const [mirrored, down, right] = set.moves?.[row] ?? [0, 0, 0];
        const [x, y] = place(set, row, 0);
        roteViewer.difference(canvas, picture, { ...set, x, y, next: x + set.width, gap: "#ffffff28" },
          [mirrored, Math.round(down / set.factor), Math.round(right / set.factor)]);
      } else context.drawImage(picture, ...place(set, row, side), set.width, set.height,
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
    if (set.table) {
      item.classList.add("with-table");
      item.append(roteRows.table(set, row), ...told(set, row, ratio, verdict));
      return item;
    }
    const flat = set.vectors || set.series;
    const tiles = make(flat ? "div" : "button", flat ? "tiles rows" : "tiles");
    const text = `Generated number ${index}, its nearest training sample ${set.nearest[row]}, and ${state.difference ? `their difference, ${GAIN} times as strong` : "the second nearest"}`;
    if (flat) tiles.setAttribute("role", "img");
    else {
      Object.assign(tiles, { type: "button", title: "Show this pair large" });
      tiles.dataset.row = row;
      tiles.addEventListener("click", () => enlarge(set, row));
    }
    tiles.setAttribute("aria-label", flat ? text : `${text}: show large`);
    const third = state.difference ? ["difference", `difference × ${GAIN}`] : [2, "second"];
    [[0, "generated"], [1, `nearest #${set.nearest[row]}`], third].forEach(([side, caption]) => {
      const figure = make("div", `tile ${side === 0 ? "own" : ""}`);
      const drawn = set.vectors ? bars : set.series ? roteRows.lines : tile;
      figure.append(drawn(set, row, side), make("span", "caption num", caption));
      tiles.append(figure);
    });
    item.append(tiles, ...told(set, row, ratio, verdict));
    return item;
  }

  // The pair, and all others that are wanted around it.
  function enlarge(set, row, opener = null) {
    const rows = visible(set).filter((item) => item.pictured);
    const facts = (item) => told(set, item.row, item.ratio, item.verdict);
    const moved = (item) => { state.pair = item ? String(item.index) : ""; remember(); };
    roteViewer.open(set, rows, rows.findIndex((item) => item.row === row), { facts, sheet, place, moved, opener });
  }

  // The verdict, and what is known of the pair beside the distances.
  function told(set, row, ratio, verdict) {
    const facts = make("p", "tile-facts");
    facts.append(
      make("span", `chip ${CHIPS[verdict]}`, TOLD[verdict]),
      make("span", "soft", "ratio"),
      make("span", "num strong", ratio.toFixed(3)),
    );
    const text = matchText(set, row);
    if (!text) return [facts];
    const match = make("p", "match soft");
    match.append(make("bdi", "", text));
    match.title = text;
    return [facts, match];
  }

  const labelText = (set, row) =>
    set.labels[row] < 0 ? "" : (data.classes[set.labels[row]] ?? String(set.labels[row]));
  const kindText = (set, row) =>
    set.kinds ? (data.kinds[set.kinds[row]] ?? String(set.kinds[row])) : "";

  // Label, transform, and the names of the files where they say more than a number.
  function matchText(set, row) {
    const [own, near] = set.names?.[row] ?? ["", ""];
    const [mirrored, down, right] = set.moves?.[row] ?? [0, 0, 0];
    const parts = [];
    const asked = labelText(set, row);
    if (asked) parts.push(`label ${asked}`);
    if (own) parts.push(own);
    if (near) parts.push(`nearest ${near}`);
    const [prompt, trained] = set.captions?.[row] ?? ["", ""];
    if (prompt) parts.push(`caption “${prompt}”`);
    if (trained) parts.push(prompt === trained ? "trained with the same caption" : `trained with “${trained}”`);
    if (mirrored) parts.push("matched mirrored");
    if (down || right) parts.push(`matched ${down} down, ${right} right`);
    return parts.join(" · ");
  }

  // All that match and have no picture, some at a time; made only when somebody looks.
  function list(set, rows) {
    const box = get("rest");
    if (!box) return;
    box.hidden = rows.length === 0;
    get("rest-count").textContent = `${integer(rows.length)} more shown by this filter, without ${rows.length === 1 ? "a picture" : "pictures"} here`;
    if (state.find && rows.length) box.open = true;
    for (const head of box.querySelectorAll("th[data-order]")) {
      head.ariaSort = { [head.dataset.order]: "ascending", [`-${head.dataset.order}`]: "descending" }[state.order] ?? null;
    }
    const shown = box.open ? rows.slice(0, state.listed * LIST_PAGE) : [];
    get("rest-rows").replaceChildren(...shown.map((item) => line(set, item)));
    const left = rows.length - shown.length;
    get("rest-more").hidden = left === 0;
    get("rest-more").textContent = `Show more (${integer(left)} left)`;
  }

  function line(set, { row, ratio, verdict }) {
    const tr = make("tr");
    const cell = (name, child) => {
      const td = make("td", name);
      td.append(child);
      tr.append(td);
    };
    cell("text name", make("bdi", "", nameOf(set, row, 0)));
    cell("text", make("span", `chip ${CHIPS[verdict]}`, TOLD[verdict]));
    cell("num", ratio.toFixed(3));
    cell("text name", make("bdi", "", nameOf(set, row, 1)));
    if (set.kinds) cell("text", make("bdi", "", kindText(set, row)));
    if (has.labels) cell("text", make("bdi", "", labelText(set, row)));
    return tr;
  }

  function note(set, shown, all) {
    const parts = [all === shown
      ? `${integer(shown)} of ${integer(set.pictures)} cards shown by this filter`
      : `${integer(all)} shown by this filter, ${integer(shown)} of them ${shown === 1 ? "has" : "have"} pictures here`];
    if (set.pictures < set.total) parts.push(`pictures are of the lowest ratios, an even spread over the rest of all ${integer(set.total)}${set.twins ? ", and some of every group listed below" : ""}; the recount uses every one`);
    if (set.factor > 1) parts.push(`pictures are shown ${+set.factor.toFixed(1)} times smaller than measured`);
    if (set.large) parts.push(`${integer(set.large.count)} pairs can be seen larger, from ${set.large.folder} beside this page`);
    const omitted = roteRows.omitted(set);
    if (omitted) parts.push(omitted);
    get("gallery-note").textContent = `${parts.join("; ")}.`;
  }

  function draw() {
    const set = decode(data.sets[state.set]);
    recount(set);
    histogram(set);
    const all = visible(set);
    const rows = all.filter((item) => item.pictured);
    const shown = rows.slice(0, state.pages * PAGE);
    note(set, rows.length, all.length);
    get("cards").replaceChildren(...shown.map((row) => card(set, row)));
    const left = rows.length - shown.length;
    get("more").hidden = left === 0;
    get("more").textContent = `Show more (${integer(left)} left)`;
    list(set, all.filter((item) => !item.pictured));
  }

  // The address tells what differs from the page as it opens.
  function remember() {
    const kept = (name) => (state[name] === START[name] ? "" : String(state[name]));
    roteLink.write(() => Object.fromEntries(Object.keys(START).map((name) => [name, kept(name)])));
  }

  // Every change of what is wanted starts again at the first page.
  function change(values) {
    Object.assign(state, values, { pages: 1, listed: 1 });
    remember();
    draw();
  }

  const choose = (number) => { change({ set: number }); mirror(); };

  // The controls say what the state is.
  function mirror() {
    document.querySelectorAll("#gallery-sets input")[state.set].checked = true;
    document.querySelector(`#verdicts input[value=${state.verdict}]`).checked = true;
    get("threshold").value = String(state.threshold);
    for (const name of ["find", "order", "label", "kind", "group"]) {
      const control = get({ find: "find", order: "order" }[name] ?? `only-${name}`);
      if (control) control.value = state[name];
    }
    if (get("difference")) get("difference").checked = state.difference;
  }

  // What a link asks for, where this page has it; anything else stays as the page opens.
  function follow() {
    const asked = roteLink.read();
    if (!asked) return;
    const wanted = { ...START, ...asked };
    const known = (id, value) => [...(get(id)?.options ?? [])].some((node) => node.value === value);
    wanted.set = data.sets[asked.set] ? Number(asked.set) : START.set;
    const threshold = Number(asked.threshold);
    wanted.threshold = threshold > 0 && threshold <= 1 ? threshold : START.threshold;
    wanted.difference = asked.difference === "true" && Boolean(get("difference"));
    if (!(wanted.verdict in { all: 1, ...CHIPS })) wanted.verdict = START.verdict;
    if (/^(group|twin|nearest) \d+$/.test(wanted.group)) offerOne(wanted.group, wanted.group);
    if (wanted.order.replace("-", "") in ORDERS) offerOrder(wanted.order);
    for (const name of ["order", "label", "kind", "group"]) {
      if (!known(name === "order" ? name : `only-${name}`, wanted[name])) wanted[name] = START[name];
    }
    Object.assign(state, Object.fromEntries(Object.keys(START).map((name) => [name, wanted[name]])), { pages: 1, listed: 1 });
    const set = decode(data.sets[state.set]);
    const item = state.pair && set.items_.find(({ index }) => String(index) === state.pair);
    const large = item && item.pictured && set.sprite;
    if (item && !large) state.find = `#${item.index}`;
    if (!large) state.pair = "";
    mirror();
    draw();
    const opener = document.activeElement?.closest(".worst a"); // of the first screen: stay there
    if (!(opener && large)) get("gallery-panel").scrollIntoView();
    if (large) enlarge(set, item.row, opener);
  }

  data.sets.forEach((set, n) => {
    const label = make("label");
    const input = make("input");
    Object.assign(input, { type: "radio", name: "set", value: String(n), checked: n === state.set });
    input.addEventListener("change", () => change({ set: n }));
    label.append(input, make("span", "num", set.name));
    get("gallery-sets").append(label);
  });
  // The choices: only those that this data has. Texts are option texts, never markup.
  const has = {
    labels: data.sets.some((set) => set.labels.some((n) => n >= 0)),
    kinds: data.sets.some((set) => set.kinds),
  };
  const option = (value, text) => Object.assign(make("option", "", text), { value });

  function offer(name, options) {
    const select = get(`only-${name}`);
    if (!select || options.length < 2) return;
    select.append(option("all", "all"), ...options);
    get(`only-${name}-label`).hidden = false;
    select.addEventListener("change", () => change({ [name]: select.value }));
  }

  function numbers(name, names) {
    const found = new Set(data.sets.flatMap((set) => set[name] ?? []));
    return [...found].filter((n) => n >= 0).sort((a, b) => a - b).map((n) => option(n, names[n] ?? String(n)));
  }

  // The groups that most of the images shown belong to, the largest first.
  function largest(set, word, column, wanted, text) {
    const counts = new Map();
    (column ?? []).forEach((n, row) => { if (wanted(n, row)) counts.set(n, (counts.get(n) ?? 0) + 1); });
    return [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, LISTED_GROUPS)
      .map(([n, count]) => option(`${word} ${n}`, text(n, count)));
  }

  function offerGroups(set) {
    const near = largest(set, "group", set.groups, (n) => n in (set.duplicated ?? {}),
      (n, count) => `group ${n}: ${integer(set.duplicated[n])} in training, ${integer(count)} generated`);
    const own = largest(set, "twin", set.twins, (n, row) => set.repeated[row],
      (n, count) => `group ${n}: ${integer(count)} generated`);
    const groups = [["Nearest in a training group", near], ["Repeated generated ones", own]]
      .filter(([, options]) => options.length)
      .map(([label, options]) => {
        const node = make("optgroup");
        node.label = label;
        node.append(...options);
        return node;
      });
    const any = [];
    if (data.sets.some((one) => one.repeated.includes(1))) any.push(option("repeated", "any that is repeated"));
    if (near.length) any.push(option("duplicated", "any whose nearest has duplicates"));
    offer("group", any.length ? [...any, ...groups, ""] : []);
  }

  // From elsewhere on the page: show the images of a group, or near one training image.
  function only(group, text) {
    offerOne(group, text);
    change({ group, label: "all", kind: "all", verdict: "all", find: "" });
    mirror();
  }

  function offerOne(group, text) {
    const select = get("only-group");
    if (!select) return;
    if (![...select.options].some((node) => node.value === group)) select.append(option(group, text));
    get("only-group-label").hidden = false;
  }

  function offerOrder(order) {
    const select = get("order");
    if ([...select.options].some((node) => node.value === order)) return;
    const same = [...select.options].find((node) => node.value === order.replace("-", ""));
    if (same) select.append(option(order, `${same.textContent}, last first`));
  }

  function setOrder(order) {
    offerOrder(order);
    change({ order });
    mirror();
  }

  // All that match, also those without a picture or not yet shown.
  function save() {
    const set = data.sets[state.set];
    const rows = visible(set).map(({ row, index, ratio, verdict }) => [index, nameOf(set, row, 0), TOLD[verdict], ratio,
      set.nearest[row], nameOf(set, row, 1), labelText(set, row), kindText(set, row)]);
    const head = ["generated", "name", "verdict", "ratio", "nearest", "nearest name", "label", "nearest's class"];
    roteTables.save("pairs.csv", roteTables.csv([head, ...rows]), "text/csv");
  }

  offer("label", numbers("labels", data.classes));
  offer("kind", numbers("kinds", data.kinds));
  offerGroups(data.sets[0]);
  for (const node of get("order").querySelectorAll("[data-needs]")) {
    if (!data.sets.some((set) => set[node.dataset.needs]?.some((n) => n >= 0))) node.remove();
  }
  get("difference")?.addEventListener("change", () => change({ difference: get("difference").checked }));
  const slider = get("threshold");
  slider.value = String(data.threshold);
  slider.addEventListener("input", () => change({ threshold: Number(slider.value) }));
  get("threshold-reset").addEventListener("click", () => {
    slider.value = String(data.threshold);
    change({ threshold: data.threshold });
    slider.focus();
  });
  for (const input of document.querySelectorAll("#verdicts input")) {
    input.addEventListener("change", () => change({ verdict: input.value }));
  }
  get("order").addEventListener("change", () => change({ order: get("order").value }));
  get("find").addEventListener("input", () => change({ find: get("find").value }));
  get("gallery-csv").addEventListener("click", save);
  for (const button of document.querySelectorAll("#rest th[data-order] .sort")) {
    const { order } = button.parentElement.dataset;
    button.addEventListener("click", () => setOrder(state.order === order ? `-${order}` : order));
  }
  get("more").addEventListener("click", () => { state.pages += 2; draw(); });
  get("rest")?.addEventListener("toggle", draw);
  get("rest-more")?.addEventListener("click", () => { state.listed += 2; draw(); });

  const small = (canvas, row, size) => paint(canvas, data.small, row, 0, size);
  const disputed = (canvas, row, side) => paint(canvas, data.disputed, row, side, 64);
  addEventListener("hashchange", follow);
  return { draw, choose, only, follow, small, disputed };
})();
