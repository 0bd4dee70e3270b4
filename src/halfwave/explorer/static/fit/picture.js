/** What the plots of the room "Fit" show: data, fit, bands of the kinks, residuals, and a gradient on its way. */

import { element } from "../basics/dom.js";
import { cornersOf } from "../sums/sums.js";

const FEW_FIT_POINTS = 300;
const BEYOND_FIT_DATA = 0.35; // how strong the fit is drawn where there are no data

/** A sum of the library as sums.js takes it. */
export function sumFromTerms({ terms, slope, offset }) {
  return { terms: terms.map(([w, m, b]) => ({ w, m, b, on: true })), slope, offset, leak: 0 };
}

/** Points as a picture of their own, drawn anew only when data, window, size or theme change. */
export class FitLayer {
  /** Draw points with this pen. */
  paint(pen, plot, points) {
    const look = { fill: plot.colours.term3, alpha: points.length > FEW_FIT_POINTS ? 0.4 : 0.62 };
    const radius = points.length > FEW_FIT_POINTS ? 1.4 : points.length > 60 ? 2.6 : 3.4;
    const places = () => points.map((point) => plot.point(point));
    const own = pen.context?.canvas === plot.canvas;
    if (!own) {
      pen.points(places(), radius, look);
      return;
    }
    const { width, height } = plot.canvas;
    const key = [...plot.window, width, height, plot.colours.version].join();
    if (points !== this.points || key !== this.key) {
      Object.assign(this, { points, key });
      this.canvas ??= element("canvas");
      Object.assign(this.canvas, { width, height });
      const context = this.canvas.getContext("2d");
      context.setTransform(width / plot.width, 0, 0, height / plot.height, 0, 0);
      const Pen = pen.constructor;
      new Pen(context).points(places(), radius, look);
    }
    pen.image(this.canvas, plot.width, plot.height);
  }
}

/** The corners of a fit; while kinks are held, those at the places where the hand has them just now. */
export function cornersOfFit(fit, held) {
  const [xs, ys] = fit.corners;
  const places = held?.length === fit.kinks.length ? [xs[0], ...held, xs.at(-1)] : xs;
  return places.map((x, index) => [x, ys[index]]);
}

/** Draw data, bands and the fit. */
export function drawFit(pen, plot, { data, fit, details, held, layer, gradient }) {
  const { colours } = plot;
  if (fit && !gradient) drawBands(pen, plot, fit, held, held ? null : details);
  if (data) layer.paint(pen, plot, data.points);
  if (gradient) drawGradient(pen, plot, gradient);
  else if (fit) drawCurve(pen, plot, fit, held);
  const rows = gradient
    ? [["optimum", { stroke: colours.sum, width: 2, dash: [7, 4] }], [gradient.name, { stroke: colours.derivative, width: 3 }]]
    : fit ? [["fit", { stroke: colours.sum, width: 3 }]] : [];
  rows.forEach(([name, look], index) => {
    pen.line([[60, 18 + 18 * index], [84, 18 + 18 * index]], look);
    pen.text(92, 18 + 18 * index, name, { fill: colours.ink, halo: colours.card });
  });
}

/** Intervals of the kinks as bands over the whole height, kinks as dotted lines. */
function drawBands(pen, plot, fit, held, details) {
  const { sum } = plot.colours;
  for (const [low, high] of details?.intervals?.kinks ?? []) {
    const [left, right] = [low ?? fit.corners[0][0], high ?? fit.corners[0].at(-1)].map((x) => plot.across(x));
    pen.fill([[left, 0], [right, 0], [right, plot.height], [left, plot.height]], { fill: sum, alpha: 0.11 });
  }
  for (const [kink] of cornersOfFit(fit, held).slice(1, -1)) {
    const at = plot.across(kink);
    pen.line([[at, 0], [at, plot.height]], { stroke: sum, dash: [2, 4], alpha: 0.6 });
  }
}

function drawCurve(pen, plot, fit, held) {
  const corners = cornersOfFit(fit, held);
  const { sum } = plot.colours;
  const [left, right] = plot.window;
  const [first, last] = [corners[0], corners.at(-1)];
  const before = [left, first[1] + fit.slopes[0] * (left - first[0])];
  const after = [right, last[1] + fit.slopes.at(-1) * (right - last[0])];
  const beyond = { stroke: sum, width: 2, dash: [5, 5], alpha: BEYOND_FIT_DATA };
  if (left < first[0]) pen.line([before, first].map((p) => plot.point(p)), beyond);
  if (right > last[0]) pen.line([last, after].map((p) => plot.point(p)), beyond);
  pen.line(corners.map((p) => plot.point(p)), { stroke: sum, width: 3 });
}

function drawGradient(pen, plot, { optimum, frame }) {
  const { sum, derivative, card } = plot.colours;
  const [left, right] = plot.window;
  pen.line(cornersOf(optimum, left, right).map((p) => plot.point(p)), { stroke: sum, width: 2, dash: [7, 4] });
  const corners = cornersOf(frame, left, right).map((p) => plot.point(p));
  pen.line(corners, { stroke: derivative, width: 3 });
  for (const corner of corners.slice(1, -1)) pen.dot(corner, 4, { fill: card, stroke: derivative });
}

/** Draw what the fit leaves of the data, in the same abscissae as the plot above. */
export function drawResiduals(pen, plot, { residuals, layer, fit }) {
  const { sum } = plot.colours;
  if (!residuals) return;
  layer.paint(pen, plot, residuals);
  for (const kink of fit?.kinks ?? []) {
    const at = plot.across(kink);
    pen.line([[at, 0], [at, plot.height]], { stroke: sum, dash: [2, 4], alpha: 0.6 });
  }
  const zero = plot.down(0);
  pen.line([[0, zero], [plot.width, zero]], { stroke: sum, width: 2 });
}

/** y − f(x) of each point. */
export function residualsOf(points, { terms, slope, offset }) {
  return points.map(([x, y]) => {
    let value = slope * x + offset;
    for (const [w, m, b] of terms) value += w * Math.max(0, m * x + b);
    return [x, y - value];
  });
}
