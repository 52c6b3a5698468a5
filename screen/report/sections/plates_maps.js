// The maps of one plate: squares on a grid, the medians of rows and columns beside them.
seno.plateMaps = (head) => {
  const { make, makeSvg } = seno;
  const nRows = head.rows.length, nColumns = head.columns;
  const large = nColumns > 24;
  const CELL = 16, LEFT = large ? 34 : 22, TOP = large ? 26 : 16, GAP = 5, BAR = large ? 60 : 36;
  const right = LEFT + nColumns * CELL, bottom = TOP + nRows * CELL;

  const number = (value, digits) => {
    if (value === null || value === undefined) return "–";
    const [whole, rest] = Math.abs(value).toFixed(digits).split(".");
    const text = whole.replace(/\B(?=(\d{3})+$)/g, "\u202f") + (rest ? "." + rest : "");
    return value < 0 && /[1-9]/.test(text) ? "−" + text : text;
  };
  const wellName = (i) => head.rows[Math.floor(i / nColumns)] + String(i % nColumns + 1).padStart(2, "0");
  const wellIndex = (text) => {
    const found = /^([A-Z]{1,2})\/?0*([1-9][0-9]?)$/i.exec(text.trim());
    const row = found ? head.rows.indexOf(found[1].toUpperCase()) : -1;
    return row < 0 || found[2] > nColumns ? -1 : row * nColumns + Number(found[2]) - 1;
  };

  const rgb = (hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
  const channels = head.measures.map((m) => m.colours.map(rgb));
  const mixed = (k, value) => {
    const { low, high } = head.measures[k], anchors = channels[k];
    const share = high > low ? (value - low) / (high - low) : 0.5;
    const place = Math.min(Math.max(share, 0), 1) * (anchors.length - 1);
    const at = Math.min(Math.floor(place), anchors.length - 2);
    return anchors[at].map((a, c) => Math.round(a + (anchors[at + 1][c] - a) * (place - at)));
  };
  const colour = (k, value) => "#" + mixed(k, value).map((c) => c.toString(16).padStart(2, "0")).join("");
  const group = (wells, i) => wells.p[i] < 0 ? "" : head.words.purposes[wells.p[i]][1];

  // A white gap parts the ring of a control from its fill, so that it shows on any colour.
  const square = (wells, k, i) => {
    const x = LEFT + i % nColumns * CELL, y = TOP + Math.floor(i / nColumns) * CELL;
    const box = (inset) => ({ x: x + inset, y: y + inset, width: 14.6 - 2 * inset, height: 14.6 - 2 * inset });
    if (wells.p[i] < 0) return [makeSvg("rect", { ...box(0), class: "w none", "data-i": i })];
    const ring = ["healthy", "stressed", "reference"].includes(group(wells, i)) ? group(wells, i) : "";
    const value = wells.v[k][i], inset = ring ? 2.6 : 0;
    const look = value === null ? { class: "w missing" } : { class: "w", fill: colour(k, value) };
    const own = makeSvg("rect", { ...box(inset), ...look, "data-i": i });
    return ring ? [own, makeSvg("rect", { ...box(0.4), class: "ring " + ring })] : [own];
  };

  const text = (x, y, words, kind) => {
    const node = makeSvg("text", { x, y, class: kind });
    node.textContent = words;
    return node;
  };
  const labels = () => {
    const each = large ? 4 : 1, found = [];
    for (let c = 0; c < nColumns; c += each) found.push(text(LEFT + (c + 0.5) * CELL - 0.7, TOP - 5, c + 1, "c"));
    for (let r = 0; r < nRows; r += large ? 2 : 1) found.push(text(LEFT - 4, TOP + (r + 0.5) * CELL + 3, head.rows[r], "r"));
    return found;
  };

  const median = (values) => {
    const sorted = [...values].sort((a, b) => a - b), n = sorted.length;
    return n ? (sorted[n - 1 >> 1] + sorted[n >> 1]) / 2 : null;
  };
  // Medians of the sample wells; of all wells where the plate has no sample.
  const lines = (wells, k) => {
    const samples = wells.p.some((p, i) => group(wells, i) === "treated");
    const rows = head.rows.map(() => []), columns = Array.from({ length: nColumns }, () => []);
    wells.v[k].forEach((value, i) => {
      if (value === null || samples && group(wells, i) !== "treated") return;
      rows[Math.floor(i / nColumns)].push(value);
      columns[i % nColumns].push(value);
    });
    return [rows, columns, samples ? "sample" : ""];
  };
  // Medians of rows and columns less the plate's own, on one scale for all plates.
  const margins = (wells, k) => {
    const { low, high, digits, title } = head.measures[k], [rows, columns, kind] = lines(wells, k);
    const middle = median(rows.flat()), most = (high - low) / 6 || 1, bars = [];
    const bar = (values, name, shape) => {
      if (!values.length) return;
      const own = median(values), size = Math.min(Math.max((own - middle) / most, -1), 1) * BAR / 2;
      const node = makeSvg("rect", { ...shape(BAR / 2 + Math.min(size, 0) - 0.4, Math.abs(size) + 0.8), class: "margin" });
      const words = makeSvg("title", {});
      words.textContent = `${name}: median ${title.toLowerCase()} ${number(own, digits)} of ${values.length} ${kind} wells; the plate's ${number(middle, digits)}`;
      node.append(words);
      bars.push(node);
    };
    rows.forEach((v, r) => bar(v, "Row " + head.rows[r], (a, size) =>
      ({ x: right + GAP + a, y: TOP + r * CELL + 2, width: size, height: CELL - 5.5 })));
    columns.forEach((v, c) => bar(v, "Column " + (c + 1), (a, size) =>
      ({ x: LEFT + c * CELL + 2, y: bottom + GAP + BAR - a - size, width: CELL - 5.5, height: size })));
    const base = BAR / 2;
    return [
      makeSvg("line", { x1: right + GAP + base, x2: right + GAP + base, y1: TOP, y2: bottom - 2, class: "base" }),
      makeSvg("line", { x1: LEFT, x2: right - 2, y1: bottom + GAP + base, y2: bottom + GAP + base, class: "base" }), ...bars];
  };

  const legend = (k) => {
    const { low, high, digits, title } = head.measures[k], steps = 40;
    const bars = Array.from({ length: steps }, (_, i) => makeSvg("rect", {
      x: 4 * i, y: 0, width: 4.3, height: 9, fill: colour(k, low + (high - low) * i / (steps - 1)) }));
    const words = [[0, low, "start"], [80, (low + high) / 2, "middle"], [160, high, "end"]].map(([x, v, a]) => {
      const node = text(x, 21, number(v, digits), "");
      node.setAttribute("text-anchor", a);
      return node;
    });
    return makeSvg("svg", { viewBox: "0 0 160.3 24", class: "scale", role: "img", "aria-label": "Colour scale of " + title }, ...bars, ...words);
  };

  const draw = (plate, wells, k) => {
    const measure = head.measures[k];
    const height = bottom + GAP + BAR + 2;
    const map = makeSvg("svg", {
      viewBox: `0 0 ${right + GAP + BAR + 2} ${height}`, class: large ? "map large" : "map", role: "img", tabindex: 0,
      "aria-label": `${measure.title} of plate ${plate.name}, a square per well; arrow keys go from well to well` });
    map.append(...labels(), ...margins(wells, k));
    for (let i = 0; i < nRows * nColumns; i += 1) map.append(...square(wells, k, i));
    const squares = [];
    map.querySelectorAll(".w").forEach((w) => { squares[w.dataset.i] = w; });
    const caption = make("figcaption", measure.title);
    const save = make("button", "SVG", "save");
    save.type = "button";
    save.title = "Save this map as SVG";
    save.addEventListener("click", () => saved(map, `${plate.name} ${measure.title}.svg`));
    caption.append(save);
    const figure = make("figure");
    figure.append(caption, map, legend(k), make("p", measure.meaning, "fine"));
    return { figure, map, squares };
  };

  // The file holds its colours itself: no style of the page goes with it.
  const saved = (map, name) => {
    const copy = map.cloneNode(true);
    const drawn = map.querySelectorAll("*");
    copy.querySelectorAll("*").forEach((node, i) => {
      const style = getComputedStyle(drawn[i]);
      ["fill", "stroke", "stroke-width", "stroke-dasharray", "font-size", "text-anchor"].forEach((key) => node.setAttribute(key, style.getPropertyValue(key)));
    });
    copy.setAttribute("font-family", "sans-serif");
    copy.append(document.querySelector("#plates .defs defs").cloneNode(true));
    const link = make("a");
    link.href = URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" }));
    link.download = name.replace(/[^\w.-]+/g, "_");
    link.click();
    URL.revokeObjectURL(link.href);
  };

  // A thumbnail: one pixel a well, enlarged by the browser.
  const thumbnail = (canvas, wells, k) => {
    canvas.width = nColumns;
    canvas.height = nRows;
    const paint = canvas.getContext("2d"), picture = paint.createImageData(nColumns, nRows);
    wells.p.forEach((p, i) => {
      const value = wells.v[k][i];
      const pixel = p < 0 ? [255, 255, 255] : value === null ? [70, 78, 88] : mixed(k, value);
      picture.data.set([...pixel, 255], 4 * i);
    });
    paint.putImageData(picture, 0, 0);
  };

  return { number, wellName, wellIndex, group, median, draw, thumbnail };
};
