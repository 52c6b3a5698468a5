(async () => {
  const section = document.getElementById("chemistry");
  if (!section || !document.getElementById("data-chemistry")) return;
  const { make, makeSvg } = seno;
  const data = await seno.data("chemistry");
  const byId = (id) => document.getElementById(id);

  const figure = (value, digits) => value === null ? "–" : value.toFixed(digits).replace("-", "−");
  const chance = (value) => value === null ? "–" : value < 0.0001 ? "< 0.0001" :
    value < 0.01 ? value.toFixed(4) : value < 0.1 ? value.toFixed(3) : value.toFixed(2);
  const className = (key) => data.classes[key] ?? key;
  const tag = (key) => make("span", className(key), key in data.classes ? "tag " + key : "tag");
  const link = (member, kind) => {
    if (member[0] === null) return make("span", member[1], kind);
    const node = make("a", member[1], kind);
    node.href = "#compound=" + member[0];
    return node;
  };
  // An image of SVG text can run nothing and load nothing.
  const drawing = (smiles, name) => {
    const svg = data.drawings[smiles];
    if (!svg) return make("code", smiles);
    const image = make("img", undefined, "drawn");
    image.src = "data:image/svg+xml," + encodeURIComponent(svg);
    image.alt = name;
    image.width = 220;
    image.height = 160;
    return image;
  };

  // Families: sorted by any number; long lists of members open on demand.
  const table = byId("families");
  if (table) {
    const step = 15, few = 10;
    const heads = [...table.tHead.rows[0].cells];
    const at = [0, 1, 2, 3, 4, 7, 8];
    let rows = data.families.slice(), shown = step;
    const members = (all) => {
      const box = make("div", undefined, "members");
      const fill = (n) => box.replaceChildren(
        ...all.slice(0, n).map((m) => link(m, m[3] ? "hit" : undefined)));
      fill(few);
      if (all.length > few) {
        const more = make("button", "and " + (all.length - few) + " more");
        more.type = "button";
        more.addEventListener("click", () => fill(all.length));
        box.append(more);
      }
      return box;
    };
    const odds = (row) => {
      const cell = make("td", figure(row[4], row[4] < 10 ? 1 : 0), "n");
      const end = (v) => figure(v, v < 10 ? 1 : 0);
      cell.append(make("span", end(row[5]) + " to " + end(row[6]), "range-words"));
      return cell;
    };
    const line = (row) => {
      const tr = make("tr"), first = make("td"), last = make("td");
      first.append(drawing(row[0], "scaffold " + row[0]));
      last.append(members(row[9]));
      tr.append(first, make("td", String(row[1]), "n"), make("td", String(row[2]), "n"),
        make("td", figure(row[3], 1), "n"), odds(row), make("td", chance(row[7]), "n"),
        make("td", chance(row[8]), row[8] <= 0.05 ? "n low" : "n"), last);
      return tr;
    };
    const draw = () => {
      table.tBodies[0].replaceChildren(...rows.slice(0, shown).map(line));
      byId("more-families").hidden = shown >= rows.length;
      byId("n-families").textContent = Math.min(shown, rows.length) + " of " + rows.length + " families";
    };
    heads.forEach((head, column) => {
      const button = head.querySelector("button");
      if (!button) return;
      button.addEventListener("click", () => {
        const key = at[column], was = head.getAttribute("aria-sort");
        const up = was === "none" ? key >= 7 : was !== "ascending";
        heads.forEach((h) => { if (h.hasAttribute("aria-sort")) h.setAttribute("aria-sort", "none"); });
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        rows = data.families.slice().sort((a, b) => (up ? 1 : -1) * (a[key] - b[key]));
        draw();
      });
    });
    byId("more-families").addEventListener("click", () => { shown += 4 * step; draw(); });
    heads[6].setAttribute("aria-sort", "ascending");
    // As high as it will be, so that nothing below moves when it is drawn.
    const room = make("tr"), cell = make("td");
    cell.style.height = 100 * Math.min(shown, rows.length) + "px";
    room.append(cell);
    table.tBodies[0].append(room);
    seno.whenNear(table, draw);
  }

  // Cliffs: both structures, the effects and what lies between them.
  const cliffs = byId("cliffs");
  if (cliffs) {
    const side = (s) => {
      const box = make("div", undefined, "side");
      box.append(drawing(s[4], s[1]), link(s), make("br"), tag(s[2]),
        make("p", data.effect + " " + figure(s[5], 2)), make("p", figure(s[6], 2) + " to " + figure(s[7], 2)));
      return box;
    };
    const fact = (name, value) => {
      const box = make("div");
      box.append(make("dt", name), make("dd", value));
      return box;
    };
    const card = (c) => {
      const box = make("article", undefined, "cliff"), middle = make("div", undefined, "between");
      const facts = make("dl");
      facts.append(fact("alike", figure(c.similarity, 2)),
        fact("SALI", c.sali === null ? "∞" : figure(c.sali, 1)), fact("q", chance(c.q)));
      middle.append(make("b", figure(c.difference, 2)),
        make("span", "apart in " + data.effect + " (" + figure(c.low, 2) + " to " + figure(c.high, 2) + ")"), facts);
      if (c.sali === null) middle.append(make("p", "same fingerprint: they differ in stereo or beyond its reach"));
      box.append(side(c.sides[0]), middle, side(c.sides[1]));
      return box;
    };
    const draw = (n) => {
      cliffs.replaceChildren(...data.cliffs.slice(0, n).map(card));
      byId("more-cliffs").hidden = n >= data.cliffs.length;
    };
    byId("more-cliffs").addEventListener("click", () => draw(data.cliffs.length));
    const across = cliffs.clientWidth > 1090 ? 2 : 1;
    cliffs.style.minHeight = 210 * Math.ceil(Math.min(6, data.cliffs.length) / across) + "px";
    seno.whenNear(cliffs, () => { cliffs.style.minHeight = ""; draw(6); });
  }

  // Map: a point per structure; hover names it, click opens its compound.
  const colours = {
    rescue: "#0b6b66", younger: "#2fa39b", senolytic: "#6b4e9b", dilution: "#1f6fb4",
    proliferative: "#6fa8dc", toxic: "#b3261e", cytostatic: "#a0622d", inducer: "#e07b1a",
    inducer_with_loss: "#c25a10", other: "#b0529c", artefact: "#b59a00", undecided: "#6d7883",
  };
  const colour = (key) => colours[key] ?? "#bcc5cd";
  const frame = byId("structure-map");
  const drawMap = () => {
    const size = { x: 760, y: 520 }, rim = 16;
    const svg = makeSvg("svg", { viewBox: "0 0 " + size.x + " " + size.y, role: "img",
      "aria-label": "Map of " + data.points.length + " structures, coloured by class" });
    const far = (k) => {
      const all = data.points.map((p) => p[k]);
      return { low: Math.min(...all), span: (Math.max(...all) - Math.min(...all)) || 1 };
    };
    const across = far(4), down = far(5);
    const layers = new Map();
    // Grey ones below, hits above, so that what counts is never covered.
    // The plane shows little of what tells structures apart; the most alike one is exact.
    const alike = new Map(data.points.map((p, k) => [p, data.nearest[k]]));
    const neighbour = (p) => {
      const near = alike.get(p);
      return near ? make("i", "most alike: " + data.points[near[0]][1] + " (" + figure(near[1], 2) + ")") : "";
    };
    const order = data.points.slice().sort((a, b) =>
      a[3] - b[3] || (a[2] in colours) - (b[2] in colours));
    let chosen = null;
    for (const p of order) {
      const dot = makeSvg("circle", {
        cx: (rim + (size.x - 2 * rim) * (p[4] - across.low) / across.span).toFixed(1),
        cy: (rim + (size.y - 2 * rim) * (1 - (p[5] - down.low) / down.span)).toFixed(1),
        r: p[3] ? 5.5 : 3.6, fill: colour(p[2]), "fill-opacity": p[3] ? 1 : 0.75,
        class: p[3] ? "point hit" : "point",
      });
      dot.addEventListener("pointerenter", () => {
        if (chosen) chosen.classList.remove("at");
        chosen = dot;
        dot.classList.add("at");
        seno.showTip(dot.getBoundingClientRect(), make("b", p[1]),
          make("span", className(p[2]) + (p[3] ? ", called a hit" : "") + (p[0] === null ? "" : ", rank " + p[0])),
          make("br"), neighbour(p));
      });
      dot.addEventListener("pointerleave", () => { dot.classList.remove("at"); seno.hideTip(); });
      dot.addEventListener("click", () => { if (p[0] !== null) location.hash = "compound=" + p[0]; });
      if (!layers.has(p[2])) layers.set(p[2], []);
      layers.get(p[2]).push(dot);
      svg.append(dot);
    }
    frame.replaceChildren(svg);
    const known = Object.keys(data.classes);
    const keys = [...layers.keys()].sort((a, b) => known.indexOf(a) - known.indexOf(b));
    byId("structure-keys").replaceChildren(...keys.map((key) => {
      const label = make("label"), box = make("input"), dots = layers.get(key);
      box.type = "checkbox";
      box.checked = true;
      box.addEventListener("input", () => dots.forEach((d) => d.classList.toggle("off", !box.checked)));
      label.append(box, makeSvg("svg", { viewBox: "0 0 14 14", "aria-hidden": "true" },
        makeSvg("circle", { cx: 7, cy: 7, r: 5.5, fill: colour(key) })),
        make("span", className(key)), make("span", String(dots.length), "n"));
      return label;
    }), make("p", "Large with a dark rim: called a hit. Click a point for its compound.", "fine"));
  };
  if (frame) seno.whenNear(frame, drawMap);
})();
