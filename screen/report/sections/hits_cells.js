// Cell pictures: opened from their island when they are looked at.
(() => {
  const { data, make } = seno;
  seno.cellsOf = async (key) => {
    const index = await data("gallery");
    if (!index || !index.at[key]) return null;
    const [own, shared] = await Promise.all([data(index.at[key]), data(index.plate[key])]);
    return { own: own[key], ...shared };
  };
  seno.cellImage = (strip, kind, label) => {
    if (!strip.n || !strip[kind]) return make("span", "none on this plate", "fine");
    const image = make("img");
    image.src = "data:image/webp;base64," + strip[kind];
    image.alt = label + ", well " + strip.well;
    image.width = strip.n * 87 - 3;
    image.height = 84;
    return image;
  };

  const bar = (um, length) => {
    const width = 84 * length / um;
    const svg = seno.makeSvg("svg", { viewBox: "0 0 168 14", width: 168, height: 14, role: "img",
      "aria-label": "Scale bar " + length + " µm; each picture is " + um.toFixed(1) + " µm wide" });
    svg.append(seno.makeSvg("rect", { x: 0, y: 3, width, height: 4, fill: "#1b2632" }));
    const text = seno.makeSvg("text", { x: width + 6, y: 10 });
    text.textContent = length + " µm";
    svg.append(text);
    return svg;
  };

  const words = {
    typical: "Typical cells: scores nearest to the median of the well's fullest field.",
    extreme: "Extreme cells of the same field: left half the lowest scores, right half the highest.",
  };
  seno.gallery = async (compound) => {
    const cells = await seno.cellsOf(compound.key);
    if (!cells) return make("p", "No cell pictures: they are made for the hits and the first of the ranking, where the pixels of the wells are at hand (report setting gallery_top).", "empty");
    const part = make("div", undefined, "gallery");
    ["typical", "extreme"].forEach((kind) => {
      part.append(make("p", words[kind], "fine"));
      const rows = make("div", undefined, "strips");
      [cells.controls[0], cells.own, cells.controls[1]].forEach((strip) => {
        const figure = make("figure");
        const caption = make("figcaption", strip.title + " ");
        if (strip.well) caption.append(make("small", "well " + strip.well));
        figure.append(caption, seno.cellImage(strip, kind, strip.n + " " + kind + " cells: " + strip.title));
        rows.append(figure);
      });
      part.append(rows);
    });
    const foot = make("div", undefined, "gallery-foot");
    foot.append(bar(cells.um, cells.bar), make("p", "Plate " + cells.plate + "; all rows on one intensity scale: " + cells.scale + ".", "fine"));
    part.append(foot);
    return part;
  };

  // Single cells with the map of where the model sees the state, switched by a button.
  const image = (cell, kind) => {
    const node = make("img");
    node.src = "data:image/png;base64," + cell[kind];
    node.alt = (kind === "map" ? "Map of a cell of " : "Cell of ") + cell.name + ", output " + cell.answer;
    return node;
  };
  seno.maps = async (compound) => {
    const index = await data("maps");
    if (!index || !index[compound.key]) {
      return make("p", "No explanation map of this compound. To draw where in its cells the model sees the state: senoscreen explain model=… campaign=… run=… compounds=[" + compound.value("compound") + "], then senoscreen report run=… explanation=FOLDER.", "fine");
    }
    const found = await data(index[compound.key]);
    const part = make("div", undefined, "explained"), button = make("button", "Show where the model looks");
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    const rows = make("div", undefined, "strips");
    const draw = (kind) => rows.replaceChildren(...["compound", "control"].map((of) => {
      const own = found.cells.filter((c) => c.of === of), figure = make("figure"), line = make("div", undefined, "cell-row");
      line.append(...own.map((c) => image(c, kind)));
      figure.append(make("figcaption", own.length ? own[0].name : "no cells"), line);
      return figure;
    }));
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(on));
      draw(on ? "map" : "crop");
    });
    draw("crop");
    part.append(button, make("p", "Explained: " + found.output + ". Red speaks for it, blue against. " + found.method, "fine"), rows);
    return part;
  };
})();
