// What any page must be for all its readers; gives [rule, where, what] for each fault.
const faults = [];
const seen = new Set();
const tell = (rule, node, what) => {
  const where = place(node);
  const key = rule + "|" + where.replace(/\d+/g, "");
  if (seen.has(key)) return; // a table of a thousand rows has one fault, not a thousand
  seen.add(key);
  faults.push([rule, where, what]);
};
const place = (node) => {
  const parts = [];
  for (let e = node; e && e.nodeType === 1 && e !== document.body; e = e.parentElement) {
    const kind = (e.getAttribute("class") || "").split(/\s+/).filter(Boolean).join(".");
    parts.unshift(e.localName + (e.id ? "#" + e.id : "") + (kind ? "." + kind : ""));
    if (e.id) break;
  }
  return parts.slice(-4).join(" > ");
};
const words = (node) => (node.textContent || "").trim().replace(/\s+/g, " ").slice(0, 60);
const isShown = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true });

// Names and order.
if (!document.documentElement.lang) tell("lang", document.documentElement, "html has no lang");
if (!document.title.trim()) tell("title", document.documentElement, "no title");
const ids = new Set();
for (const e of document.querySelectorAll("[id]")) {
  if (ids.has(e.id)) tell("id", e, "second element with id " + e.id);
  ids.add(e.id);
}
for (const e of document.querySelectorAll("img")) {
  if (!e.hasAttribute("alt")) tell("alt", e, "img without alt");
}
const nameOf = (e) => {
  const by = (e.getAttribute("aria-labelledby") || "").split(/\s+/).filter(Boolean)
    .map((id) => document.getElementById(id)).filter(Boolean).map(words).join(" ");
  const labels = [...(e.labels || [])].map(words).join(" ");
  const inside = e.localName === "select" ? "" : words(e);
  const alts = [...e.querySelectorAll("[alt], [aria-label]")]
    .map((n) => n.getAttribute("alt") || n.getAttribute("aria-label")).join(" ");
  const own = e.getAttribute("aria-label") || e.getAttribute("title") || "";
  const pressed = /^(submit|button|reset)$/.test(e.type || "") ? e.value || "" : "";
  return [by, own, labels, inside, alts, pressed].join("").trim();
};
const named = "input:not([type=hidden]), button, select, textarea, a[href], summary, svg[role=img], " +
  "canvas, [role=button], [role=dialog], dialog";
for (const e of document.querySelectorAll(named)) {
  const control = e.parentElement.closest("button, a");
  const isPartOf = control && /^(canvas|svg)$/.test(e.localName) && nameOf(control);
  if (isPartOf || e.closest("[aria-hidden=true]") || !isShown(e)) continue;
  if (!nameOf(e)) tell("name", e, e.localName + " without a name");
}
let level = 0;
for (const e of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
  if (!isShown(e)) continue;
  const own = Number(e.localName[1]);
  if (own > level + 1) tell("headings", e, e.localName + " after h" + level + ": " + words(e));
  level = own;
}
if (document.querySelectorAll("h1").length !== 1) tell("headings", document.body, "not one h1");

