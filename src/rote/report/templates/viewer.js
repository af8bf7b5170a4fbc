"use strict";
// One pair, large: generated, nearest and their difference, with the tiles that match. Arrows walk through
// the cards that are wanted, Esc closes. Large pictures lie beside the page, as files; where they are not
// there, the small ones of the page itself are shown larger.
const roteViewer = (() => {
  const { make } = roteRows;
  const GAIN = 4; // how much stronger than it is a difference is shown
  const GRID = 4;
  const box = document.getElementById("viewer");
  const get = (name) => document.getElementById(`viewer-${name}`);
  const planes = [0, 1, 2].map((n) => get(`plane-${n}`)).filter(Boolean);
  const shown = { set: null, rows: [], at: 0, facts: null, sheet: null, place: null, turn: 0 };

  // The generated one as it lies on its nearest: by the transform under which the two match.
  function align(canvas, picture, { x, y, width, height }, [mirrored, down, right]) {
    Object.assign(canvas, { width, height });
    const pen = canvas.getContext("2d");
    pen.save();
    if (mirrored) { pen.translate(width, 0); pen.scale(-1, 1); }
    pen.drawImage(picture, x, y, width, height, mirrored ? -right : right, down, width, height);
    pen.restore();
    return pen;
  }

  // |own - near| times GAIN, so aligned; pale without overlap.
  // Blending needs no look at single pixels, which a browser refuses of files.
  function difference(canvas, picture, { x, y, width, height, next, gap }, [mirrored, down, right]) {
    const pen = align(canvas, picture, { x, y, width, height }, [mirrored, down, right]);
    pen.globalCompositeOperation = "difference";
    pen.drawImage(picture, next, y, width, height, 0, 0, width, height);
    pen.globalCompositeOperation = "lighter";
    for (let gain = 1; gain < GAIN; gain *= 2) pen.drawImage(canvas, 0, 0);
    pen.globalCompositeOperation = "source-over";
    pen.fillStyle = gap;
    const edge = (left, top, w, h) => { pen.clearRect(left, top, w, h); pen.fillRect(left, top, w, h); };
    if (down) edge(0, down > 0 ? 0 : height + down, width, Math.abs(down));
    if (right) edge(right > 0 ? 0 : width + right, 0, Math.abs(right), height);
  }

  // The planes of two volumes that the sliders ask for, out of a sheet of all their slices: as on the cards,
  // axial above coronal, sagittal right of that, the head up.
  function cut(sheet, { depth, height, width }, [d, h, w]) {
    const wide = width + 1 + height;
    const canvas = Object.assign(document.createElement("canvas"), { width: 2 * wide, height: height + 1 + depth });
    const pen = canvas.getContext("2d");
    for (const side of [0, 1]) {
      const x = side * width, left = side * wide;
      pen.drawImage(sheet, x, d * height, width, height, left, 0, width, height);
      for (let slice = 0; slice < depth; slice++) {
        const down = height + depth - slice;
        pen.drawImage(sheet, x, slice * height + h, width, 1, left, down, width, 1);
        pen.setTransform(0, 1, 1, 0, left + width + 1, down); // a column becomes a row
        pen.drawImage(sheet, x + w, slice * height, 1, height, 0, 0, 1, height);
        pen.resetTransform();
      }
    }
    return canvas;
  }

  // A pair of volumes at the planes that are asked for, the middle ones at first.
  async function volumes({ factor, ...sizes }, sheet) {
    [sizes.depth, sizes.height, sizes.width].forEach((size, n) => {
      if (+planes[n].max === size - 1 && planes[n].dataset.set) return;
      Object.assign(planes[n], { max: size - 1, value: Math.floor(size / 2) }).dataset.set = "yes";
    });
    const at = planes.map((plane) => +plane.value);
    planes.forEach((plane, n) => { plane.nextElementSibling.value = `${at[n] + 1} of ${+plane.max + 1}`; });
    const image = new Image();
    image.src = sheet;
    await image.decode();
    const picture = cut(image, sizes, at), width = picture.width / 2;
    return { picture, large: false, factor, x: 0, y: 0, next: width, width, height: picture.height };
  }

  // The picture of a pair, and where in it the two lie: a file of its own, or a row of the page's sprite.
  function source(set, row) {
    const sheet = set.voxels?.sheets[row];
    if (get("planes")) get("planes").hidden = !sheet;
    if (sheet) return volumes(set.voxels, sheet);
    const small = () => shown.sheet(set).then((picture) => {
      const [x, y] = shown.place(set, row, 0), { width, height, factor } = set;
      return { picture, large: false, factor, x, y, next: x + width, width, height };
    });
    if (!set.large?.rows[row] || set.large.missing) return small();
    const picture = new Image();
    picture.src = `${set.large.folder}/${set.index[row]}.jpg`;
    return picture.decode().then(() => {
      const width = picture.naturalWidth / 2;
      return { picture, large: true, factor: set.large.factor, x: 0, y: 0, next: width, width, height: picture.naturalHeight };
    }).catch(() => {
      set.large.missing = true; // the page was sent without its folder
      return small();
    });
  }

  function draw(canvas, { picture, y, width, height }, x) {
    Object.assign(canvas, { width, height });
    canvas.getContext("2d").drawImage(picture, x, y, width, height, 0, 0, width, height);
  }

  // Tiles that match, on both pictures; on a mirrored one they lie mirrored.
  function mark(set, row, mirrored) {
    const rms = set.tiles?.[row];
    get("tiles-label").hidden = !rms;
    for (const [name, turned] of [["own-tiles", mirrored], ["near-tiles", false]]) {
      get(name).replaceChildren(...(rms ?? []).map((_, n) => {
        const column = n % GRID;
        const from = n - column + (turned ? GRID - 1 - column : column);
        return make("i", rms[from] <= set.matching ? "on" : "");
      }));
    }
    if (!rms) return "";
    const count = rms.filter((value) => value <= set.matching).length;
    return `${count} of ${rms.length} tiles match: they differ by at most ${+set.matching.toFixed(1)} levels (RMS), as near-duplicates do; the nearest tile differs by ${Math.min(...rms).toFixed(1)}, the farthest by ${Math.max(...rms).toFixed(1)}.`;
  }

  async function show() {
    const { set, rows, at } = shown;
    const turn = (shown.turn += 1);
    const { row, index, verdict } = rows[at];
    box.classList.toggle("is-copy", verdict === "memorized");
    box.classList.toggle("is-twin", verdict === "collapsed");
    const moves = set.moves?.[row] ?? [0, 0, 0];
    get("place").textContent = `${at + 1} of ${rows.length}`;
    get("previous").disabled = at === 0;
    get("next").disabled = at === rows.length - 1;
    get("facts").replaceChildren(...shown.facts(rows[at]));
    get("own-name").textContent = `Generated #${index}`;
    get("near-name").textContent = `Nearest #${set.nearest[row]}`;
    const tiles = mark(set, row, moves[0]);
    const found = await source(set, row);
    if (turn !== shown.turn) return; // another pair was asked for meanwhile
    const fine = found.width < 256;
    for (const name of ["own", "near", "both", "under", "over"]) get(name).classList.toggle("crisp", fine);
    draw(get("own"), found, found.x);
    for (const name of ["near", "under"]) draw(get(name), found, found.next);
    const gap = getComputedStyle(box).getPropertyValue("--line");
    const move = [moves[0], Math.round(moves[1] / found.factor), Math.round(moves[2] / found.factor)];
    align(get("over"), found.picture, found, move);
    difference(get("both"), found.picture, { ...found, gap }, move);
    const told = [tiles];
    if (found.factor > 1) told.push(`Shown ${+found.factor.toFixed(1)} times smaller than measured.`);
    if (set.large?.rows[row] && !found.large) told.push(`The large picture is not beside this page: keep the folder ${set.large.folder} with it.`);
    get("note").textContent = told.filter(Boolean).join(" ");
    box.dataset.index = index;
    shown.moved(rows[at]);
  }

  function step(by) {
    const at = shown.at + by;
    if (at < 0 || at >= shown.rows.length) return;
    shown.at = at;
    show().catch((error) => console.error(error));
  }

  function open(set, rows, at, { facts, sheet, place, moved, opener }) {
    Object.assign(shown, { set, rows, at, facts, sheet, place, moved, opener });
    show().then(() => { if (!box.open) box.showModal(); }).catch((error) => console.error(error));
  }

  if (box) {
    get("previous").addEventListener("click", () => step(-1));
    get("next").addEventListener("click", () => step(1));
    get("close").addEventListener("click", () => box.close());
    get("tiles").addEventListener("change", () => box.classList.toggle("with-tiles", get("tiles").checked));
    const slide = get("slide");
    slide.addEventListener("input", () => { get("over").style.clipPath = `inset(0 ${100 - slide.value}% 0 0)`; });
    for (const plane of planes) plane.addEventListener("input", () => step(0));
    box.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!by || event.target.type === "range") return;
      event.preventDefault();
      step(by);
    });
    box.addEventListener("click", (event) => { if (event.target === box) box.close(); });
    box.addEventListener("close", () => {
      const { row } = shown.rows[shown.at];
      shown.moved(null);
      (shown.opener ?? document.querySelector(`#cards button[data-row="${row}"]`))?.focus();
    });
  }
  return { open, difference, GAIN };
})();
