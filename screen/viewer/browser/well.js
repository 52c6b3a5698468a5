// The page of one well: what is chosen, what is asked for, and what is drawn.
import { Wrong, ask, askPixels, byId, make } from "./make.js";
import { Channels } from "./channels.js";
import { drawFacts } from "./facts.js";
import { follow } from "./gestures.js";
import { listen } from "./keys.js";
import { PlateMap } from "./map.js";
import { Picture, View } from "./picture.js";
import { Plane } from "./planes.js";
import { Spread } from "./spread.js";

const AGAIN_MS = 10000, DETAIL_MS = 250;
const at = { run: null, plate: null, well: null, field: 0, beside: "" };
const view = new View();
const channels = new Channels(byId("channels"), (isTurned) => {
  if (isTurned) pictures.forEach((p) => p.load && p.load());
  view.tell();
});
const map = new PlateMap(byId("map"), (well) => go(at.plate.plate, well));
const spread = new Spread(byId("spread"));
const main = newPicture();
const pictures = [main];
let asked = 0;

function newPicture() {
  const picture = new Picture(view, channels.list);
  picture.isMarked = byId("show-cells").checked;
  byId("panes").append(picture.node);
  follow(picture, { onPoint: point, onLeave: unpoint });
  return picture;
}

const fieldKey = (plate, well, field) => ({ plate, well, field });

// Load what is on and not there yet, then draw; the latest wish wins.
const fill = async (picture, place, cells, caption) => {
  const { plate, well, field } = place;
  const wish = (picture.wish = Symbol("wish"));
  picture.place = place;
  const planes = [];
  picture.load = async () => {
    const missing = channels.list.map((c, k) => [c, k]).filter(([c, k]) => c.isOn && !planes[k]);
    const found = await Promise.all(missing.map(([, channel]) => askPixels({ plate, well, field, channel })));
    missing.forEach(([, k], n) => { planes[k] = new Plane(found[n]); });
    if (picture.wish !== wish) return;
    const { low, high } = at.plate.spread;
    picture.show({ planes, cells, low, high, pixelUm: at.plate.image.pixelUm, caption });
    if (picture === main) channels.of(planes);
    sharpen(picture);
  };
  picture.say("Loading…");
  try {
    await picture.load();
  } catch (error) {
    if (picture.wish !== wish) return;
    picture.clear();
    picture.say(error);
    if (picture === main) channels.of([]);
  }
};

// A field that came reduced: every pixel of the part that is looked at closely.
const sharpen = (picture) => {
  clearTimeout(picture.timer);
  const plane = picture.planes.find(Boolean);
  if (!plane || plane.factor < 2) return;
  if (view.zoom * (devicePixelRatio || 1) * plane.factor < 1.5) {
    picture.detail = null;
    return;
  }
  picture.timer = setTimeout(async () => {
    const { left, top, scale } = picture.corner(), { width, height } = picture.pixels;
    const cut = (from, n, end) => [Math.max(0, Math.floor(from)), Math.min(end, Math.ceil(from + n / scale))];
    const [x0, x1] = cut(left, width, view.width), [y0, y1] = cut(top, height, view.height);
    if (x1 <= x0 || y1 <= y0) return;
    const wish = picture.wish, part = { rows: `${y0}-${y1}`, columns: `${x0}-${x1}` };
    try {
      const planes = await Promise.all(channels.list.map((c, channel) =>
        c.isOn ? askPixels({ ...picture.place, channel, ...part }).then((p) => new Plane(p)) : null));
      if (picture.wish !== wish) return;
      picture.detail = { x: x0, y: y0, planes };
      picture.redraw();
    } catch { /* the reduced picture stays */ }
  }, DETAIL_MS);
};
view.watchers.add(() => {
  byId("zoom").textContent = Math.round(view.zoom * 100) + " %";
  pictures.forEach(sharpen);
});

const cellsOf = (cells, field) => {
  const mine = cells.field.map((f, k) => k).filter((k) => cells.field[k] === field);
  return Object.fromEntries(["cell", "y", "x", "score"].map((name) => [name, mine.map((k) => cells[name][k])]));
};

