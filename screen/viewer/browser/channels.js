// The panel of channels: on or off, colour, black and full, and the counts beneath.
import { button, clamp, make } from "./make.js";

const BINS = 96, HEIGHT = 44;

export class Channels {
  constructor(node, onChange) {
    Object.assign(this, { node, onChange, list: [] });
  }

  // The channels of a plate as its controls give them; a choice made by hand is kept.
  set(found, top) {
    const same = found.length === this.list.length && found.every((c, k) => c.name === this.list[k].name);
    if (same) {
      this.list.forEach((channel, k) => {
        channel.usual = found[k];
        if (!channel.isByHand) Object.assign(channel, { low: found[k].low, high: found[k].high });
      });
    } else {
      this.list.splice(0, this.list.length, ...found.map((c) => ({ ...c, usual: c, isOn: true, isByHand: false })));
    }
    this.top = top;
    this.draw();
  }

  draw() {
    this.parts = this.list.map((channel, k) => this.part(channel, k));
    this.node.replaceChildren(...this.parts.map((p) => p.node));
  }

  part(channel, k) {
    const node = make("fieldset"), head = make("div", undefined, "head");
    const label = make("label", undefined, "check"), on = make("input");
    Object.assign(on, { type: "checkbox", checked: channel.isOn, id: "on-" + k });
    on.addEventListener("change", () => this.turn(k, on.checked));
    label.append(on, make("span", channel.name, "name"));
    const colour = make("input");
    Object.assign(colour, { type: "color", value: channel.colour, title: "Colour of " + channel.name });
    colour.setAttribute("aria-label", "Colour of " + channel.name);
    colour.addEventListener("input", () => {
      channel.colour = colour.value;
      this.onChange();
      this.refresh();
    });
    head.append(label,
      button("Controls", "Contrast of the plate's controls, the same in every well", () => this.usual(channel)),
      button("Field", "Contrast of this field alone", () => this.ofField(channel, k)), colour);
    const chart = make("canvas", undefined, "chart");
    chart.setAttribute("role", "img");
    const ends = make("div", undefined, "ends"), inputs = {};
    for (const [end, word] of [["low", "Black"], ["high", "Full"]]) {
      const row = make("label", undefined, "end"), range = make("input"), number = make("output");
      Object.assign(range, { type: "range", min: 0, step: 1, id: end + "-" + k });
      range.setAttribute("aria-label", `${channel.name}: ${word.toLowerCase()} from`);
      range.addEventListener("input", () => this.byHand(channel, end, Number(range.value)));
      row.append(make("span", word), range, number);
      ends.append(row);
      inputs[end] = { range, number };
    }
    node.append(head, chart, ends);
    return { node, on, chart, inputs };
  }

  turn(k, isOn) {
    if (!this.list[k]) return;
    this.list[k].isOn = isOn;
    this.parts[k].on.checked = isOn;
    this.onChange(true);
  }

  byHand(channel, end, value) {
    channel[end] = end === "low" ? Math.min(value, channel.high - 1) : Math.max(value, channel.low + 1);
    channel.isByHand = true;
    this.changed();
  }

  usual(channel) {
    Object.assign(channel, { low: channel.usual.low, high: channel.usual.high, isByHand: false });
    this.changed();
  }

  ofField(channel, k) {
    const plane = this.planes && this.planes[k];
    if (!plane) return;
    const low = plane.percentile(0.01), high = plane.percentile(0.997);
    Object.assign(channel, { low, high: Math.max(high, low + 1), isByHand: true });
    this.changed();
  }

  changed() {
    this.refresh();
    this.onChange();
  }

  // The counts of the field that is shown.
  of(planes) {
    this.planes = planes;
    this.refresh();
  }

  refresh() {
    (this.parts || []).forEach(({ chart, inputs }, k) => {
      const channel = this.list[k], plane = this.planes && this.planes[k];
      const most = plane ? plane.percentile(1) : 0;
      const end = clamp(Math.ceil(Math.max(channel.usual.high * 1.5, Math.min(most, channel.usual.high * 4), channel.high)), 2, this.top);
      for (const [name, { range, number }] of Object.entries(inputs)) {
        range.max = end;
        range.value = Math.round(channel[name]);
        number.textContent = Math.round(channel[name]).toLocaleString("en");
      }
      this.chart(chart, channel, plane, end);
    });
  }

  // How often each count is in the field (a logarithm), with black and full as lines.
  chart(canvas, channel, plane, end) {
    const ratio = devicePixelRatio || 1, wide = canvas.clientWidth || 280;
    canvas.width = Math.round(wide * ratio);
    canvas.height = Math.round(HEIGHT * ratio);
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    const bins = new Float64Array(BINS);
    if (plane) for (const value of plane.sample()) bins[Math.min(BINS - 1, Math.floor((value / end) * BINS))]++;
    const tall = Math.log1p(Math.max(1, ...bins));
    context.fillStyle = channel.colour;
    context.globalAlpha = 0.75;
    bins.forEach((n, k) => {
      const height = (Math.log1p(n) / tall) * (HEIGHT - 4);
      context.fillRect((k * wide) / BINS, HEIGHT - height, wide / BINS - 0.5, height);
    });
    context.globalAlpha = 1;
    context.fillStyle = "#e8edf2";
    for (const at of [channel.low, channel.high]) context.fillRect(clamp((at / end) * wide, 0, wide - 1.5), 0, 1.5, HEIGHT);
    canvas.setAttribute("aria-label", `Counts of ${channel.name} in this field, black at ${Math.round(channel.low)}, full at ${Math.round(channel.high)}`);
  }
}