// Contrast of every text that is seen: WCAG 2.1, 1.4.3.
const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const colours = new Map();
const rgba = (text) => {
  if (!colours.has(text)) {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = text;
    pen.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
    colours.set(text, [r, g, b, a / 255]);
  }
  return colours.get(text);
};
const over = (top, under, more = 1) => {
  const a = top[3] * more;
  return [0, 1, 2].map((i) => top[i] * a + under[i] * (1 - a)).concat(1);
};
const light = (c) => {
  const [r, g, b] = c.slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (one, other) => {
  const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
};
const grounds = new Map();
const ground = (e) => {
  if (!e) return [255, 255, 255, 1];
  if (grounds.has(e)) return grounds.get(e);
  const style = getComputedStyle(e);
  const under = ground(e.parentElement);
  // What an image or a gradient shows under a text cannot be told from styles.
  const found = under === null || style.backgroundImage !== "none"
    ? null : over(rgba(style.backgroundColor), under);
  grounds.set(e, found);
  return found;
};
const SHAPES = "rect, circle, path, polygon, ellipse";
const underSvgText = (e, from) => {
  const box = e.getBoundingClientRect();
  const x = box.left + box.width / 2, y = box.top + box.height / 2;
  const shapes = [...e.ownerSVGElement.querySelectorAll(SHAPES)];
  if (shapes.length > 3000) return from;
  let found = from;
  for (const shape of shapes) {
    if (!(shape.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_FOLLOWING)) break;
    const style = getComputedStyle(shape);
    if (style.fill === "none" || style.fill.startsWith("url") || !isShown(shape)) continue;
    const b = shape.getBoundingClientRect();
    if (x < b.left || x > b.right || y < b.top || y > b.bottom) continue;
    if (shape.localName !== "rect" && !pathHolds(shape, x, y)) continue;
    found = over(rgba(style.fill), found, style.fillOpacity * style.opacity);
  }
  return found;
};
const pathHolds = (shape, x, y) => {
  const at = new DOMPoint(x, y).matrixTransform(shape.getScreenCTM().inverse());
  return shape.isPointInFill(at);
};
const opacity = (e) => {
  let found = 1;
  for (let n = e; n && n.nodeType === 1; n = n.parentElement) found *= getComputedStyle(n).opacity;
  return found;
};
const judge = (e) => {
  if (e.closest(":disabled, [aria-disabled=true]")) return;
  const style = getComputedStyle(e);
  const isSvg = e instanceof SVGElement;
  let under = ground(isSvg ? e.ownerSVGElement : e);
  if (under === null) return;
  if (isSvg) under = underSvgText(e, under);
  const ink = isSvg ? over(rgba(style.fill), under, style.fillOpacity * opacity(e))
    : over(rgba(style.color), under, opacity(e));
  const scale = isSvg ? Math.abs(e.getScreenCTM()?.a ?? 1) : 1;
  const px = parseFloat(style.fontSize) * scale;
  const isLarge = px >= 24 || (px >= 18.66 && Number(style.fontWeight) >= 700);
  const found = contrast(ink, under);
  if (found < (isLarge ? 3 : 4.5) - 0.005) {
    tell("contrast", e, found.toFixed(2) + " to 1: " + words(e));
  }
  if (px < 8.5) tell("small", e, px.toFixed(1) + " px: " + words(e));
};
const texts = new Set();
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
  const e = walk.currentNode.parentElement;
  if (texts.has(e) || !walk.currentNode.data.trim()) continue;
  if (e.closest("script, style, noscript, title, desc") || !isShown(e)) continue;
  const box = e.getBoundingClientRect();
  if (box.width <= 1 || box.height <= 1 || box.right < 0 || box.bottom < 0) continue;
  texts.add(e);
}
texts.forEach(judge);

// Room: nothing wider than the window, no words cut off or over one another.
const root = document.documentElement;
if (root.scrollWidth > root.clientWidth + 1) {
  const wide = [...document.body.querySelectorAll("*")].filter((e) => isShown(e) &&
    e.getBoundingClientRect().right > root.clientWidth + 1 && !scrolls(e)).pop();
  tell("sideways", wide || document.body, root.scrollWidth + " px on " + root.clientWidth);
}
function scrolls(e) {
  for (let n = e; n && n !== document.body; n = n.parentElement) {
    if (/auto|scroll/.test(getComputedStyle(n).overflowX)) return true;
  }
  return false;
}
for (const e of texts) {
  if (e instanceof SVGElement || e.clientWidth <= 1) continue;
  const style = getComputedStyle(e);
  if (/auto|scroll/.test(style.overflowX)) continue;
  if (style.webkitLineClamp !== "none") continue; // shortened on purpose, with a sign of it
  if (style.textOverflow === "ellipsis" && (e.title || e.getAttribute("aria-label"))) continue;
  if (e.scrollWidth > e.clientWidth + 1) {
    tell("clipped", e, e.scrollWidth + " px of words in " + e.clientWidth + ": " + words(e));
  } else if (/hidden|clip/.test(style.overflowY) && e.scrollHeight > e.clientHeight + 2) {
    tell("clipped", e, e.scrollHeight + " px tall in " + e.clientHeight + ": " + words(e));
  }
}
for (const drawing of document.querySelectorAll("svg")) {
  if (!isShown(drawing)) continue;
  const frame = drawing.getBoundingClientRect();
  const boxes = [...drawing.querySelectorAll("text")].filter((e) => texts.has(e))
    .map((e) => [e, e.getBoundingClientRect()]).filter(([, b]) => b.width > 0);
  for (const [e, b] of boxes) {
    const out = Math.max(frame.left - b.left, b.right - frame.right, frame.top - b.top,
      b.bottom - frame.bottom);
    if (out > 1.5 && getComputedStyle(drawing).overflow !== "visible") {
      tell("clipped", e, out.toFixed(0) + " px outside its drawing: " + words(e));
    }
  }
  if (boxes.length > 1500) continue;
  boxes.sort((a, b) => a[1].left - b[1].left);
  boxes.forEach(([e, b], i) => {
    for (let k = i + 1; k < boxes.length && boxes[k][1].left < b.right - 1; k++) {
      const c = boxes[k][1];
      // Letters fill about the middle three fifths of their box.
      const room = 0.4 * Math.min(b.height, c.height);
      if (Math.min(b.bottom, c.bottom) - Math.max(b.top, c.top) > room) {
        tell("overlap", e, words(e) + " and " + words(boxes[k][0]));
      }
    }
  });
}
return faults;
