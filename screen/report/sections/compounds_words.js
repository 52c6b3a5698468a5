// The parts of a compound's page, from its row, its wells and what stands behind its call.
(() => {
  const { make, words } = seno;
  const part = (title, ...inside) => {
    const node = make("section");
    node.append(make("h3", title), ...inside.filter(Boolean));
    return node;
  };
  const whole = (text) => text && text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
  const list = (items) => {
    const node = make("ul");
    node.append(...items.map((text) => make("li", text)));
    return node;
  };
  const facts = (pairs, kind) => {
    const node = make("dl", undefined, kind);
    pairs.filter(([, v]) => v !== null && v !== "" && v !== "–").forEach(([name, value]) => {
      const one = make("div");
      one.append(make("dt", name), make("dd", value));
      node.append(one);
    });
    return node;
  };
  const between = (low, high, digits) => low === null || high === null ? "" : " (" + words.number(low, digits) + " to " + words.number(high, digits) + ")";
  const potency = (c, name) => {
    const sign = c[name + "_relation"];
    if (!sign) return "–";
    const low = c[name + "_low_um"], high = c[name + "_high_um"];
    const ends = low === undefined && high === undefined ? "" : " (" + words.doses(low, high) + ")";
    return (sign === "=" ? "" : sign + " ") + words.dose(c[name + "_um"]) + ends;
  };

  const head = (compound, title) => {
    const { value, all } = compound, node = make("header"), kind = value("class"), known = all.classes[kind];
    const line = make("p", undefined, "compound-tags");
    line.append(make("span", "rank " + (value("rank") ?? "–"), "fine"), make("span", known ? known[0] : kind, known ? "tag " + kind : "tag"));
    if (value("is_hit")) line.append(make("span", "hit", "tag hit"));
    (value("flags") || "").split(";").filter(Boolean).forEach((f) => line.append(make("span", f, "flag")));
    node.append(title, line);
    if (known) node.append(make("p", known[1], "fine"));
    return node;
  };
  const numbers = (compound) => {
    const { value, page } = compound, v = value;
    const curves = page.curves || {}, effect = curves.rescue || curves.robust_z || {}, count = curves.relative_count || {};
    return facts([
      ["Rescue", v("rescue") === null ? "–" : words.number(v("rescue"), 2) + between(v("rescue_low"), v("rescue_high"), 2)],
      ["Robust z", words.number(v("robust_z"), 1)],
      ["q, any effect", words.probability(v("q"))], ["q, rescue", words.probability(v("q_rescue"))],
      ["Place by effect", v("rank_low") === null ? "–" : words.number(v("rank_low"), 0) + " to " + words.number(v("rank_high"), 0)],
      ["Class certainty", words.share(v("p_class"))],
      ["Best dose", words.dose(v("best_concentration_um"))],
      ["EC50", potency(effect, "ec50")], ["AC50", potency(effect, "absolute_ec50")], ["EC50, cells", potency(count, "ec50")],
      ["Cell number", words.share(v("relative_count"))],
      ["Senescent cells", v("n_sen_ratio") === null ? "–" : "× " + words.number(v("n_sen_ratio"), 2)],
      ["Young cells", v("n_non_ratio") === null ? "–" : "× " + words.number(v("n_non_ratio"), 2)],
      ["Tested in", (v("n_wells") ?? 0) + " wells, " + (v("n_replicates") ?? 0) + " at the best dose"],
    ], "effects");
  };
  const chemistry = (compound) => {
    const { value, page } = compound, node = make("div", undefined, "chemistry");
    node.append(page.ink ? seno.drawInk(page.ink, "Structure of " + value("shown_name"))
      : make("p", value("code") ? "No structure drawn: " + value("code") : value("smiles") ? "No structure drawn." : "No structure given.", "empty"));
    const plain = (v) => (v || "").split(";").filter(Boolean).join(", ");
    const by = value("matched_by");
    node.append(facts([
      ["Id", value("compound")], ["InChIKey", value("inchikey")], ["SMILES", value("smiles")], ["Formula", value("formula")],
      ["Mass", words.number(value("mol_weight"), 1)], ["logP", words.number(value("logp"), 1)], ["QED", words.number(value("qed"), 2)],
      ["Scaffold", value("scaffold") && value("scaffold_cluster") + ": " + value("scaffold")],
      ["Salt", value("salt")], ["Not told", plain(value("marks"))], ["Alerts", plain(value("alerts"))],
      ["Same structure", plain(value("aliases"))], ["Found by", by === "id" ? "" : plain(by)],
      ["Interference", value("interference_seen") || value("interference")],
      ["Stage", value("stage")], ["By hand", value("by_hand") && value("by_hand") + (value("by_hand_reason") ? ": " + value("by_hand_reason") : "")],
      ["Taken from", (page.sources || []).map(([p, w, s]) => p + " " + w + " (" + s + ")").join(", ")],
    ], "facts"));
    return node;
  };

  // Wells: a small plate for each, the address of the well on the plate maps, the numbers.
  const glyph = (compound, row) => {
    const match = /^([A-Z]+)(\d+)$/.exec(row[1]);
    if (!match) return make("span");
    const wells = compound.page.wells.filter((w) => w[0] === row[0]);
    const numberOf = (letters) => [...letters].reduce((a, c) => a * 26 + c.charCodeAt(0) - 64, 0) - 1;
    const format = [[8, 12], [16, 24], [32, 48]].find(([r, c]) => wells.every((w) => { const m = /^([A-Z]+)(\d+)$/.exec(w[1]); return m && numberOf(m[1]) < r && m[2] <= c; })) || [32, 48];
    const svg = seno.makeSvg("svg", { viewBox: "0 0 36 24", width: 36, height: 24, "aria-hidden": "true" });
    svg.append(seno.makeSvg("rect", { x: 0.5, y: 0.5, width: 35, height: 23, rx: 2, fill: "none", stroke: "#aab5bf" }));
    svg.append(seno.makeSvg("circle", { cx: 2 + 32 * (match[2] - 0.5) / format[1], cy: 2 + 20 * (numberOf(match[1]) + 0.5) / format[0], r: 2.4, fill: "#0b6b66" }));
    return svg;
  };
  const wellTable = (compound) => {
    const { page, controls } = compound, names = ["", "Plate", "Well", "Dose", "Score", "Rescue", "Robust z", "Cells", "Cells / vehicle", "Status", "Flags"];
    const holder = make("div", undefined, "scroll"), table = make("table", undefined, "well-table"), top = make("tr");
    names.forEach((name, k) => { const h = make("th", name, k > 2 && k < 9 ? "n" : ""); h.scope = "col"; top.append(h); });
    table.createTHead().append(top);
    const body = table.createTBody();
    (page.wells || []).forEach((w) => {
      const row = make("tr"), plate = controls.plates[w[0]], place = make("td"), link = make("a", w[1]);
      const map = make("td");
      map.append(glyph(compound, w));
      link.href = "#well=" + encodeURIComponent(plate + "/" + w[1]);
      link.title = "show on the plate map";
      place.append(link);
      const whole = seno.wellAddress(plate, w[1]);
      if (whole) {
        const more = make("a", "open", "fine");
        more.href = whole;
        more.setAttribute("aria-label", "open well " + plate + " " + w[1] + " in full");
        place.append(" ", more);
      }
      row.append(map, make("td", plate), place, make("td", words.dose(w[2]), "n"), make("td", words.number(w[3], 3), "n"),
        make("td", words.number(w[4], 2), "n"), make("td", words.number(w[5], 1), "n"), make("td", w[7] === null ? "–" : String(w[7]), "n"),
        make("td", words.share(w[6]), "n"), make("td", controls.statuses[w[8]] || w[8]), make("td", w[9].split(";").filter(Boolean).join(", ")));
      body.append(row);
    });
    holder.append(table);
    return holder;
  };
  const near = (compound, found, empty) => {
    if (!found || !found.length) return make("p", empty, "fine");
    const node = make("ol", undefined, "near");
    found.forEach(([i, likeness]) => {
      const item = make("li"), link = make("a", compound.value("shown_name", i)), kind = compound.value("class", i);
      link.href = "#compound=" + encodeURIComponent(compound.all.keys[i]);
      item.append(words.number(likeness, 2) + " ", link, " ", make("span", (compound.all.classes[kind] || [kind])[0], "tag " + kind));
      node.append(item);
    });
    return node;
  };
  const curveWords = (compound) => {
    const curves = compound.page.curves || {}, c = curves.rescue || curves.robust_z;
    const doses = new Set((compound.page.wells || []).map((w) => w[2]).filter((d) => d > 0)).size;
    if (doses < 2) return doses ? "One dose: no curve." : "The wells name no dose: no curve.";
    if (!c) return "No fitted curve: the line joins the medians of each dose.";
    if (!/^logistic/.test(c.model || "")) return "No curve is drawn" + (c.why ? ": " + c.why : c.model === "flat" ? ": the response is flat" : "") + ". The line joins the medians of each dose.";
    const level = compound.controls.level ? Math.round(100 * compound.controls.level) + " % " : "";
    return "Line: the stored fit (" + c.model + "). Shaded: curves through the ends of the stored " + level + "intervals of EC50 and of the effect at the top dose; dashed: EC50." + (c.why ? " Note: " + c.why + "." : "");
  };
  const doseTable = (compound) => {
    const rows = compound.page.doses || [];
    if (rows.length < 2) return null;
    const table = make("table", undefined, "dose-table"), top = make("tr");
    ["Dose", "Effect", "p", "Wells used", "Class"].forEach((n) => { const h = make("th", n, n === "Class" ? "" : "n"); h.scope = "col"; top.append(h); });
    table.createTHead().append(top);
    const body = table.createTBody();
    rows.forEach((d) => {
      const row = make("tr"), kind = compound.all.classes[d[7]];
      row.append(make("td", words.dose(d[0]), "n"), make("td", words.number(d[1], 2) + between(d[2], d[3], 2), "n"), make("td", words.probability(d[5]), "n"),
        make("td", d[6] === null ? "–" : String(d[6]), "n"), make("td", kind ? kind[0] : d[7] || "–"));
      body.append(row);
    });
    const holder = make("div", undefined, "scroll");
    holder.append(table);
    return holder;
  };
  const sameScaffold = (compound) => {
    const mine = compound.value("scaffold_cluster"), same = (compound.all.values.scaffold_cluster || []).filter((s) => s === mine).length;
    if (!mine || same < 2 || !seno.filterBy) return null;
    const link = make("a", "All " + same + " compounds of scaffold " + mine + " in the table");
    link.href = "#compounds";
    link.addEventListener("click", () => seno.filterBy("scaffold", mine));
    const line = make("p", undefined, "fine");
    line.append(link);
    return line;
  };

  seno.compoundParts = (compound, title) => {
    const { page, value, controls } = compound;
    const curve = make("figure");
    curve.append(seno.doseCurve(compound), seno.curveLegend(compound), make("figcaption", curveWords(compound) + " Blue band: healthy vehicle wells, orange: stressed (middle 80 %) of the same plates.", "fine"));
    const spread = make("figure");
    spread.append(seno.histogram(compound), make("figcaption", page.cells ? "Cells at the best dose; controls of the same plates." : "Scores of wells, controls of the same plates; the run holds no scores of single cells.", "fine"));
    const cells = part("Cells", make("p", "Opening the pictures …", "fine"));
    Promise.all([seno.gallery(compound), seno.maps(compound)]).then((found) => cells.lastElementChild.replaceWith(...found));
    const why = part("Why it was called", make("p", whole(value("why")) || "No reason was stored."), page.removed && make("p", "Quality control: " + page.removed));
    const change = part("What would overturn it", list(page.overturn || []));
    const top = make("div", undefined, "compound-top"), middle = make("div", undefined, "compound-two"), reasons = make("div", undefined, "compound-two"), likes = make("div", undefined, "compound-two");
    top.append(chemistry(compound), numbers(compound));
    reasons.append(why, change);
    middle.append(part("Dose response", curve, doseTable(compound)), part("How the scores spread", spread));
    likes.append(part("Nearest by structure", make("p", "Tanimoto of Morgan fingerprints.", "fine"), near(compound, page.near, "No other compound with a structure is near, or this one has none."), sameScaffold(compound)),
      part("Nearest by the look of the cells", make("p", controls.near, "fine"), value("class") === "inactive" && make("p", "This compound is not told apart from the vehicle: its neighbours here may be chance.", "fine"), near(compound, page.alike, "Too little was measured to compare.")));
    return [head(compound, title), top, reasons, middle, cells, part("Every well", wellTable(compound)), likes];
  };
})();
