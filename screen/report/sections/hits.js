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
  const filled = new Set();
  const once = (card) => filled.has(card) ? null : (filled.add(card), fill(card));
  const cards = [...document.querySelectorAll(".hit-card")];
  cards.forEach((card) => seno.whenNear(card, once));
  // The first are drawn in a quiet moment too, so that paper shows them unseen.
  (window.requestIdleCallback || setTimeout)(() => cards.slice(0, 24).forEach(once));
})();
