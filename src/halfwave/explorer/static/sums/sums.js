/**
 * Sums of rectified linear terms, f(x) = Σ w·max(0, m x + b) + slope·x + offset: the little mathematics that the
 * page does itself, so that dragging is immediate. With a leak a, max(0, z) becomes max(0, z) + a·min(0, z).
 *
 * A term is { w, m, b, on }; a sum is { terms, slope, offset, leak }. A kink belongs to the piece on its left,
 * as in the library.
 */

/** Where the term bends, or null where it does not. */
export function kinkOf(term) {
  const kink = 0 - term.b / term.m;
  return term.w !== 0 && Number.isFinite(kink) ? kink : null;
}

/** Terms that are not muted. */
export function sounding(sum) {
  return sum.terms.filter((term) => term.on);
}

/** The kinks of the sum within two ends, sorted, each once. */
export function kinksOf(sum, low = -Infinity, high = Infinity) {
  const all = sounding(sum).map(kinkOf).filter((kink) => kink !== null && kink >= low && kink <= high);
  return [...new Set(all)].sort((a, b) => a - b);
}

/** w·max(0, m x + b), or its leaky relative. */
export function termValue(term, leak, x) {
  const z = term.m * x + term.b;
  return term.w * (z > 0 ? z : leak * z);
}

/** f(x). */
export function valueOf(sum, x) {
  return sounding(sum).reduce((total, term) => total + termValue(term, sum.leak, x), sum.slope * x + sum.offset);
}

/** f′(x), at a kink that of the piece on its left. */
export function slopeOf(sum, x) {
  const kinked = (term, z) => z > 0 || (z === 0 && term.m < 0);
  return sounding(sum).reduce((total, term) => {
    const full = kinked(term, term.m * x + term.b);
    return total + term.w * (full ? term.m : sum.leak * term.m);
  }, sum.slope);
}

/** ∫ f from 0 to x. */
export function integralOf(sum, x) {
  const line = (sum.slope * x) / 2 * x + sum.offset * x;
  return sounding(sum).reduce((total, term) => total + termIntegral(term, sum.leak, x), line);
}

function termIntegral(term, leak, x) {
  if (term.m === 0) return termValue(term, leak, 0) * x;
  const half = (z) => ((z > 0 ? 1 : leak) * z * z) / 2;
  return (term.w * (half(term.m * x + term.b) - half(term.b))) / term.m;
}

/** Points of f between two ends: all its corners. */
export function cornersOf(sum, low, high) {
  return [low, ...kinksOf(sum, low, high), high].map((x) => [x, valueOf(sum, x)]);
}

/** Pieces of f′ between two ends, as [start, end, slope]. */
export function stepsOf(sum, low, high) {
  const ends = [low, ...kinksOf(sum, low, high), high];
  return ends.slice(1).map((end, index) => [ends[index], end, slopeOf(sum, (ends[index] + end) / 2)]);
}

/** A window that shows the origin, every kink, and the function (its derivative, if shown) a little beyond. */
export function windowOf(sum) {
  const kinks = [0, ...kinksOf(sum)];
  const [first, last] = [Math.min(...kinks), Math.max(...kinks)];
  const beyond = Math.max(2.5, 0.4 * (last - first));
  const ends = [first - beyond, last + beyond];
  const slopes = sum.derivative ? stepsOf(sum, ...ends).map(([, , slope]) => slope) : [];
  const heights = [0, ...cornersOf(sum, ...ends).map(([, y]) => y), ...slopes];
  const [bottom, top] = [Math.min(...heights), Math.max(...heights)];
  const margin = Math.max(top - bottom, 2) * 0.2;
  return [...ends, bottom - margin, top + margin].map((end) => Number(end.toPrecision(4)));
}

/** The three functions that are called thresholded ReLU. */
export const THRESHOLDED = [
  { name: "subtract", formula: "max(0, x − T)", value: (x, t) => (x > t ? x - t : 0) },
  { name: "keep", formula: "x where x > T, else 0", value: (x, t) => (x > t ? x : 0) },
  { name: "floor", formula: "max(x, T)", value: (x, t) => (x > t ? x : t) },
];
