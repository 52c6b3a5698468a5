(async () => {
  // Flagged fields by place: a square a well, grey where all is well, else a bar of colour
  // for each kind, drawn when it comes near.
  const grid = document.getElementById("field-maps");
  if (!grid) return;
  const { make, makeSvg } = seno, data = await seno.data("fields");
  const LEFT = 14, TOP = 12, CELL = 10, SIDE = 8.8, n = data.rows.length;
  const step = data.columns <= 12 ? 1 : data.columns <= 24 ? 2 : 4;
  const width = LEFT + data.columns * CELL + 1, height = TOP + n * CELL + 1;
  const label = (x, y, words, kind) => {
    const node = makeSvg("text", { x, y, class: kind });
    node.textContent = words;
    return node;
  };
  const draw = (plate) => {
    const map = makeSvg("svg", { viewBox: `0 0 ${width} ${height}`, class: "fieldmap", role: "img",
      "aria-label": `Flagged fields of plate ${plate.name}, a square per well` });
    for (let c = 0; c < data.columns; c += step) map.append(label(LEFT + (c + 0.5) * CELL, TOP - 4, c + 1, "c"));
    for (let r = 0; r < n; r += step) map.append(label(LEFT - 3, TOP + (r + 0.5) * CELL + 2.2, data.rows[r], "r"));
    const none = new Set(plate.none), flagged = new Map(plate.wells.map((w) => [w[0], w]));
    for (let i = 0; i < n * data.columns; i += 1) {
      if (none.has(i)) continue;
      const x = LEFT + i % data.columns * CELL, y = TOP + Math.floor(i / data.columns) * CELL;
      const box = makeSvg("g", {}, makeSvg("rect", { x, y, width: SIDE, height: SIDE, class: "fine-well" }));
      map.append(box);
      if (!flagged.has(i)) continue;
      const [, share, kinds, why] = flagged.get(i);
      // At least a quarter of the square, so that one field of many is seen.
      const high = SIDE * Math.max(share, 0.25), wide = SIDE / kinds.length;
      kinds.forEach((kind, k) => box.append(makeSvg("rect", { x: x + k * wide, y: y + SIDE - high, width: wide, height: high, fill: data.colours[kind] })));
      const name = data.rows[Math.floor(i / data.columns)] + String(i % data.columns + 1).padStart(2, "0");
      const told = why ? why.split("\n") : [name + ": see fields.csv"];
      box.addEventListener("pointerenter", () => seno.showTip(box.getBoundingClientRect(), make("b", `${name} · ${plate.name}`), ...told.map((t) => make("div", t))));
      box.addEventListener("pointerleave", seno.hideTip);
    }
    return map;
  };
  data.plates.forEach((plate) => {
    const figure = make("figure"), caption = make("figcaption", plate.name + " "), room = make("div", undefined, "room");
    caption.append(make("span", `${plate.flagged} of ${plate.fields} fields`, "fine"));
    room.style.aspectRatio = `${width} / ${height}`;
    figure.append(caption, room);
    grid.append(figure);
    seno.whenNear(room, () => room.append(draw(plate)));
  });
})();
