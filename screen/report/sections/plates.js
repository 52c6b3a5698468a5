(async () => {
  const view = document.getElementById("plate-view");
  if (!view) return;
  const { make } = seno;
  const head = await seno.data("plates");
  const maps = seno.plateMaps(head), charts = seno.plateCharts(head, maps);
  const film = document.getElementById("film"), chooser = document.getElementById("plate-chosen");
  const worst = head.plates.map((_, at) => at).sort((a, b) => head.plates[a].turn - head.plates[b].turn);
  const wellsOf = async (at) => (await seno.data("wells-" + Math.floor(at / head.batch)))[at % head.batch];

  // A well in words.
  const words = head.words;
  const facts = (plate, wells, i) => {
    const [name, id, rank] = wells.c[i] < 0 ? ["no compound", "", null] : words.compounds[wells.c[i]];
    return { name, id, rank, dose: wells.d[i] < 0 ? "" : words.doses[wells.d[i]],
      purpose: words.purposes[wells.p[i]][0], fate: words.fates[wells.f[i]],
      values: head.measures.map((m, k) => `${m.title}: ${maps.number(wells.v[k][i], m.digits)}`) };
  };
  const describe = (plate, wells, i) => {
    const title = make("b", `${maps.wellName(i)} · ${plate.name}`);
    if (wells.p[i] < 0) return [title, make("i", "not on the plate map")];
    const well = facts(plate, wells, i), [status, , marks] = well.fate;
    return [title, make("div", [well.name, well.id && `(${well.id})`].filter(Boolean).join(" ") + (well.dose ? ", " + well.dose : "")), make("i", well.purpose),
      ...well.values.map((v) => make("div", v)), make("i", status), ...(marks.length ? [make("div", "Flags: " + marks.join(", "))] : [])];
  };
  // The well that was chosen, with what its codes mean and where more of it lies.
  const panel = (plate, wells, i) => {
    const where = `${maps.wellName(i)} on ${plate.name}`, row = make("p");
    row.append(make("b", where));
    if (wells.p[i] < 0) return [row, make("p", "This place is not on the plate map.")];
    const well = facts(plate, wells, i), [status, , marks] = well.fate;
    row.append(` · ${well.name}${well.id ? ` (${well.id})` : ""}${well.dose ? ", " + well.dose : ""} · ${well.purpose} · ${status}`);
    const links = make("p", undefined, "links");
    if (well.rank !== null) {
      const link = make("a", "the compound's page");
      link.href = "#compound=" + well.rank;
      links.append(link, " · ");
    }
    const address = seno.wellAddress(plate.id, maps.wellName(i));
    if (address) {
      const link = make("a", "see the well");
      link.href = address;
      links.append(link);
    } else {
      links.append("to see its pictures: ", make("code", `senoscreen view run=${document.querySelector("h1").textContent}`));
    }
    const told = marks.map((m) => make("p", words.codes[m] ? `${m}: ${words.codes[m][0]}; ${words.codes[m][1]}.` : m, "mark-words"));
    return [row, make("p", well.values.join(" · "), "values"), ...told, links];
  };

  // The numbers of a plate beside its words.
  const pairs = (rows) => {
    const list = make("dl", undefined, "numbers");
    rows.filter((r) => r[1]).forEach(([name, value, more]) => {
      const box = make("div"), told = make("dd", value);
      if (more) told.append(" ", make("small", more));
      box.append(make("dt", name), told);
      list.append(box);
    });
    return list;
  };
  const unitWords = (unit, alone) => {
    const box = make("div", undefined, "unit"), left = make("div", undefined, "unit-words");
    if (!alone) left.append(make("h5", unit.plate));
    const told = [unit.reason && unit.reason + ".", unit.wells + ".", unit.scale && `Scale: ${unit.scale}.`, unit.normalizer && unit.normalizer + "."].filter(Boolean);
    told.forEach((t) => left.append(make("p", t)));
    const list = make("ul");
    unit.doubts.forEach((d) => list.append(make("li", d)));
    if (unit.doubts.length) left.append(list);
    box.append(left, pairs([["Z′", unit.z_prime, unit.z_prime_interval], ["Robust Z′", unit.robust_z_prime], ["SSMD", unit.ssmd, unit.ssmd_interval],
      ["Wells healthy / stressed", unit.n_controls], ["Median score healthy / stressed", unit.medians], ["Cells per stressed vehicle well", unit.cells],
      ["Agrees with replicates", unit.replicates], ...unit.effects.map(([name, size, p, sure]) => [name, size, `p ${p}${sure ? ", sure" : ""}`])]));
    return box;
  };

  let chosen = -1, at = -1, drawn = null, kept = null;
  const clear = () => {
    if (at >= 0) drawn.shown.forEach((own) => own[at] && own[at].classList.remove("at"));
    at = -1;
    seno.hideTip();
  };
  const mark = (own, i) => {
    clear();
    at = i;
    drawn.shown.forEach((s) => s[i] && s[i].classList.add("at"));
    seno.showTip(own[i].getBoundingClientRect(), ...describe(drawn.plate, drawn.wells, i));
  };
  const keep = (i) => {
    if (kept !== null) drawn.shown.forEach((own) => own[kept] && own[kept].classList.remove("kept"));
    kept = i;
    drawn.shown.forEach((own) => own[i] && own[i].classList.add("kept"));
    drawn.panel.replaceChildren(...panel(drawn.plate, drawn.wells, i));
  };
  addEventListener("scroll", seno.hideTip, { passive: true });
  const listen = (node, own) => {
    node.addEventListener("pointerover", (event) => event.target.dataset.i === undefined ? clear() : mark(own, Number(event.target.dataset.i)));
    node.addEventListener("pointerleave", clear);
    node.addEventListener("blur", clear);
    node.addEventListener("click", (event) => { if (event.target.dataset.i !== undefined) keep(Number(event.target.dataset.i)); });
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -head.columns, ArrowDown: head.columns };
    node.addEventListener("keydown", (event) => {
      if (event.key === "Escape") clear();
      if (event.key === "Enter" && at >= 0) keep(at);
      if (!(event.key in steps)) return;
      event.preventDefault();
      const next = at < 0 ? kept === null ? 0 : kept : at + steps[event.key];
      if (next >= 0 && next < head.rows.length * head.columns) mark(own, next);
    });
  };

  const mapsOf = (plate, wells) => {
    const grid = make("div", undefined, head.columns > 24 ? "maps large" : "maps");
    const found = head.measures.map((_, k) => maps.draw(plate, wells, k));
    found.forEach((m) => grid.append(m.figure));
    const strips = charts.strips(plate, wells), figure = make("figure");
    figure.append(make("figcaption", "Control wells"), strips.chart,
      make("p", `A dot a well, a line at the median. Pale bands: mean ± 3 sd; Z′ is the gap between them over the distance of the means. One axis (${head.readout.name}) for all plates.`, "fine"));
    grid.append(figure);
    return { grid, found, strips };
  };
  const title = (plate) => {
    const node = make("h3", plate.name + " ");
    const word = plate.units.length ? plate.units.find((u) => u.verdict === plate.verdict).verdict_word : "Not judged";
    node.append(make("span", word, "verdict-tag " + plate.verdict));
    if (plate.unscored) node.append(" ", make("span", "without a score: " + plate.unscored, "fine"));
    return node;
  };
  const key = (kind, text) => {
    const node = make("span", undefined, "key"), picture = seno.makeSvg("svg", { viewBox: "0 0 12 12", "aria-hidden": true });
    picture.append(seno.makeSvg("rect", { class: kind, x: 1, y: 1, width: 10, height: 10 }));
    node.append(picture, text);
    return node;
  };
  const keys = () => {
    const node = make("p", undefined, "keys");
    node.append(key("ring healthy", "healthy vehicle"), key("ring stressed", "stressed vehicle"), key("ring reference", "reference"),
      key("w missing", "no value"), key("w none", "not on the plate map"), key("margin", "row and column medians of the sample wells, less the plate's"));
    return node;
  };
  const turn = (step) => {
    const place = worst.indexOf(chosen) + step;
    if (place >= 0 && place < worst.length) choose(worst[place]);
  };
  const button = (text, name, step) => {
    const node = make("button", text, "turn");
    node.type = "button";
    node.setAttribute("aria-label", name);
    node.addEventListener("click", () => turn(step));
    return node;
  };

  const show = (plate, wells) => {
    clear();
    kept = null;
    const { grid, found, strips } = mapsOf(plate, wells), box = make("header"), own = make("div", undefined, "well-panel");
    box.append(title(plate));
    if (head.plates.length > 1) box.append(button("←", "Plate before", -1), button("→", "Next plate", 1));
    own.append(make("p", "Point at a well, or focus a map and use the arrow keys, to read it on all maps at once. Click it (or press Enter) to keep it here.", "fine"));
    drawn = { plate, wells, panel: own, shown: [...found.map((m) => m.squares), strips.dots] };
    view.replaceChildren(box, ...plate.units.map((u) => unitWords(u, plate.units.length === 1)), own, keys(), grid);
    found.forEach((m) => listen(m.map, m.squares));
    listen(strips.chart, strips.dots);
  };
  const choose = async (index) => {
    chosen = index;
    chooser.value = index;
    film.querySelectorAll("button").forEach((b) => b.setAttribute("aria-pressed", Number(b.dataset.at) === index));
    followers.forEach((follow) => follow(index));
    const wells = await wellsOf(index);
    if (chosen === index && (!drawn || drawn.plate !== head.plates[index])) show(head.plates[index], wells);
  };

  const followers = [];
  const order = charts.order();
  document.getElementById("z-order").append(order.chart);
  followers.push(order.choose);

  // The strip of all plates, each drawn when it comes near.
  const measure = document.getElementById("film-measure");
  head.measures.forEach((m, k) => measure.add(new Option(m.title, k)));
  measure.value = 1;
  const thumbnails = worst.map((index) => {
    const plate = head.plates[index], node = make("button", undefined, plate.verdict), canvas = make("canvas");
    node.type = "button";
    node.dataset.at = index;
    node.append(canvas, make("span", plate.name));
    node.title = plate.units.map((u) => `${u.verdict_word}: ${u.reason}`).join("; ");
    node.addEventListener("click", () => choose(index));
    chooser.add(new Option(plate.name + (plate.verdict === "pass" ? "" : ` (${plate.verdict})`), index));
    const paint = async () => maps.thumbnail(canvas, await wellsOf(index), Number(measure.value));
    seno.whenNear(node, () => { node.dataset.near = ""; paint(); });
    return { node, paint };
  });
  film.append(...thumbnails.map((t) => t.node));
  measure.addEventListener("change", () => thumbnails.filter((t) => "near" in t.node.dataset).forEach((t) => t.paint()));
  chooser.addEventListener("change", () => choose(Number(chooser.value)));
  if (head.plates.length === 1) [film, film.previousElementSibling].forEach((n) => { n.hidden = true; });

  const pairsBox = document.getElementById("replicates");
  if (pairsBox) {
    seno.whenNear(pairsBox, () => {
      const scatter = charts.replicates();
      pairsBox.prepend(scatter.chart);
      followers.push(scatter.choose);
      scatter.choose(chosen);
    });
  }

  const numbers = document.getElementById("plate-numbers");
  const table = () => {
    const names = ["Plate", "Verdict", "Z′", "Robust Z′", "SSMD", "Wells healthy / stressed", "Median score healthy / stressed", "Cells", "Scored"];
    const node = make("table", undefined, "quality"), top = node.createTHead().insertRow(), body = node.createTBody();
    names.forEach((n) => { const cell = make("th", n); cell.scope = "col"; top.append(cell); });
    head.plates.flatMap((p) => p.units).forEach((u) => {
      const row = body.insertRow(), name = make("th", u.plate), verdict = row.insertCell();
      name.scope = "row";
      row.prepend(name);
      verdict.append(make("span", u.verdict_word, "verdict-tag " + u.verdict));
      [u.z_prime + (u.z_prime_interval ? ` (${u.z_prime_interval})` : ""), u.robust_z_prime, u.ssmd, u.n_controls, u.medians, u.cells, u.wells].forEach((v) => { row.insertCell().textContent = v; });
    });
    numbers.querySelector(".scroll").replaceChildren(node);
  };
  numbers.addEventListener("toggle", table, { once: true });

  // On paper: the chosen plate, and the failing ones beside it.
  const paper = document.getElementById("print-plates");
  const failing = worst.filter((i) => head.plates[i].verdict === "fail").slice(0, 4);
  const ready = new Map();
  addEventListener("beforeprint", () => {
    paper.replaceChildren(...failing.filter((i) => i !== chosen && ready.has(i)).map((i) => {
      const plate = head.plates[i], box = make("article", undefined, "plate");
      box.append(title(plate), ...plate.units.map((u) => unitWords(u, plate.units.length === 1)), mapsOf(plate, ready.get(i)).grid);
      return box;
    }));
  });
  addEventListener("afterprint", () => paper.replaceChildren());

  // Addresses: #plate=P01, #well=P01/A03.
  const named = (text) => head.plates.findIndex((p) => p.id === text || p.name === text);
  seno.take("plate", async (text) => {
    const index = named(text);
    if (index < 0) return;
    await choose(index);
    view.scrollIntoView();
  });
  seno.take("well", async (text) => {
    const cut = text.lastIndexOf("/"), index = named(text.slice(0, cut)), well = maps.wellIndex(text.slice(cut + 1));
    if (index < 0 || well < 0) return;
    await choose(index);
    keep(well);
    view.scrollIntoView();
  });
  if (chosen < 0) choose(worst[0]);
  failing.forEach(async (i) => ready.set(i, await wellsOf(i)));
})();
