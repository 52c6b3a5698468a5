// The small plate map: wells by score, controls with a rim; arrows and Enter choose.
import { make, makeSvg } from "./make.js";
import { scoreColour } from "./colours.js";

const SIDE = 10, TEXT_PX = 9.5, PANEL_PX = 290;
const letters = (row) => (row < 26 ? "" : "A") + String.fromCharCode(65 + (row % 26));
const nameOf = (row, column) => letters(row) + String(column + 1).padStart(2, "0");

const rowOf = (name) => {
  const text = name.replace(/\d+$/, "");
  return text.length > 1 ? 26 + text.charCodeAt(1) - 65 : text.charCodeAt(0) - 65;
};
export const placeOf = (name) => [rowOf(name), Number(name.match(/\d+$/)[0]) - 1];

export class PlateMap {
  constructor(node, onChoose) {
    Object.assign(this, { node, onChoose, at: "" });
    this.told = make("p", undefined, "fine");
    this.told.setAttribute("aria-live", "polite");
  }

  set(plate) {
    this.plate = plate;
    this.wells = new Map(plate.wells.map((w) => [w.well, w]));
    const scores = plate.wells.map((w) => w.score).filter((s) => s !== null).sort((a, b) => a - b);
    this.low = scores[Math.floor(0.02 * (scores.length - 1))] ?? 0;
    this.high = scores[Math.ceil(0.98 * (scores.length - 1))] ?? 1;
    // Letters stay readable on plates of many wells.
    const font = Math.max(5.4, (TEXT_PX * plate.columns * SIDE) / PANEL_PX);
    const edge = (this.edge = Math.max(SIDE, font * 1.75));
    const width = plate.columns * SIDE + edge, height = plate.rows * SIDE + edge;
    const svg = makeSvg("svg", { viewBox: `0 0 ${width} ${height}`, class: "map", tabindex: 0, role: "application",
      "aria-label": "Plate map: arrows move, Enter opens the well" });
    svg.style.maxWidth = (plate.columns + 1) * 30 + "px";
    const every = plate.columns > 24 ? 4 : plate.columns > 12 ? 2 : 1;
    for (let c = 0; c < plate.columns; c += every) svg.append(makeSvg("text", { x: edge + SIDE * (c + 0.5), y: edge - 3, class: "c", "font-size": font }, String(c + 1)));
    for (let r = 0; r < plate.rows; r += plate.rows > 16 ? 2 : 1) svg.append(makeSvg("text", { x: edge - 2.5, y: edge + SIDE * (r + 0.5) + font * 0.36, class: "r", "font-size": font }, letters(r)));
    this.boxes = new Map();
    for (const well of plate.wells) svg.append(this.box(well));
    this.frame = makeSvg("rect", { width: SIDE + 1, height: SIDE + 1, class: "frame", rx: 2 });
    this.cursor = makeSvg("rect", { width: SIDE + 1, height: SIDE + 1, class: "cursor", rx: 2 });
    svg.append(this.frame, this.cursor);
    svg.addEventListener("click", (e) => e.target.dataset.well && this.onChoose(e.target.dataset.well));
    svg.addEventListener("pointermove", (e) => this.tell(e.target.dataset.well || this.at));
    svg.addEventListener("pointerleave", () => this.tell(this.at));
    svg.addEventListener("keydown", (e) => this.key(e));
    svg.addEventListener("blur", () => this.point(this.at));
    this.node.replaceChildren(svg, this.legend(), this.told);
    this.choose(this.at);
  }

  box(well) {
    const [row, column] = placeOf(well.well);
    const kind = well.role === "vehicle" || well.role === "untreated" ? `control ${well.state || ""}` : well.role === "reference" ? "reference" : "";
    const rect = makeSvg("rect", { x: this.edge + SIDE * column + 0.8, y: this.edge + SIDE * row + 0.8, width: SIDE - 1.6, height: SIDE - 1.6, rx: 1.4,
      class: `w ${kind} ${well.score === null ? "none" : ""}`, "data-well": well.well });
    if (well.score !== null) rect.style.fill = scoreColour(well.score, this.low, this.high);
    this.boxes.set(well.well, rect);
    return rect;
  }

  legend() {
    const node = make("div", undefined, "legend");
    const scale = makeSvg("svg", { viewBox: "0 0 100 8", class: "ramp", role: "img", "aria-label": "Colours of the score" });
    const stops = [0, 0.25, 0.5, 0.75, 1].map((t) => makeSvg("stop", { offset: t, "stop-color": scoreColour(t, 0, 1) }));
    scale.append(makeSvg("linearGradient", { id: "ramp" }, ...stops), makeSvg("rect", { width: 100, height: 8, rx: 2, fill: "url(#ramp)" }));
    node.append(make("span", "score " + this.low.toFixed(2)), scale, make("span", this.high.toFixed(2)));
    const keys = [["control stressed", "stressed vehicle"], ["control unstressed", "healthy vehicle"], ["none", "no score"]];
    for (const [kind, word] of keys) {
      const key = make("span", undefined, "key");
      key.append(makeSvg("svg", { viewBox: "0 0 10 10" }, makeSvg("rect", { x: 1, y: 1, width: 8, height: 8, rx: 1.4, class: "w " + kind })), word);
      node.append(key);
    }
    return node;
  }

  move(rect, well) {
    const [row, column] = placeOf(well);
    rect.setAttribute("x", this.edge + SIDE * column - 0.5);
    rect.setAttribute("y", this.edge + SIDE * row - 0.5);
  }

  choose(well) {
    this.at = well;
    if (!this.wells || !this.wells.has(well)) return;
    this.move(this.frame, well);
    this.point(well);
  }

  point(well) {
    if (!this.wells || !this.wells.has(well)) return;
    this.pointed = well;
    this.move(this.cursor, well);
    this.tell(well);
  }

  tell(name) {
    const well = this.wells && this.wells.get(name);
    if (!well) return;
    const score = well.score === null ? (well.status ? "no score" : "not scored yet") : "score " + well.score.toFixed(3);
    this.told.textContent = `${well.well} · ${well.label} · ${score}`;
  }

  key(event) {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (step) {
      const [row, column] = placeOf(this.pointed || this.at);
      const next = nameOf(row + step[0], column + step[1]);
      if (this.wells.has(next)) this.point(next);
    } else if (event.key === "Enter" || event.key === " ") {
      this.onChoose(this.pointed);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
}

