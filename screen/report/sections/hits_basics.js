// One compound put together from the islands: its row of the table and its own page.
(() => {
  const { make, makeSvg, data } = seno;
  const size = 100;  // compounds of an island

  let places = null;
  seno.compound = async (key) => {
    const all = await data("compounds");
    if (!all) return null;
    places = places || new Map(all.keys.map((k, i) => [k, i]));
    const at = places.get(key);
    if (at === undefined) return null;
    const [chunk, controls] = await Promise.all(
      [data("compounds-" + Math.floor(at / size)), data("controls")]);
    const value = (name, row) => (all.values[name] || [])[row === undefined ? at : row] ?? null;
    return { key, at, all, value, page: chunk[at % size], controls };
  };

  // Numbers as the page prints them.
  const sign = (text) => text.replace("-", "−");
  const number = (v, digits) => v === null || v === undefined ? "–" : sign(v.toFixed(digits));
  const short = (v) => v === null || v === undefined ? "–" : sign(String(Number(v.toPrecision(3))));
  const share = (v) => v === null || v === undefined ? "–" : Math.round(100 * v) + " %";
  const probability = (v) => v === null || v === undefined ? "–" : v < 1e-4 ? "< 0.0001"
    : v < 0.01 ? v.toFixed(4) : v < 0.1 ? v.toFixed(3) : v.toFixed(2);
  const dose = (um) => {
    if (um === null || um === undefined) return "–";
    if (um > 0 && um < 0.1) return short(um * 1e3) + " nM";
    return um >= 1000 ? short(um / 1e3) + " mM" : short(um) + " µM";
  };
  // Both ends in one unit where they share it: 0.5 to 2 µM.
  const doses = (low, high) => {
    const a = low === null || low === undefined ? "…" : dose(low), b = high === null || high === undefined ? "…" : dose(high);
    const unit = b.split(" ")[1];
    return (a.split(" ")[1] === unit ? a.split(" ")[0] : a) + " to " + b;
  };
  seno.words = { number, short, share, probability, dose, doses };

  // A structure: strokes, fills and letters, heteroatoms in their usual colours.
  const colours = { N: "#2540b8", O: "#b3261e", S: "#7a5c00", F: "#1d6b2c", C: "#1b2632", B: "#8a4b2a", P: "#9a4a00", I: "#5b2a86" };
  seno.drawInk = (ink, label) => {
    if (!Array.isArray(ink)) return make("span");
    const [strokes, fills, letters] = ink;
    const svg = makeSvg("svg", { viewBox: "0 0 480 340", role: "img", "aria-label": label, class: "ink" });
    svg.append(makeSvg("path", { d: strokes, fill: "none", stroke: "#1b2632", "stroke-width": 3, "stroke-linecap": "round" }));
    if (fills) svg.append(makeSvg("path", { d: fills, fill: "#1b2632" }));
    let last = "#1b2632";
    letters.forEach(([x, y, px, text]) => {
      // Hydrogens, charges and counts follow the atom that they stand by.
      last = /[A-GI-Z]/.test(text) ? colours[text] || "#1b2632" : last;
      const node = makeSvg("text", { x, y });
      node.style.fill = last;  // the page's own style would win over attributes
      node.style.fontSize = px + "px";
      node.textContent = text;
      svg.append(node);
    });
    return svg;
  };
})();