const showField = async () => {
  const { plate, well, cells } = at, found = well.fields[at.field];
  byId("field-place").textContent = well.fields.length ? `field ${at.field + 1} of ${well.fields.length}` : "no field";
  byId("field-back").disabled = at.field <= 0;
  byId("field-on").disabled = at.field >= well.fields.length - 1;
  drawFacts(byId("facts"), well, at.field, go);
  spread.set(cells, plate.spread, at.field);
  if (!plate.image) {
    main.say(new Wrong("There are no images of this run.", at.run.noImages));
  } else if (!found) {
    main.clear();
    main.say(new Wrong("This well has no field: it was not imaged.", []));
  } else if (found.problem) {
    main.clear();
    main.say(new Wrong(found.problem.found, [found.problem]));
  } else {
    const place = fieldKey(plate.plate, well.well, at.field);
    await fill(main, place, cellsOf(cells, at.field), `${well.well} · ${well.label}`);
  }
  document.body.dataset.shown = `${plate.plate}/${well.well}/${at.field}`;
};

const showBeside = async () => {
  const other = pictures[1];
  if (!at.beside || !at.plate.image) {
    if (other) { other.remove(); pictures.pop(); refit(); }
    return;
  }
  const picture = other || newPicture();
  if (!other) { pictures.push(picture); refit(); }
  const plate = at.plate.plate, well = at.beside, field = 0;
  const row = at.plate.wells.find((w) => w.well === well);
  const cells = await ask("cells", { plate, well }).catch(() => null);
  await fill(picture, fieldKey(plate, well, field), cells && cellsOf(cells, field),
    `${well} · ${row ? row.label : ""}`);
};

const refit = () => requestAnimationFrame(() => { if (view.isFitted) view.fit(main.node.getBoundingClientRect()); });

const showPlate = async (name) => {
  const plate = await ask("plate", { plate: name });
  at.plate = plate;
  map.set(plate);
  byId("plates").value = name;
  byId("plate-name").textContent = name;
  const { image } = plate;
  for (const id of ["channel-part", "cell-part", "tools", "reading"]) byId(id).hidden = !image;
  if (image) {
    Object.assign(view, { height: image.height, width: image.width });
    channels.set(image.channels, image.type === "uint8" ? 255 : 65535);
    byId("contrast").textContent = `Black to full is the 1st to 99.7th percentile of ${image.source}, the same in every well of the plate.`;
    view.fit(main.node.getBoundingClientRect());
  }
  const options = [["", "nothing"]];
  for (const [name_, word] of [["stressed", "stressed vehicle"], ["healthy", "healthy vehicle"]]) {
    plate.spread.ends[name_].wells.slice(0, 3).forEach((w) => options.push([w, `${word} ${w}`]));
  }
  byId("beside").replaceChildren(...options.map(([value, text]) => Object.assign(make("option", text), { value })));
  at.beside = "";
};

const title = (well) => {
  byId("title").textContent = `${well.plateName} · ${well.well}`;
  byId("subtitle").textContent = well.label;
  byId("well-name").textContent = well.well;
  document.title = `${well.plateName} ${well.well} · ${at.run.name}`;
  const place = well.same.findIndex((w) => w.plate === well.plate && w.well === well.well);
  byId("previous").disabled = place <= 0;
  byId("next").disabled = place < 0 || place >= well.same.length - 1;
  byId("same-place").textContent = `${place + 1} of ${well.same.length} alike`;
};

// Show a well; an address of its own, so that back and reload work.
const go = async (plate, well, { field = 0, isBack = false } = {}) => {
  const wish = ++asked;
  try {
    const hasNewPlate = !at.plate || at.plate.plate !== plate;
    if (hasNewPlate) await showPlate(plate);
    const place = well || (at.plate.wells.find((w) => w.score !== null) || at.plate.wells[0]).well;
    const [facts, cells] = await Promise.all([ask("well", { plate, well: place }), ask("cells", { plate, well: place })]);
    if (wish !== asked) return;
    Object.assign(at, { well: facts, cells, field: Math.min(field, Math.max(0, facts.fields.length - 1)) });
    if (!isBack) remember();
    map.choose(place);
    title(facts);
    await showField();
    if (hasNewPlate) await showBeside();
  } catch (error) {
    byId("title").textContent = "Nothing to show";
    main.say(error);
  }
};

const remember = () => {
  const facts = { plate: at.plate.plate, well: at.well.well, ...(at.field ? { field: at.field + 1 } : {}) };
  const address = "/well?" + new URLSearchParams(facts);
  if (address !== location.pathname + location.search) history.pushState(null, "", address);
};

const toField = (field) => {
  if (!at.well || field < 0 || field >= at.well.fields.length) return;
  at.field = field;
  remember();
  showField();
};

