/* The moving pictures of the docs: reads the JSON beside each figure and draws it as SVG.
 *
 * A figure is a list of layers over two axes, and one or two sliders. A layer has "data", which stays, or
 * "frames", one for each position of the sliders named in "by" (all of them by default). Everything was
 * computed beforehand by docs/figures/draw.py; nothing is computed here but where it goes on the screen.
 */
(() => {
  "use strict";
  const NS = "http://www.w3.org/2000/svg";
  const WIDTH = 640, LEFT = 72, RIGHT = 16, TOP = 12, BOTTOM = 48;
  const SHAPES = {
    training: "circle", sample: "cross", held: "square", accent: "diamond", second: "triangle", quiet: "circle",
  };

  const element = (name, attributes, parent) => {
    const made = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (parent) parent.append(made);
    return made;
  };

  const html = (name, parent, attributes = {}, text = "") => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text) made.textContent = text;
    parent.append(made);
    return made;
  };

  const path = (shape, x, y, r) => {
    if (shape === "cross") return `M${x - r},${y - r}L${x + r},${y + r}M${x - r},${y + r}L${x + r},${y - r}`;
    if (shape === "square") return `M${x - r},${y - r}h${2 * r}v${2 * r}h${-2 * r}z`;
    if (shape === "diamond") return `M${x},${y - 1.3 * r}L${x + 1.3 * r},${y}L${x},${y + 1.3 * r}L${x - 1.3 * r},${y}z`;
    if (shape === "triangle") return `M${x},${y - 1.2 * r}L${x + 1.1 * r},${y + 0.8 * r}L${x - 1.1 * r},${y + 0.8 * r}z`;
    return `M${x - r},${y}a${r},${r} 0 1 0 ${2 * r},0a${r},${r} 0 1 0 ${-2 * r},0`;
  };

  const marks = {
    dots: (g, layer, row, at) => {
      const [x, y] = at(row), attributes = { class: "mark", d: path(SHAPES[layer.color], x, y, row[2] ?? 4) };
      if (row[3] !== undefined) attributes.opacity = row[3];
      element("path", attributes, g);
    },
    lines: (g, layer, row, at) => {
      element("polyline", { class: "line", points: row.map((p) => at(p).join()).join(" ") }, g);
    },
    areas: (g, layer, row, at) => {
      element("polygon", { class: "area", points: row.map((p) => at(p).join()).join(" ") }, g);
    },
    segments: (g, layer, row, at) => {
      const [[a, b], [c, d]] = [at(row), at(row.slice(2))];
      element("line", { class: "line", x1: a, y1: b, x2: c, y2: d, ...(row[4] === undefined ? {} : { opacity: row[4] }) }, g);
    },
    arrows: (g, layer, row, at) => {
      const [[a, b], [c, d]] = [at(row), at(row.slice(2))];
      element("line", { class: "line", x1: a, y1: b, x2: c, y2: d }, g);
      const length = Math.hypot(c - a, d - b);
      if (length < 3) return;
      const [u, v] = [(c - a) / length, (d - b) / length], h = Math.min(5, length / 2);
      element("path", { class: "head", d: `M${c},${d}L${c - h * u + h * v / 2},${d - h * v - h * u / 2}L${c - h * u - h * v / 2},${d - h * v + h * u / 2}z` }, g);
    },
    discs: (g, layer, row, at, unit) => {
      const [x, y] = at(row);
      element("circle", { class: "area", cx: x, cy: y, r: row[2] * unit }, g);
    },
    words: (g, layer, row, at) => {
      const [x, y] = at(row);
      element("text", { class: "word", x, y, "text-anchor": row[3] ?? "middle" }, g).textContent = row[2];
    },
  };

  const axes = (svg, spec, at, height) => {
    const g = element("g", { class: "axes" }, svg);
    const [x0, x1] = spec.x.range, [y0, y1] = spec.y.range;
    for (const [value, text] of spec.x.ticks ?? []) {
      const [x, y] = at([value, y0]);
      element("line", { class: "grid", x1: x, y1: y, x2: x, y2: TOP }, g);
      element("text", { x, y: y + 16, "text-anchor": "middle" }, g).textContent = text;
    }
    for (const [value, text] of spec.y.ticks ?? []) {
      const [x, y] = at([x0, value]);
      element("line", { class: "grid", x1: x, y1: y, x2: WIDTH - RIGHT, y2: y }, g);
      element("text", { x: x - 6, y: y + 4, "text-anchor": "end" }, g).textContent = text;
    }
    const middle = at([(x0 + x1) / 2, y0]);
    if (spec.x.label) element("text", { class: "title", x: middle[0], y: height - 8, "text-anchor": "middle" }, g).textContent = spec.x.label;
    const side = at([x0, (y0 + y1) / 2]);
    if (spec.y.label) {
      const turned = { class: "title", transform: `translate(14,${side[1]}) rotate(-90)`, "text-anchor": "middle" };
      element("text", turned, g).textContent = spec.y.label;
    }
  };

  const legend = (figure, layers) => {
    const named = layers.filter((layer) => layer.name);
    if (!named.length) return;
    const list = html("ul", figure, { class: "legend" });
    for (const layer of named) {
      const item = html("li", list);
      const key = element("svg", { class: `layer ${layer.color}${layer.dashed ? " dashed" : ""}`, viewBox: "0 0 18 14", width: 18, height: 14, "aria-hidden": "true" });
      const drawn = {
        dots: [[9, 7]], lines: [[[1, 7], [17, 7]]], areas: [[[1, 2], [17, 2], [17, 12], [1, 12]]],
        segments: [[1, 7, 17, 7]], arrows: [[1, 7, 17, 7]], discs: [[9, 7, 6]], words: [],
      }[layer.mark];
      for (const row of drawn) marks[layer.mark](key, layer, row, (p) => [p[0], p[1]], 1);
      item.append(key, layer.name);
    }
  };

  const draw = (figure) => {
    const spec = JSON.parse(figure.querySelector("script").textContent);
    const [x0, x1] = spec.x.range, [y0, y1] = spec.y.range;
    const inner = WIDTH - LEFT - RIGHT;
    const tall = spec.equal ? (inner * (y1 - y0)) / (x1 - x0) : 320;
    const height = tall + TOP + BOTTOM;
    const unit = inner / (x1 - x0);
    const at = (p) => [
      Math.round(10 * (LEFT + (p[0] - x0) * unit)) / 10,
      Math.round(10 * (TOP + ((y1 - p[1]) * tall) / (y1 - y0))) / 10,
    ];
    const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": figure.dataset.alt, class: "picture" });
    figure.append(svg);
    axes(svg, spec, at, height);
    const clip = `clip-${figure.dataset.figure}`;
    element("rect", { x: LEFT, y: TOP, width: inner, height: tall }, element("clipPath", { id: clip }, svg));
    const groups = spec.layers.map((layer) => {
      const clipped = layer.mark === "words" ? {} : { "clip-path": `url(#${clip})` };
      return element("g", { class: `layer ${layer.color}${layer.dashed ? " dashed" : ""}`, ...clipped }, svg);
    });
    const inputs = [];
    const says = document.createElement("p");

    const frame = (by) => by.reduce((number, s) => number * spec.sliders[s].values.length + Number(inputs[s].value), 0);
    const all = spec.sliders.map((_, number) => number);
    const show = (first) => {
      spec.layers.forEach((layer, number) => {
        if (!layer.frames && !first) return;
        const rows = layer.frames ? layer.frames[frame(layer.by ?? all)] : layer.data;
        groups[number].replaceChildren();
        for (const row of rows) marks[layer.mark](groups[number], layer, row, at, unit);
      });
      inputs.forEach((input, number) => {
        const text = spec.sliders[number].values[input.value];
        input.setAttribute("aria-valuetext", text);
        input.parentElement.querySelector("output").textContent = text;
      });
      says.textContent = spec.says[frame(spec.by ?? all)];
    };

    const controls = html("div", figure, { class: "controls" });
    spec.sliders.forEach((slider) => {
      const label = html("label", controls);
      html("span", label, {}, slider.label);
      inputs.push(html("input", label, {
        type: "range", min: 0, max: slider.values.length - 1, step: 1, value: slider.start,
      }));
      html("output", label);
    });
    inputs.forEach((input) => input.addEventListener("input", () => show(false)));
    if (spec.sliders.length) play(controls, inputs[0], () => show(false));
    figure.append(says);
    says.className = "says";
    says.setAttribute("aria-live", "polite");
    legend(figure, spec.layers);
    show(true);
  };

  const play = (controls, input, show) => {
    const button = html("button", controls, { type: "button" }, "Play");
    let timer = null;
    const stop = () => {
      clearInterval(timer);
      timer = null;
      button.textContent = "Play";
    };
    button.addEventListener("click", () => {
      if (timer !== null) return stop();
      if (input.value === input.max) input.value = 0;
      button.textContent = "Stop";
      timer = setInterval(() => {
        input.value = Number(input.value) + 1;
        show();
        if (input.value === input.max) stop();
      }, 350);
    });
    input.addEventListener("pointerdown", () => timer !== null && stop());
  };

  document.querySelectorAll("figure.moving").forEach(draw);
})();
