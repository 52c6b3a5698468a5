// The dose curve: every well by plate, the stored fit, cell number under it, one x axis.
(() => {
  const { makeSvg, words } = seno;
  const PLATE = 0, DOSE = 2, SCORE = 3, RESCUE = 4, ROBUST = 5, COUNT = 6, STATUS = 8;
  const scored = (w) => w[STATUS].startsWith("SCORED");
  const middle = (values) => {
    const s = [...values].sort((a, b) => a - b), k = s.length >> 1;
    return s.length ? (s.length % 2 ? s[k] : (s[k - 1] + s[k]) / 2) : null;
  };
  const quantile = (sorted, q) => {
    const at = (sorted.length - 1) * q, k = Math.floor(at);
    return sorted[k] + (at - k) * ((sorted[k + 1] ?? sorted[k]) - sorted[k]);
  };
  const bandOf = (compound, state, name) => {
    const own = compound.controls.states[state], plates = new Set(compound.page.wells.map((w) => w[PLATE]));
    const found = own[name].filter((v, i) => v !== null && plates.has(own.plate[i])).sort((a, b) => a - b);
    return found.length ? [quantile(found, 0.1), quantile(found, 0.9)] : null;
  };

  // Response of a stored curve: 1 - 1 / (1 + (dose / C)^h)^g, half at the EC50 for any g.
  const ln10 = Math.LN10;
  const shape = (x, e, h, g) => {
    const z = h * ln10 * (x - e) + Math.log(Math.expm1(Math.LN2 / g));
    return -Math.expm1(-g * (z > 30 ? z : Math.log1p(Math.exp(z))));
  };
  const curveOf = (c) => {
    if (!c || !/^logistic/.test(c.model || "") || c.full_effect === undefined || c.top_dose_effect === undefined) return null;
    const h = c.slope ?? 1, g = c.asymmetry ?? 1;
    const low = Math.log10(c.lowest_um), high = Math.log10(c.highest_um);
    let e = Math.log10(c.ec50_um);
    if (c.ec50_relation !== "=") {
      // The stored EC50 is then only a limit; the fit's own follows from its top dose.
      const part = Math.min(Math.max(c.top_dose_effect / c.full_effect, 1e-9), 1 - 1e-9);
      const z = Math.log(Math.expm1(-Math.log1p(-part) / g));
      e = high - (z - Math.log(Math.expm1(Math.LN2 / g))) / (h * ln10);
    }
    const at = (x, ec, top) => c.level_without_dose + top * shape(x, ec, h, g) / shape(high, ec, h, g);
    const ends = c.ec50_relation === "=" && c.ec50_low_um && c.ec50_high_um
      ? [Math.log10(c.ec50_low_um), Math.log10(c.ec50_high_um)] : [e];
    const tops = c.top_dose_effect_low !== undefined ? [c.top_dose_effect_low, c.top_dose_effect_high] : [];
    const xs = Array.from({ length: 61 }, (_, i) => low + (high - low) * i / 60);
    const fit = xs.map((x) => [x, c.level_without_dose + c.full_effect * shape(x, e, h, g)]);
    const band = tops.length ? xs.map((x, i) => {
      const all = [fit[i][1], ...ends.flatMap((ec) => tops.map((top) => at(x, ec, top)))];
      return [x, Math.min(...all), Math.max(...all)];
    }) : null;
    return { fit, band, e };
  };

  const marker = (kind, x, y, r) => {
    if (kind === 1) return makeSvg("rect", { x: x - r * 0.9, y: y - r * 0.9, width: 1.8 * r, height: 1.8 * r });
    const points = { 2: [[0, -1.2], [1.1, 0.8], [-1.1, 0.8]], 3: [[0, -1.3], [1.2, 0], [0, 1.3], [-1.2, 0]], 4: [[0, 1.2], [1.1, -0.8], [-1.1, -0.8]] }[kind];
    if (!points) return makeSvg("circle", { cx: x, cy: y, r });
    return makeSvg("polygon", { points: points.map(([a, b]) => (x + a * r).toFixed(1) + "," + (y + b * r).toFixed(1)).join(" ") });
  };
  const label = (x, y, text, more) => {
    const node = makeSvg("text", { x, y, ...more });
    node.textContent = text;
    return node;
  };
  const ticks = (low, high, n) => {
    const raw = (high - low) / n, unit = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((k) => k * unit).find((s) => s >= raw * 0.999);
    const found = [];
    for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + 1e-9; v += step) found.push(Math.abs(v) < 1e-12 ? 0 : v);
    return found;
  };
  const path = (points, x, y) => points.map(([a, b], i) => (i ? "L" : "M") + x(a).toFixed(1) + " " + y(b).toFixed(1)).join("");

  // One panel of points over the dose; returns nothing but draws into the picture.
  const panel = (svg, box, x, panelData) => {
    const { points, bands, curve, rows, low, high, title, small, asShare, gate } = panelData;
    const y = (v) => box.bottom - (Math.min(Math.max(v, low), high) - low) / (high - low) * (box.bottom - box.top);
    bands.forEach(([ends, fill]) => ends && svg.append(makeSvg("rect", { x: box.left, width: box.right - box.left, y: y(ends[1]), height: Math.max(y(ends[0]) - y(ends[1]), 1), fill, "fill-opacity": 0.13 })));
    ticks(low, high, small ? 2 : 4).forEach((v) => {
      svg.append(makeSvg("line", { x1: box.left, x2: box.right, y1: y(v), y2: y(v), class: "grid" }));
      svg.append(label(box.left - 6, y(v) + 3.5, asShare ? words.share(v) : words.short(v), { "text-anchor": "end" }));
    });
    if (gate !== null && gate !== undefined && gate > low) {
      svg.append(makeSvg("line", { x1: box.left, x2: box.right, y1: y(gate), y2: y(gate), class: "gate" }));
      if (!small) svg.append(label(box.left + 5, y(gate) + 13, "toxicity gate " + words.share(gate), {}));
    }
    if (curve && curve.band) {
      const up = curve.band.map(([a, , b]) => [a, b]), down = curve.band.map(([a, b]) => [a, b]).reverse();
      svg.append(makeSvg("path", { d: path(up, x, y) + path(down, x, y).replace("M", "L") + "Z", class: "fit-band" }));
    }
    if (curve) svg.append(makeSvg("path", { d: path(curve.fit, x, y), class: "fit" }));
    else if (rows.length > 1) svg.append(makeSvg("path", { d: path(rows, x, y), class: "medians" }));
    const group = makeSvg("g", { class: "wells" });
    points.forEach(({ at, value, kind, words: about }) => {
      const mark = marker(kind, x(at), y(value), small ? 2.6 : 3.6);
      if (!small) mark.append(Object.assign(makeSvg("title", {}), { textContent: about }));
      group.append(mark);
    });
    svg.append(group);
    if (!small) svg.append(label(box.left - 58, (box.top + box.bottom) / 2, title, { "text-anchor": "middle", transform: "rotate(-90 " + (box.left - 58) + " " + (box.top + box.bottom) / 2 + ")" }));
  };

  // The picture of a compound; `small` for a card.
  seno.doseCurve = (compound, { small = false } = {}) => {
    const { page, controls } = compound;
    const all = page.wells ? page.wells.filter(scored) : [];
    const at = all.some((w) => w[RESCUE] !== null) ? RESCUE : ROBUST;
    const known = all.filter((w) => w[at] !== null);
    if (!known.length) return seno.make("span", "No scored well.", "fine");
    const dosed = known.filter((w) => w[DOSE] > 0);
    const place = (w) => dosed.length ? Math.log10(w[DOSE]) : 0;
    const shown = dosed.length ? dosed : known;
    const name = at === RESCUE ? "rescue" : "robust_z";
    const plates = [...new Set(all.map((w) => w[PLATE]))];
    const width = small ? 230 : innerWidth < 760 ? 400 : 640, foot = small ? 24 : 40;
    const box = { left: small ? 34 : 72, right: width - 10, top: 8, bottom: small ? 84 : 260 };
    const under = { left: box.left, right: box.right, top: box.bottom + (small ? 8 : 22), bottom: box.bottom + (small ? 34 : 120) };
    const svg = makeSvg("svg", { viewBox: "0 0 " + width + " " + (under.bottom + foot), role: "img", class: "dose-curve",
      "aria-label": (at === RESCUE ? "Rescue" : "Robust z") + " and cell number of " + compound.value("shown_name") + " at each dose" });
    const xs = shown.map(place), first = Math.min(...xs) - 0.2, last = Math.max(...xs) + 0.2;
    const x = (v) => box.left + (v - first) / (last - first) * (box.right - box.left);
    const points = (list, column, show) => list.filter((w) => w[column] !== null).map((w) => ({
      at: place(w), value: w[column], kind: plates.length > 5 ? 0 : plates.indexOf(w[PLATE]),
      words: controls.plates[w[PLATE]] + " " + w[1] + ", " + words.dose(w[DOSE]) + ": " + show(w[column]) }));
    const courses = (list, column) => [...new Set(list.map(place))].sort((a, b) => a - b)
      .map((d) => [d, middle(list.filter((w) => place(w) === d && w[column] !== null).map((w) => w[column]))]).filter((p) => p[1] !== null);
    const bands = [[bandOf(compound, "unstressed", name), "#1f6fb4"], [bandOf(compound, "stressed", name), "#c25a10"]];
    const rest = at === RESCUE ? [0, 1] : [-3, 3];
    const values = [...shown.map((w) => w[at]), ...bands.flatMap(([b]) => b || []), ...rest];
    const curves = page.curves || {}, curve = curveOf(curves[name]), counted = curveOf(curves.relative_count);
    const limit = at === RESCUE ? 4 : 40;
    panel(svg, box, x, { points: points(shown, at, (v) => words.number(v, 2)), bands, curve, rows: courses(shown, at), small,
      low: Math.max(Math.min(...values), -limit) - 0.1, high: Math.min(Math.max(...values), limit) + 0.1,
      title: at === RESCUE ? "rescue: 0 stressed, 1 healthy" : "robust z" });
    const counts = shown.filter((w) => w[COUNT] !== null);
    if (counts.length) panel(svg, under, x, { points: points(counts, COUNT, words.share),
      bands: small ? [] : [[bandOf(compound, "stressed", "relative_count"), "#c25a10"]], curve: counted, rows: courses(counts, COUNT), small, asShare: true,
      low: 0, high: Math.max(1.25, Math.min(Math.max(...counts.map((w) => w[COUNT])), 3)), title: "cells / vehicle", gate: controls.gate });
    const doses = [...new Set(dosed.map((w) => w[DOSE]))].sort((a, b) => a - b);
    const every = Math.ceil(doses.length / (small ? 3 : width < 600 ? 5 : 8));
    svg.append(makeSvg("line", { x1: box.left, x2: box.right, y1: under.bottom + 4, y2: under.bottom + 4, class: "axis" }));
    doses.forEach((d, i) => {
      svg.append(makeSvg("line", { x1: x(Math.log10(d)), x2: x(Math.log10(d)), y1: under.bottom + 4, y2: under.bottom + 8, class: "axis" }));
      if (i % every === 0) svg.append(label(x(Math.log10(d)), under.bottom + 19, words.dose(d), { "text-anchor": "middle" }));
    });
    if (!doses.length) svg.append(label((box.left + box.right) / 2, under.bottom + 19, "no dose given", { "text-anchor": "middle" }));
    if (!small && doses.length) svg.append(label((box.left + box.right) / 2, under.bottom + 36, "concentration (logarithmic axis)", { "text-anchor": "middle" }));
    if (!small && curve && curves[name].ec50_relation === "=") {
      const c = curves[name], e = x(Math.log10(c.ec50_um));
      svg.append(makeSvg("line", { x1: e, x2: e, y1: box.top, y2: box.bottom, class: "ec50" }));
      if (c.ec50_low_um && c.ec50_high_um) svg.append(makeSvg("line", { x1: Math.max(x(Math.log10(c.ec50_low_um)), box.left), x2: Math.min(x(Math.log10(c.ec50_high_um)), box.right), y1: box.bottom - 5, y2: box.bottom - 5, class: "ec50-range" }));
    }
    return svg;
  };

  seno.curveLegend = (compound) => {
    const { page, controls } = compound, list = seno.make("p", undefined, "fine legend");
    const plates = [...new Set((page.wells || []).map((w) => w[PLATE]))];
    if (plates.length <= 5) plates.forEach((p, i) => {
      const svg = makeSvg("svg", { viewBox: "0 0 12 12", width: 12, height: 12, "aria-hidden": "true", class: "dose-curve" });
      const group = makeSvg("g", { class: "wells" }, marker(i, 6, 6, 3.6));
      svg.append(group);
      list.append(svg, controls.plates[p] + "  ");
    });
    return list;
  };

  // How the scores of single cells spread, beside both vehicles; of wells where no cells are.
  seno.histogram = (compound) => {
    const { page, controls } = compound, n = 24;
    const plates = new Set((page.wells || []).map((w) => controls.plates[w[PLATE]]));
    const sum = (rows) => rows.reduce((a, b) => a.map((v, i) => v + b[i]), new Array(n).fill(0));
    const cells = Boolean(page.cells && controls.range);
    let groups, range;
    if (cells) {
      const of = (state) => sum(Object.entries(controls.states[state].cells || {}).filter(([p]) => plates.has(p)).map(([, c]) => c));
      groups = [of("stressed"), page.cells, of("unstressed")];
      range = controls.range;
    } else {
      const wells = (state) => controls.states[state].score.filter((v, i) => v !== null && plates.has(controls.plates[controls.states[state].plate[i]]));
      const own = (page.wells || []).filter((w) => scored(w) && w[SCORE] !== null).map((w) => w[SCORE]);
      const lists = [wells("stressed"), own, wells("unstressed")], flat = lists.flat();
      if (!own.length) return seno.make("p", "No scores to show.", "empty");
      range = [Math.min(...flat), Math.max(...flat)];
      if (range[0] === range[1]) range = [range[0] - 0.5, range[1] + 0.5];
      const bins = (list) => list.reduce((a, v) => { a[Math.min(n - 1, Math.floor((v - range[0]) / (range[1] - range[0]) * n))] += 1; return a; }, new Array(n).fill(0));
      groups = lists.map(bins);
    }
    const [left, right, height] = [10, 430, 54];
    const names = ["Stressed vehicle", "This compound", "Healthy vehicle"], fills = ["#c25a10", "#0b6b66", "#1f6fb4"];
    const unit = cells ? "cells" : "wells";
    const svg = makeSvg("svg", { viewBox: "0 0 440 240", role: "img", class: "spread", "aria-label": "How the scores of " + unit + " spread: " + groups.map((g, i) => names[i] + " " + sum([g]).reduce((a, b) => a + b, 0) + " " + unit).join(", ") });
    groups.forEach((counts, row) => {
      const total = counts.reduce((a, b) => a + b, 0), most = Math.max(...counts, 1), base = 64 + row * 72;
      counts.forEach((c, i) => c && svg.append(makeSvg("rect", { x: left + i * (right - left) / n + 0.5, width: (right - left) / n - 1, y: base - height * 0.78 * c / most, height: height * 0.78 * c / most, fill: fills[row], "fill-opacity": row === 1 ? 0.9 : 0.6 })));
      svg.append(makeSvg("line", { x1: left, x2: right, y1: base, y2: base, class: "axis" }));
      svg.append(label(left, base - height + 4, names[row] + ", " + total.toLocaleString("en").replace(/,/g, " ") + " " + unit, {}));
    });
    [0, 0.5, 1].forEach((s) => svg.append(label(left + s * (right - left), 228, words.short(range[0] + s * (range[1] - range[0])), { "text-anchor": s === 0 ? "start" : s === 1 ? "end" : "middle" })));
    svg.append(label(left + 0.25 * (right - left), 228, "score", { "text-anchor": "middle" }));
    return svg;
  };
})();