const toAlike = (step) => {
  const { same, plate, well } = at.well;
  const next = same[same.findIndex((w) => w.plate === plate && w.well === well) + step];
  if (next) go(next.plate, next.well);
};

const beside = (well) => {
  at.beside = well;
  byId("beside").value = well;
  showBeside();
};

const turnCells = (isOn) => {
  byId("show-cells").checked = isOn;
  pictures.forEach((p) => { p.isMarked = isOn; p.redraw(); });
};

function point(picture, event) {
  const place = picture.point(event), k = picture.nearest(place), tip = byId("tip");
  if (k !== picture.marked) { picture.marked = k; picture.redraw(); }
  const score = k < 0 ? null : picture.cells.score[k];
  spread.point(score);
  const isIn = place.x >= 0 && place.y >= 0 && place.x < view.width && place.y < view.height;
  const counts = picture.counts(place).map((n, c) => (n === null ? null : `${channels.list[c].name} ${n}`)).filter(Boolean);
  const um = (v) => (v * (picture.pixelUm || 1)).toFixed(1);
  byId("reading").textContent = isIn && picture.planes.some(Boolean) ? `x ${um(place.x)} µm · y ${um(place.y)} µm · ${counts.join(" · ")}` : "\u00a0";
  tip.hidden = k < 0;
  if (k < 0) return;
  tip.replaceChildren(make("b", score === null ? "no score" : "score " + score.toFixed(3)), make("span", `cell ${picture.cells.cell[k] + 1}`));
  tip.style.left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8) + "px";
  tip.style.top = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8) + "px";
}

function unpoint(picture) {
  byId("tip").hidden = true;
  byId("reading").textContent = "\u00a0";
  spread.point(null);
  if (picture.marked >= 0) { picture.marked = -1; picture.redraw(); }
}

const fit = () => view.fit(main.node.getBoundingClientRect());
const exact = () => view.scale(1 / view.zoom / (devicePixelRatio || 1));
const onClick = (id, run) => byId(id).addEventListener("click", run);
onClick("fit", fit);
onClick("exact", exact);
onClick("in", () => view.scale(1.5));
onClick("out", () => view.scale(1 / 1.5));
onClick("field-back", () => toField(at.field - 1));
onClick("field-on", () => toField(at.field + 1));
onClick("previous", () => toAlike(-1));
onClick("next", () => toAlike(1));
byId("show-cells").addEventListener("change", (e) => turnCells(e.target.checked));
byId("beside").addEventListener("change", (e) => beside(e.target.value));
byId("plates").addEventListener("change", (e) => go(e.target.value, at.well && at.well.well));
listen({
  view, fit, exact, toField, toAlike,
  field: () => at.field,
  turnChannel: (k) => channels.list[k] && channels.turn(k, !channels.list[k].isOn),
  turnCells: () => turnCells(!byId("show-cells").checked),
  turnBeside: () => beside(at.beside ? "" : (byId("beside").options[1] || { value: "" }).value),
});

// While wells are still to come, look again; the well that is shown when it is there.
const lookAgain = async () => {
  if (!at.run || at.run.isCalled || !at.plate || document.hidden) return;
  if (at.plate.wells.every((w) => w.status)) return;
  try {
    const plate = await ask("plate", { plate: at.plate.plate });
    if (plate.plate !== at.plate.plate) return;
    const now = plate.wells.find((w) => w.well === at.well.well);
    at.plate = plate;
    map.set(plate);
    if (now && now.status !== (at.well.status.code || null)) go(plate.plate, now.well, { field: at.field, isBack: true });
  } catch { /* it is asked again */ }
};
setInterval(lookAgain, AGAIN_MS);

const fromAddress = () => {
  const given = new URLSearchParams(location.search);
  const plate = given.get("plate") || (at.run.plates[0] || {}).plate;
  return [plate, given.get("well") || "", { field: Number(given.get("field") || 1) - 1, isBack: true }];
};
addEventListener("popstate", () => go(...fromAddress()));

try {
  at.run = await ask("run");
  byId("home").hidden = false;
  if (!at.run.hasReport) byId("home").textContent = "‹ Run";
  byId("plates").replaceChildren(...at.run.plates.map((p) => Object.assign(make("option", p.name), { value: p.plate })));
  const [plate, well, how] = fromAddress();
  if (plate === undefined) throw new Wrong("The run holds no plate.");
  await go(plate, well, how);
} catch (error) {
  byId("title").textContent = "Nothing to show";
  main.say(error);
}
