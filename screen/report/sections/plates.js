(async () => {
  if (!document.querySelector("#plates .plate")) return;
  const { make } = seno;
  const data = await seno.data("plates");

  // Plate maps: the same well is marked on every map of its plate.
  const describe = (plate, well) => {
    const [name, compound, dose, purpose, values, status, flags] = well;
    const parts = [make("b", name + " · " + plate.plate)];
    if (well.length === 1) return [...parts, make("i", "not on the plate map")];
    parts.push(make("div", [compound, dose].filter(Boolean).join(", ")), make("i", purpose));
    values.forEach((v, k) => parts.push(make("div", data.measures[k] + ": " + v)));
    parts.push(make("i", status));
    if (flags.length) parts.push(make("div", "Flags: " + flags.join(", ")));
    return parts;
  };
  document.querySelectorAll(".plate").forEach((section) => {
    const plate = data.plates[Number(section.dataset.plate)];
    const maps = [...section.querySelectorAll(".map")];
    const squares = maps.map((m) => [...m.querySelectorAll(".w")]);
    let at = -1;
    const clear = () => {
      if (at >= 0) squares.forEach((s) => s[at].classList.remove("at"));
      at = -1;
      seno.hideTip();
    };
    const mark = (k, index) => {
      clear();
      at = index;
      squares.forEach((s) => s[index].classList.add("at"));
      const box = squares[k][index].getBoundingClientRect();
      seno.showTip(box, ...describe(plate, plate.wells[index]));
    };
    maps.forEach((map, k) => {
      const columns = Number(map.dataset.columns);
      const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
      map.addEventListener("pointerover", (event) => {
        const index = event.target.dataset.i;
        if (index === undefined) clear();
        else mark(k, Number(index));
      });
      map.addEventListener("pointerleave", clear);
      map.addEventListener("blur", clear);
      map.addEventListener("keydown", (event) => {
        if (event.key === "Escape") clear();
        if (!(event.key in steps)) return;
        event.preventDefault();
        const next = at < 0 ? 0 : at + steps[event.key];
        if (next >= 0 && next < plate.wells.length) mark(k, next);
      });
    });
  });
})();
