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

  const lengths = [1000, 500, 200, 100, 50, 20, 10, 5, 2, 1];
  const bar = (um) => {
    const length = lengths.find((v) => v <= um / 2) || 1;
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
    foot.append(bar(cells.um), make("p", "Plate " + cells.plate + "; all rows on one intensity scale: " + cells.scale + ".", "fine"));
    part.append(foot, make("p", "No explanation maps lie in this run. senoscreen explain model=… campaign=… run=… draws where in these cells the model sees the state.", "fine"));
    return part;
  };
})();
