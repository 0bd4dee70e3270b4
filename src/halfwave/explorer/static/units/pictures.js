/** The three plots of the room "Units": density, potential, and transfer curves. */

import { shown } from "../plot/numerals.js";

/** The next number of few digits, so that a scale stays while a slider moves. */
function roundUnitScale(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 1.5, 2, 3, 4, 5, 6, 8].find((step) => step * power >= value) ?? 10) * power;
}

const UNIT_LEGEND_WIDTH = 165;
const UNIT_BUTTONS_WIDTH = 105;
const UNIT_PHONE = 420; // plots narrower than this have one button only
const UNIT_NUMBERS_ROW = 27; // pixels below zero
const UNIT_NUMBERS_COLUMN = 25; // pixels to the left of zero

/** Ends of the densities shown between these values; zero stands high enough for the numbers below it. */
export function unitDensityHeights({ x, density }, [left, right], height) {
  const seen = density.filter((_, index) => x[index] >= left && x[index] <= right);
  const top = roundUnitScale(1.06 * Math.max(1e-3, ...seen));
  return [(-UNIT_NUMBERS_ROW / Math.max(50, height - UNIT_NUMBERS_ROW)) * top, top];
}

/** Ends of the energies: from below the deepest well to somewhat above zero, where the sides meet. */
export function unitEnergyHeights({ numbers }, temperature) {
  const top = roundUnitScale(Math.max(2, 4 * temperature, numbers.highest));
  return [-roundUnitScale(Math.max(0.4 * top, 1.2 * numbers.highest)), top];
}

/** Where a curve given by points stands at an abscissa; null beyond its ends. */
export function unitHeightAt(xs, ys, x) {
  const right = xs.findIndex((at) => at >= x);
  if (right < 0 || (right === 0 && xs[0] > x)) return null;
  if (xs[right] === x) return ys[right];
  const share = (x - xs[right - 1]) / (xs[right] - xs[right - 1]);
  return ys[right - 1] + share * (ys[right] - ys[right - 1]);
}

/** Histogram, exact density, mean and mode. */
export function drawUnitDensity(pen, plot, { density, samples }) {
  const { colours } = plot;
  const { x, density: heights, numbers } = density.answer;
  const curve = x.map((at, index) => plot.point([at, heights[index]]));
  const ground = plot.down(0);
  pen.fill([[curve[0][0], ground], ...curve, [curve.at(-1)[0], ground]], { fill: colours.sum, alpha: 0.1 });
  if (samples) drawUnitHistogram(pen, plot, samples);
  drawUnitMarks(pen, plot, numbers);
  pen.line(curve, { stroke: colours.sum, width: 2.5 });
  drawUnitLegend(pen, plot, [
    ["exact density  p(x | I)", { stroke: colours.sum, width: 2.5 }],
    ["samples", { fill: colours.input, alpha: 0.45 }],
  ]);
  drawUnitAxisName(pen, plot, "x");
}

function drawUnitHistogram(pen, plot, { bins, counts, count }) {
  const each = counts.length / bins.length;
  bins.forEach(([low, high], side) => {
    const width = (high - low) / each;
    const outline = [[low, 0]];
    counts.slice(side * each, (side + 1) * each).forEach((inside, bin) => {
      const height = inside / (count * width);
      outline.push([low + bin * width, height], [low + (bin + 1) * width, height]);
    });
    outline.push([high, 0]);
    const corners = outline.map((corner) => plot.point(corner));
    pen.fill(corners, { fill: plot.colours.input, alpha: 0.34 });
    pen.line(corners, { stroke: plot.colours.input, width: 1, alpha: 0.6 });
  });
}

/** Lines at mean and mode, named on the sides on which they do not meet. */
function drawUnitMarks(pen, plot, { mean, mode, other_mode: other }) {
  const { colours } = plot;
  const [zero, ground] = plot.point([0, 0]);
  const stand = (at, look, name, right) => {
    const across = plot.across(at);
    pen.line([[across, ground], [across, 0]], look);
    const align = right ? "start" : "end";
    // beside the legend and the buttons, or below them
    const free = plot.width - (plot.width < UNIT_PHONE ? UNIT_BUTTONS_WIDTH / 2 : UNIT_BUTTONS_WIDTH) - 40;
    const down = across > UNIT_LEGEND_WIDTH + 40 && across < free ? 12 : 46;
    // the numbers of the ordinates stand to the left of zero
    const beside = down === 12 || across > zero + UNIT_NUMBERS_COLUMN ? across : zero - UNIT_NUMBERS_COLUMN;
    pen.text(right ? across + 5 : Math.min(across, beside) - 5, down, name, { fill: look.stroke, halo: colours.card, align });
  };
  const modeLook = { stroke: colours.ink, width: 1.5, dash: [5, 4] };
  if (other !== null) stand(other, modeLook, "mode", other > mean);
  stand(mode, modeLook, "mode", mode > mean);
  stand(mean, { stroke: colours.derivative, width: 2 }, "mean", mode <= mean);
}

