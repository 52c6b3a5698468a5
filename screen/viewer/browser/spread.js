// How the cells of the well are spread over the score, against both vehicles.
import { make, makeSvg } from "./make.js";
import { scoreColour } from "./colours.js";

const WIDTH = 300, HEIGHT = 92, FLOOR = 74;

export class Spread {
  constructor(node) {
    this.node = node;
  }

  set(cells, spread, field) {
    const scores = cells.score.filter((s) => s !== null);
    const { low, high, ends } = spread;
    Object.assign(this, { low, high });
    if (!cells.score.length) {
      this.node.replaceChildren(make("p", "No cell is known in this well.", "fine"));
      return;
    }
    if (!scores.length) {
      this.node.replaceChildren(make("p", "The model learnt from this well, so its cells have no score.", "fine"));
      return;
    }
    const n = ends.stressed.bins.length, own = new Array(n).fill(0);
    for (const s of scores) own[Math.min(n - 1, Math.max(0, Math.floor(((s - low) / (high - low)) * n)))] += 1 / scores.length;
    const tall = Math.max(...own, ...ends.stressed.bins, ...ends.healthy.bins, 1e-9);
    const x = (k) => (k / n) * WIDTH, y = (share) => FLOOR - (share / tall) * (FLOOR - 6);
    const svg = makeSvg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "spread", role: "img",
      "aria-label": `Scores of ${scores.length} cells of this well, and of the cells of both vehicles` });
    own.forEach((share, k) => svg.append(makeSvg("rect", { x: x(k) + 0.5, y: y(share), width: WIDTH / n - 1, height: FLOOR - y(share),
      fill: scoreColour(low + ((k + 0.5) / n) * (high - low), low, high) })));
    for (const [name, end] of Object.entries(ends)) {
      if (end.n) svg.append(makeSvg("path", { d: this.steps(end.bins, x, y), class: "end-line " + name }));
    }
    svg.append(makeSvg("line", { x1: 0, x2: WIDTH, y1: FLOOR, y2: FLOOR, class: "axis" }));
    for (const t of [0, 0.5, 1]) {
      const at = low + t * (high - low);
      svg.append(makeSvg("text", { x: t * WIDTH, y: HEIGHT - 4, "text-anchor": ["start", "middle", "end"][t * 2] }, String(Number(at.toFixed(2)))));
    }
    this.mark = makeSvg("line", { x1: 0, x2: 0, y1: 0, y2: FLOOR, class: "at", visibility: "hidden" });
    svg.append(this.mark);
    this.node.replaceChildren(svg, this.words(cells, scores, ends, field));
  }

  steps(bins, x, y) {
    return "M0," + FLOOR + bins.map((s, k) => `V${y(s).toFixed(1)}H${x(k + 1).toFixed(1)}`).join("") + "V" + FLOOR;
  }

  words(cells, scores, ends, field) {
    const node = make("div", undefined, "legend");
    const here = cells.field.filter((f) => f === field).length;
    node.append(make("span", `bars: ${scores.length.toLocaleString("en")} cells of this well, ${here.toLocaleString("en")} in this field`));
    for (const [name, word] of [["stressed", "stressed vehicle"], ["healthy", "healthy vehicle"]]) {
      const key = make("span", undefined, "key " + name);
      key.append(makeSvg("svg", { viewBox: "0 0 14 10" }, makeSvg("line", { x1: 0, x2: 14, y1: 5, y2: 5, class: "end-line " + name })),
        ends[name].n ? `${word}, ${ends[name].n.toLocaleString("en")} cells of ${ends[name].wells.length} wells` : `${word}: none with cells`);
      node.append(key);
    }
    return node;
  }

  // The score of the cell that is pointed at; null: none.
  point(score) {
    if (!this.mark) return;
    this.mark.setAttribute("visibility", score === null || score === undefined ? "hidden" : "visible");
    const at = Math.min(1, Math.max(0, (score - this.low) / (this.high - this.low))) * WIDTH;
    this.mark.setAttribute("x1", at);
    this.mark.setAttribute("x2", at);
  }
}
