// A pane with a field's pixels on one canvas and its cells on another.
import { clamp, make, wrongCard } from "./make.js";
import { scoreColour } from "./colours.js";

const GROUND = [11, 15, 20];
const BARS_UM = [1000, 500, 200, 100, 50, 20, 10, 5, 2, 1, 0.5];
const RING_UM = 7;

// What all panes look at: a point of the field (pixels) and how large a pixel is.
export class View {
  constructor() {
    Object.assign(this, { x: 0, y: 0, zoom: 1, height: 1, width: 1, isFitted: true });
    this.watchers = new Set();
  }

  tell() { this.watchers.forEach((run) => run()); }

  fit(box) {
    this.zoom = Math.min(box.width / this.width, box.height / this.height) || 1;
    Object.assign(this, { x: this.width / 2, y: this.height / 2, isFitted: true });
    this.tell();
  }

  move(dx, dy) {
    this.x = clamp(this.x + dx, 0, this.width);
    this.y = clamp(this.y + dy, 0, this.height);
    this.isFitted = false;
    this.tell();
  }

  // Zoom so that the point (x, y) of the field stays where it is on the screen.
  scale(by, x = this.x, y = this.y) {
    const zoom = clamp(this.zoom * by, 0.01, 64);
    const held = this.zoom / zoom;
    this.zoom = zoom;
    this.move((x - this.x) * (1 - held), (y - this.y) * (1 - held));
  }
}

// For each value the share of light that a channel lets through, in its colour.
const tables = (channel, top) => {
  const key = [channel.colour, channel.low, channel.high, top].join(" ");
  if (channel.key !== key) Object.assign(channel, { key, light: newTables(channel, top) });
  return channel.light;
};

const newTables = (channel, top) => {
  const n = top + 1, red = new Float32Array(n), green = new Float32Array(n), blue = new Float32Array(n);
  const [r, g, b] = [1, 3, 5].map((k) => parseInt(channel.colour.slice(k, k + 2), 16) / 255);
  const span = Math.max(channel.high - channel.low, 1e-9);
  for (let v = 0; v < n; v++) {
    const light = clamp((v - channel.low) / span, 0, 1);
    red[v] = 1 - light * r;
    green[v] = 1 - light * g;
    blue[v] = 1 - light * b;
  }
  return { red, green, blue };
};

export class Picture {
  constructor(view, channels) {
    Object.assign(this, { view, channels, planes: [], detail: null, cells: null, marked: -1, words: "" });
    this.node = make("figure", undefined, "pane");
    this.pixels = make("canvas", undefined, "pixels");
    this.marks = make("canvas", undefined, "marks");
    this.marks.tabIndex = 0;
    this.marks.setAttribute("role", "img");
    this.bar = make("div", undefined, "scalebar");
    this.notice = make("div", undefined, "notice");
    this.caption = make("figcaption");
    this.node.append(this.pixels, this.marks, this.bar, this.caption, this.notice);
    this.redraw = this.redraw.bind(this);
    view.watchers.add(this.redraw);
    this.sizes = new ResizeObserver(() => this.resized());
    this.sizes.observe(this.node);
  }

  remove() {
    this.view.watchers.delete(this.redraw);
    this.sizes.disconnect();
    this.node.remove();
  }

  resized() {
    const ratio = devicePixelRatio || 1, box = this.node.getBoundingClientRect();
    for (const canvas of [this.pixels, this.marks]) {
      canvas.width = Math.max(1, Math.round(box.width * ratio));
      canvas.height = Math.max(1, Math.round(box.height * ratio));
    }
    if (this.view.isFitted) this.view.fit(box);
    this.redraw();
  }

  // Nothing to see: why, in full; or a word while it loads.
  say(what) {
    this.notice.replaceChildren(typeof what === "string" ? make("p", what) : wrongCard(what));
    this.notice.hidden = false;
  }

  show({ planes, cells, low, high, pixelUm, caption }) {
    Object.assign(this, { planes, cells, low, high, pixelUm, words: caption, detail: null, marked: -1 });
    this.marks.setAttribute("aria-label", caption);
    this.notice.hidden = true;
    this.redraw();
  }

  clear() {
    Object.assign(this, { planes: [], cells: null, detail: null, words: "" });
    this.redraw();
  }

  redraw() {
    if (this.waits) return;
    this.waits = requestAnimationFrame(() => {
      this.waits = 0;
      this.draw();
    });
  }

  corner() {
    const ratio = devicePixelRatio || 1, { view } = this;
    const scale = view.zoom * ratio, { width, height } = this.pixels;
    let left = view.x - width / 2 / scale, top = view.y - height / 2 / scale;
    // From 1:1 on, pixels of the field begin at pixels of the screen.
    if (scale >= 1) {
      left = Math.round(left * scale) / scale;
      top = Math.round(top * scale) / scale;
    }
    return { left, top, scale, ratio };
  }

  draw() {
    const { width, height } = this.pixels, context = this.pixels.getContext("2d");
    const image = context.createImageData(width, height);
    const words = new Uint32Array(image.data.buffer);
    words.fill((255 << 24) | (GROUND[2] << 16) | (GROUND[1] << 8) | GROUND[0]);
    const corner = this.corner();
    this.paint(image, words, corner, this.planes, 0, 0);
    if (this.detail) this.paint(image, words, corner, this.detail.planes, this.detail.x, this.detail.y);
    context.putImageData(image, 0, 0);
    this.pixels.dataset.corner = [corner.left, corner.top, corner.scale].join(" ");
    this.drawCells(corner);
    this.drawBar();
    this.caption.textContent = this.words + this.reduction();
  }

