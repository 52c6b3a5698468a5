(async () => {
  // A card's pictures are drawn when it comes near: structure, dose plot, typical cells.
  const fill = async (card) => {
    const part = (name) => card.querySelector("[data-part=" + name + "]");
    const compound = await seno.compound(card.dataset.key);
    if (!compound) return;
    part("structure").replaceChildren(compound.page.ink
      ? seno.drawInk(compound.page.ink, "Structure of " + compound.value("shown_name"))
      : seno.make("span", "no structure", "fine"));
    part("plot").replaceChildren(seno.doseCurve(compound, { small: true }));
    if (!part("cells")) return;
    const cells = await seno.cellsOf(compound.key);
    part("cells").replaceChildren(...(cells ? [seno.cellImage(cells.own, "typical", "Typical cells")]
      : [seno.make("span", "no cell pictures", "fine")]));
  };
  document.querySelectorAll(".hit-card").forEach((card) => seno.whenNear(card, fill));
})();
