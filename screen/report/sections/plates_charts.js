// Charts of the plates: Z′ in plate order, control strips, replicates.
seno.plateCharts = (head, maps) => {
  const { make, makeSvg } = seno;
  const { number } = maps;
  const line = (x1, y1, x2, y2, kind) => makeSvg("line", { x1, y1, x2, y2, class: kind });
  const text = (x, y, words, kind, anchor = "start") => {
    const node = makeSvg("text", { x, y, class: kind, "text-anchor": anchor });
    node.textContent = words;
    return node;
  };
  const axis = (low, high, start, end) => (value) =>
    start + Math.min(Math.max((value - low) / (high - low || 1), 0), 1) * (end - start);
  const ticks = (low, high, most) => {
    const power = 10 ** Math.floor(Math.log10((high - low) / most));
    const step = power * [1, 2, 5, 10].find((f) => (high - low) / (power * f) <= most);
    const found = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k += 1) found.push(k * step);
    return [found, Math.max(0, -Math.floor(Math.log10(step) + 1e-9))];
  };

  // Verdicts by shape as well as by colour.
  const marks = {
    pass: (x, y, r) => makeSvg("circle", { cx: x, cy: y, r: r, class: "mark pass" }),
    undecided: (x, y, r) => makeSvg("path", { d: `M${x} ${y - 1.3 * r}l${1.3 * r} ${1.3 * r}l${-1.3 * r} ${1.3 * r}l${-1.3 * r} ${-1.3 * r}z`, class: "mark undecided" }),
    fail: (x, y, r) => makeSvg("path", { d: `M${x - r} ${y - r}l${2 * r} ${2 * r}m0 ${-2 * r}l${-2 * r} ${2 * r}`, class: "mark fail" }),
  };

  // Z′ with its interval between −1 and 1; what lies beyond is drawn at the end.
  const order = () => {
    const units = head.plates.flatMap((plate, at) => plate.units.map((unit) => ({ plate, at, unit })));
    const width = 1180, top = 14, bottom = 132, left = 46;
    const step = Math.min((width - left - 170) / units.length, 120), far = left + 20 + Math.max(step * units.length, 240);
    const y = axis(-1, 1, bottom, top);
    const x = (i) => left + 10 + (i + 0.5) * step;
    const chart = makeSvg("svg", { viewBox: `0 0 ${width} 160`, class: "z-chart", role: "group", "aria-label": "Z′ with its interval for every plate in plate order" });
    [-1, -0.5, 0, 0.5, 1].forEach((v) => chart.append(line(left, y(v), far, y(v), v ? "grid" : "limit"), text(left - 7, y(v) + 4, number(v, 1), "", "end")));
    chart.append(text(far + 8, y(0) + 4, "interval above 0: pass", "fine"));
    if (head.limit !== null && Math.abs(head.limit) > 0.001) {
      chart.append(line(left, y(head.limit), far, y(head.limit), "limit low"));
      chart.append(text(far + 8, y(head.limit) + 2, `interval below ${number(head.limit, 1)}: fail`, "fine"));
    }
    const every = Math.ceil(62 / step);
    const bands = new Map();
    units.forEach(({ plate, at, unit }, i) => {
      const [z, low, high] = unit.z;
      const link = makeSvg("a", { href: "#plate=" + encodeURIComponent(plate.id), class: unit.verdict, "aria-label": `${unit.plate}, ${unit.verdict_word}, Z′ ${unit.z_prime}` });
      const band = makeSvg("rect", { x: x(i) - step / 2, y: top - 8, width: step, height: bottom - top + 16, class: "band" });
      link.append(band);
      if (low !== null && high !== null) link.append(line(x(i), y(low), x(i), y(high), "range"));
      link.append(z === null ? text(x(i), y(0) - 6, "?", "unknown", "middle") : marks[unit.verdict](x(i), y(z), Math.min(4.2, Math.max(step / 3, 1.8))));
      const bad = unit.verdict === "fail" && units.filter((u) => u.unit.verdict === "fail").length <= 12;
      if (i % every === 0 || bad) chart.append(text(x(i), 152, unit.plate, bad ? "name bad" : "name", "middle"));
      const tell = () => seno.showTip(link.getBoundingClientRect(), make("b", `${unit.plate} · ${unit.verdict_word}`),
        make("div", `Z′ ${unit.z_prime}${unit.z_prime_interval ? ` (${unit.z_prime_interval})` : ""}`), make("i", unit.reason));
      link.addEventListener("pointerenter", tell);
      link.addEventListener("focus", tell);
      link.addEventListener("pointerleave", seno.hideTip);
      link.addEventListener("blur", seno.hideTip);
      bands.set(at, [...(bands.get(at) || []), band]);
      chart.append(link);
    });
    const choose = (at) => bands.forEach((own, k) => own.forEach((b) => b.classList.toggle("chosen", k === at)));
    return { chart, choose };
  };

  // A strip a group of wells: a dot each, mean ± 3 sd of controls a band, a line at the median.
  const strips = (plate, wells) => {
    const { measure, name, ends } = head.readout, width = 460, left = 118, high = 46;
    const values = wells.v[measure];
    const kept = [...values.keys()].filter((i) => values[i] !== null && wells.f[i] >= 0 && head.words.fates[wells.f[i]][1]);
    const of = (kind) => kept.filter((i) => maps.group(wells, i) === kind);
    const references = new Map();
    of("reference").forEach((i) => references.set(wells.c[i], [...(references.get(wells.c[i]) || []), i]));
    const apart = references.size >= 2 && references.size <= 6;
    const groups = [["Healthy vehicle", of("healthy"), "healthy"], ["Stressed vehicle", of("stressed"), "stressed"],
      ...(apart ? [...references].map(([c, own]) => [c < 0 ? "Reference" : head.words.compounds[c][0], own, "reference"]) : [["Reference", of("reference"), "reference"]]),
      ["Treated wells", of("treated"), "treated"]].filter((g) => g[1].length);
    const x = axis(ends[0], ends[1], left, width - 12), height = high * Math.max(groups.length, 1) + 34;
    const chart = makeSvg("svg", { viewBox: `0 0 ${width} ${height}`, class: "strips", role: "img" });
    const dots = [];
    if (!groups.length) chart.append(text(left, 30, "no scored well on this plate", "note"));
    const told = groups.map(([words, own, kind], g) => {
      const top = 8 + g * high, middle = top + high / 2 - 3, found = own.map((i) => values[i]);
      const mean = found.reduce((a, b) => a + b, 0) / found.length;
      const sd = Math.sqrt(found.reduce((a, b) => a + (b - mean) ** 2, 0) / Math.max(found.length - 1, 1));
      const strip = makeSvg("g", { class: kind });
      strip.append(text(left - 10, middle, words.length > 17 ? words.slice(0, 16) + "…" : words, "name", "end"), text(left - 10, middle + 13, own.length + (own.length === 1 ? " well" : " wells"), "n", "end"));
      if (kind !== "treated" && kind !== "reference" && found.length > 1) {
        const from = x(mean - 3 * sd), to = x(mean + 3 * sd);
        strip.append(makeSvg("rect", { x: from, y: top, width: Math.max(to - from, 0.5), height: high - 8, rx: 3, class: "spread" }));
      }
      // A fixed spread in place of chance: the same run draws the same page.
      own.forEach((i, n) => {
        const many = own.length > 120;
        const dot = makeSvg("circle", { cx: x(values[i]).toFixed(1), cy: (middle + ((n * 7) % 11 - 5) * (many ? 3 : 2.6)).toFixed(1), r: many ? 1.7 : 2.6, "data-i": i, class: "dot-well" });
        dots[i] = dot;
        strip.append(dot);
      });
      const centre = x(maps.median(found));
      strip.append(line(centre, top, centre, top + high - 8, "middle"));
      chart.append(strip);
      return `${words}: ${found.length} wells, mean ${number(mean, 2)}`;
    });
    const base = height - 26, [at, digits] = ticks(ends[0], ends[1], 5);
    chart.append(line(left, base, width - 12, base, "axis"), text(left - 10, base + 4, head.measures[measure].key.replace("_", " "), "n", "end"));
    at.forEach((v) => chart.append(line(x(v), base, x(v), base + 4, "axis"), text(x(v), base + 16, number(v, digits), "tick-label", "middle")));
    chart.setAttribute("aria-label", `${name} by group. ${told.join("; ")}`);
    return { chart, dots };
  };

  // Replicate 1 against 2 of one compound and dose; those of the chosen plate stand out.
  const replicates = () => {
    const { title, a, b, c, d, plates } = head.replicates, size = 430, left = 48, bottom = size - 40;
    const all = [...a, ...b], low = Math.min(...all), high = Math.max(...all), margin = (high - low) * 0.04 || 1;
    const x = axis(low - margin, high + margin, left, size - 8), y = axis(low - margin, high + margin, bottom, 8);
    const chart = makeSvg("svg", { viewBox: `0 0 ${size} ${size}`, class: "pairs", role: "img", "aria-label": `${title} of one replicate against another` });
    const [at, digits] = ticks(low - margin, high + margin, 6);
    at.forEach((v) => chart.append(line(x(v), 8, x(v), bottom, "grid"), line(left, y(v), size - 8, y(v), "grid"),
      text(x(v), bottom + 15, number(v, digits), "", "middle"), text(left - 6, y(v) + 4, number(v, digits), "", "end")));
    chart.append(line(x(low - margin), y(low - margin), x(high + margin), y(high + margin), "same"));
    chart.append(text((left + size) / 2, size - 6, `${title}, first replicate`, "label", "middle"));
    const upright = text(0, 0, `${title}, second replicate`, "label", "middle");
    upright.setAttribute("transform", `translate(12 ${bottom / 2}) rotate(-90)`);
    chart.append(upright);
    const dots = a.map((_, i) => makeSvg("circle", { cx: x(a[i]).toFixed(1), cy: y(b[i]).toFixed(1), r: 2.8, class: "pair", "data-i": i }));
    chart.append(...dots);
    chart.addEventListener("pointerover", (event) => {
      const i = event.target.dataset.i;
      if (i === undefined) return seno.hideTip();
      const pair = plates.map((side) => head.plates[side[i]].name);
      seno.showTip(event.target.getBoundingClientRect(), make("b", head.words.compounds[c[i]][0]), make("i", d[i] < 0 ? "" : head.words.doses[d[i]]),
        make("div", `${pair[0]}: ${number(a[i], 2)}`), make("div", `${pair[1]}: ${number(b[i], 2)}`));
    });
    chart.addEventListener("pointerleave", seno.hideTip);
    chart.addEventListener("click", (event) => {
      const i = event.target.dataset.i, rank = i === undefined ? null : head.words.compounds[c[i]][2];
      if (rank !== null) location.hash = "#compound=" + rank;
    });
    const choose = (at) => dots.forEach((dot, i) => {
      const own = plates[0][i] === at || plates[1][i] === at;
      dot.classList.toggle("own", own);
      if (own) chart.append(dot);
    });
    return { chart, choose };
  };

  return { order, strips, replicates };
};
