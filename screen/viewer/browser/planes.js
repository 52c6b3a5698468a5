// One channel of a region in memory, with halves of itself for small pictures.

// Means of 2 x 2 pixels; an odd rest is left out.
const half = ({ pixels, height, width }) => {
  const h = height >> 1, w = width >> 1;
  const out = new pixels.constructor(h * w);
  for (let y = 0, at = 0; y < h; y++) {
    let a = 2 * y * width, b = a + width;
    for (let x = 0; x < w; x++, a += 2, b += 2) {
      out[at++] = (pixels[a] + pixels[a + 1] + pixels[b] + pixels[b + 1] + 2) >> 2;
    }
  }
  return { pixels: out, height: h, width: w };
};

export class Plane {
  constructor(found) {
    this.levels = [found];
    this.factor = found.factor;
    this.top = found.pixels.constructor === Uint8Array ? 255 : 65535;
  }

  // The smallest version whose pixels are no wider than `size` pixels of this plane.
  level(size) {
    let n = Math.max(0, Math.floor(Math.log2(Math.max(size, 1)) + 1e-9));
    while (this.levels.length <= n) {
      const last = this.levels[this.levels.length - 1];
      if (last.height < 2 || last.width < 2) break;
      this.levels.push(half(last));
    }
    n = Math.min(n, this.levels.length - 1);
    return { ...this.levels[n], step: 2 ** n };
  }

  // A sample of the values, sorted: for histogram and percentiles.
  sample() {
    if (!this.sorted) {
      const { pixels } = this.levels[0];
      const step = Math.max(1, Math.floor(pixels.length / 200000));
      const some = new pixels.constructor(Math.ceil(pixels.length / step));
      for (let k = 0, at = 0; k < pixels.length; k += step) some[at++] = pixels[k];
      this.sorted = some.sort();
    }
    return this.sorted;
  }

  percentile(share) {
    const sorted = this.sample();
    return sorted[Math.min(sorted.length - 1, Math.round(share * (sorted.length - 1)))];
  }
}