/** The energy with and without the input, and how far T reaches above its minimum. */
export function drawUnitPotential(pen, plot, { density }) {
  const { colours } = plot;
  const { answer: { x, potential, numbers }, asked } = density;
  const tilted = x.map((at, index) => [at, potential[index] - asked.input * at]);
  const reached = asked.temperature - numbers.highest;
  const level = plot.down(reached);
  const below = tilted.map(([at, energy]) => [plot.across(at), Math.max(level, plot.down(energy))]);
  pen.fill([[below[0][0], level], ...below, [below.at(-1)[0], level]], { fill: colours.term1, alpha: 0.3 });
  const plain = x.map((at, index) => plot.point([at, potential[index]]));
  if (asked.input) pen.line(plain, { stroke: colours.term1, width: 1.5, dash: [2, 4] });
  pen.line(tilted.map((point) => plot.point(point)), { stroke: colours.term1, width: 2.5 });
  const modes = [numbers.mode, numbers.other_mode].filter((mode) => mode !== null);
  for (const mode of modes) {
    pen.dot(plot.point([mode, -numbers.highest]), 4, { fill: colours.card, stroke: colours.ink, width: 1.75 });
  }
  drawUnitLegend(pen, plot, [
    ["energy  U(x) − I x", { stroke: colours.term1, width: 2.5 }],
    ...(asked.input ? [["potential  U(x)", { stroke: colours.term1, width: 1.5, dash: [2, 4] }]] : []),
    ["within T of the minimum", { fill: colours.term1, alpha: 0.3 }],
  ]);
}

/** Mean with its standard deviation, and mode, against the input. */
export function drawUnitTransfer(pen, plot, { transfer }, document) {
  const { colours } = plot;
  const { inputs, mean, std, mode } = transfer.answer;
  const place = (sign) => inputs.map((at, index) => plot.point([at, mean[index] + sign * std[index]]));
  pen.fill([...place(1), ...place(-1).reverse()], { fill: colours.derivative, alpha: 0.15 });
  drawUnitBranches(pen, plot, document);
  pen.line(place(0), { stroke: colours.derivative, width: 3 });
  drawUnitMode(pen, plot, mode);
  const across = plot.across(document.input);
  pen.line([[across, 0], [across, plot.height]], { stroke: colours.soft, dash: [2, 4] });
  drawUnitLegend(pen, plot, [
    ["mean", { stroke: colours.derivative, width: 3 }],
    ["± standard deviation", { fill: colours.derivative, alpha: 0.15 }],
    ["mode (T → 0)", { stroke: colours.ink, width: 2, dash: [5, 4] }],
  ]);
  drawUnitAxisName(pen, plot, "input I");
}

/** The arms of the two sides, also where the other side wins: θ and γ are taken by them. */
function drawUnitBranches(pen, plot, { theta_pos, theta_neg, gamma_pos, gamma_neg }) {
  const [left, right] = plot.window;
  const arms = [[theta_pos, right, gamma_pos, plot.colours.term0], [theta_neg, left, gamma_neg, plot.colours.term2]];
  for (const [theta, end, gamma, stroke] of arms) {
    if ((end - theta) * (end === right ? 1 : -1) <= 0) continue;
    pen.line([plot.point([theta, 0]), plot.point([end, (end - theta) / gamma])], { stroke, width: 5, alpha: 0.4 });
  }
}

/** The mode piece by piece; a kink belongs to its left piece, as in the library. */
function drawUnitMode(pen, plot, { kinks, slopes, intercepts }) {
  const { ink, card } = plot.colours;
  const look = { stroke: ink, width: 2, dash: [5, 4] };
  const [left, right] = plot.window;
  const value = (piece, x) => slopes[piece] * x + intercepts[piece];
  const ends = [left, ...kinks.map((kink) => Math.min(Math.max(kink, left), right)), right];
  slopes.forEach((_, piece) => {
    const [start, end] = [ends[piece], ends[piece + 1]];
    if (start < end) pen.line([start, end].map((x) => plot.point([x, value(piece, x)])), look);
  });
  kinks.forEach((kink, piece) => {
    const [below, above] = [piece, piece + 1].map((side) => plot.point([kink, value(side, kink)]));
    if (Math.abs(above[1] - below[1]) < 1) return;
    pen.line([below, above], { stroke: ink, width: 1, dash: [1, 3] });
    pen.dot(below, 3.5, { fill: ink, stroke: ink, width: 1.5 });
    pen.dot(above, 3.5, { fill: card, stroke: ink, width: 1.5 });
  });
}

/** Names of the curves, each behind a stroke or a patch of its kind. */
function drawUnitLegend(pen, { colours, height }, rows) {
  rows.slice(0, height < 110 ? 2 : rows.length).forEach(([name, look], index) => {
    const y = 14 + 16 * index;
    if (look.fill) pen.fill([[10, y - 5], [30, y - 5], [30, y + 5], [10, y + 5]], look);
    else pen.line([[10, y], [30, y]], look);
    pen.text(36, y, name, { fill: colours.ink, halo: colours.card, size: 11.5 });
  });
}

function drawUnitAxisName(pen, plot, name) {
  const down = Math.min(Math.max(plot.down(0) - 9, 10), plot.height - 10);
  pen.text(plot.width - 8, down, name, { fill: plot.colours.soft, halo: plot.colours.card, align: "end" });
}

/** A sentence in the middle of a plot that has nothing to show. */
export function drawUnitSilence(pen, plot, text) {
  const look = { fill: plot.colours.soft, halo: plot.colours.card, align: "center", size: 13 };
  pen.text(plot.width / 2, plot.height / 2 - 18, text, look);
}

/** The density in words, for those who cannot see it. */
export function unitInWords({ numbers }, input) {
  return `Density of a dReLU unit at input ${shown(input)}: mean ${shown(numbers.mean)}, mode ${modeInWords(numbers)}`;
}

/** The mode; both of them where two wells are equally deep. */
export function modeInWords({ mode, other_mode: other }, digits = 4) {
  return other === null ? shown(mode, digits) : `${shown(other, digits)} and ${shown(mode, digits)}`;
}
