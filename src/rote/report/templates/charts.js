"use strict";
// Draws the charts with the bundled Vega. `ast` makes Vega interpret its expressions instead of
// compiling them, so that the page's content security policy need not allow eval.
const roteCharts = (() => {
  const data = JSON.parse(document.getElementById("chart-data").textContent);
  const drawn = new Map();
  const embed = (node, spec, config) =>
    window.vegaEmbed(node, spec, {
      actions: false, ast: true, renderer: "svg", config, defaultStyle: false,
      tooltip: { theme: "rote", disableDefaultStyle: true },
    });

  async function draw(dark) {
    const config = dark ? data.dark : data.light;
    for (const [name, spec] of Object.entries(data.specs)) {
      const node = document.getElementById(`chart-${name}`);
      drawn.get(name)?.finalize();
      drawn.set(name, await embed(node, spec, config));
    }
    document.documentElement.dataset.charts = dark ? "dark" : "light";
  }

  // A picture for a paper, as a blob: always the light theme, always the same width.
  async function picture(name, kind) {
    const node = document.createElement("div");
    const spec = { ...data.specs[name], width: 760 };
    const result = await embed(node, spec, { ...data.light, background: "#ffffff" });
    const made = kind === "svg"
      ? new Blob([await result.view.toSVG()], { type: "image/svg+xml" })
      : await result.view.toCanvas(3).then((canvas) => new Promise((done) => { canvas.toBlob(done, "image/png"); }));
    result.finalize();
    return made;
  }

  return { draw, picture };
})();
