// Scores as colours: blue for the low end, orange for the high one, pale between; told
// apart by every kind of eye, on dark ground.
const LOW = [77, 163, 255], MIDDLE = [232, 236, 240], HIGH = [255, 138, 61];

export const NO_SCORE = "#8b98a5";

const between = (a, b, t) => a.map((part, k) => Math.round(part + (b[k] - part) * t));

export const scoreColour = (score, low, high) => {
  if (score === null || score === undefined) return NO_SCORE;
  const t = Math.min(Math.max((score - low) / (high - low || 1), 0), 1);
  const rgb = t < 0.5 ? between(LOW, MIDDLE, 2 * t) : between(MIDDLE, HIGH, 2 * t - 1);
  return `rgb(${rgb.join(",")})`;
};