  // Whether each pixel is shown, or means of several.
  reduction() {
    const plane = this.planes.find(Boolean);
    if (!plane || plane.factor < 2) return "";
    if (this.detail) return " · every pixel of this part";
    return ` · shown as means of ${plane.factor} × ${plane.factor} pixels; zoom in for every pixel`;
  }

  // Light of all channels that are on, screened: 1 - (1 - a)(1 - b) keeps stains apart.
  paint(image, words, { left, top, scale }, planes, atX, atY) {
    const shown = this.channels.filter((c, k) => c.isOn && planes[k]).map((channel) => {
      const plane = planes[this.channels.indexOf(channel)];
      return { level: plane.level(1 / scale / plane.factor), plane, light: tables(channel, plane.top) };
    });
    const first = planes.find(Boolean);
    if (!first) return;
    const { width, height } = image, step = 1 / scale;
    const place = (n, from, origin) => {
      const found = new Float64Array(n);
      for (let k = 0; k < n; k++) found[k] = (from + (k + 0.5) * step - origin) / first.factor;
      return found;
    };
    const xs = place(width, left, atX), ys = place(height, top, atY);
    const full = first.levels[0];
    const inside = (values, end) => {
      let from = values.findIndex((v) => v >= 0);
      let to = values.length;
      while (to > 0 && values[to - 1] >= end) to--;
      return [from < 0 ? 0 : from, from < 0 ? 0 : to];
    };
    const [x0, x1] = inside(xs, full.width), [y0, y1] = inside(ys, full.height);
    const columns = shown.map(({ level }) =>
      Int32Array.from(xs, (v) => clamp(Math.floor(v / level.step), 0, level.width - 1)));
    const red = new Float32Array(width), green = new Float32Array(width), blue = new Float32Array(width);
    for (let y = y0; y < y1; y++) {
      red.fill(255); green.fill(255); blue.fill(255);
      shown.forEach(({ level, light }, k) => {
        const row = clamp(Math.floor(ys[y] / level.step), 0, level.height - 1) * level.width;
        const { pixels } = level, at = columns[k];
        for (let x = x0; x < x1; x++) {
          const value = pixels[row + at[x]];
          red[x] *= light.red[value];
          green[x] *= light.green[value];
          blue[x] *= light.blue[value];
        }
      });
      for (let x = x0, to = y * width + x0; x < x1; x++, to++) {
        words[to] = (255 << 24) | (Math.round(255 - blue[x]) << 16)
          | (Math.round(255 - green[x]) << 8) | Math.round(255 - red[x]);
      }
    }
  }

  drawCells({ left, top, scale, ratio }) {
    const context = this.marks.getContext("2d"), { width, height } = this.marks;
    context.clearRect(0, 0, width, height);
    if (!this.cells || !this.isMarked) return;
    const radius = Math.max(3.5 * ratio, (RING_UM / this.pixelUm) * scale);
    this.cells.x.forEach((cellX, k) => {
      const x = (cellX + 0.5 - left) * scale, y = (this.cells.y[k] + 0.5 - top) * scale;
      if (x < -radius || y < -radius || x > width + radius || y > height + radius) return;
      const wide = k === this.marked ? 2 : 1;
      for (const [line, colour] of [[4.6, "rgba(6,9,13,.8)"], [2.2, scoreColour(this.cells.score[k], this.low, this.high)]]) {
        context.beginPath();
        context.arc(x, y, radius * (wide > 1 ? 1.25 : 1), 0, 2 * Math.PI);
        context.lineWidth = line * ratio * (wide > 1 ? 1.5 : 1);
        context.strokeStyle = colour;
        context.stroke();
      }
    });
  }

  drawBar() {
    const most = this.node.clientWidth / 3;
    const length = BARS_UM.find((um) => (um / this.pixelUm) * this.view.zoom <= most);
    this.bar.hidden = !this.pixelUm || !length || !this.planes.some(Boolean);
    if (this.bar.hidden) return;
    this.bar.textContent = length + " µm";
    this.bar.style.width = (length / this.pixelUm) * this.view.zoom + "px";
  }

  // The point of the field under a point of the window.
  point(event) {
    const box = this.marks.getBoundingClientRect(), { left, top, scale, ratio } = this.corner();
    return {
      x: left + ((event.clientX - box.left) * ratio) / scale,
      y: top + ((event.clientY - box.top) * ratio) / scale,
    };
  }

  // The cell nearest to a point of the field, within reach; -1 for none.
  nearest({ x, y }) {
    if (!this.cells || !this.isMarked) return -1;
    const reach = Math.max(10 / this.view.zoom, RING_UM / this.pixelUm);
    let found = -1, least = reach * reach;
    this.cells.x.forEach((cellX, k) => {
      const d = (cellX + 0.5 - x) ** 2 + (this.cells.y[k] + 0.5 - y) ** 2;
      if (d < least) [found, least] = [k, d];
    });
    return found;
  }

  // The counts of each channel at a point of the field; null beside it.
  counts({ x, y }) {
    return this.planes.map((plane) => {
      if (!plane) return null;
      const { pixels, height, width } = plane.levels[0];
      const column = Math.floor(x / plane.factor), row = Math.floor(y / plane.factor);
      const isIn = column >= 0 && row >= 0 && column < width && row < height;
      return isIn ? pixels[row * width + column] : null;
    });
  }
}
