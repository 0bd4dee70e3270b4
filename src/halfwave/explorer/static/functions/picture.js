/** What the plot of the room "Functions" shows. */

import { TERM_DASHES } from "../plot/colours.js";
import { shown } from "../plot/numerals.js";
import { cornersOf, integralOf, kinksOf, sounding, stepsOf, termValue, valueOf } from "../sums/sums.js";

const BELL_HEIGHT = 0.24; // of the plot

/** Draw the sum with each term faint behind it, and what the switches ask for. */
export function drawFunctions(pen, plot, sum, { selected, probe }) {
  const { colours } = plot;
  const { derivative, integral, gaussian } = sum;
  if (gaussian.on) drawInput(pen, plot, gaussian);
  sum.terms.forEach((term, index) => {
    if (!term.on) return;
    const look = { stroke: colours.term(index), dash: TERM_DASHES[Math.floor(index / 4) % 4] };
    const strong = index === selected;
    pen.line(termCorners(plot, sum, term), { ...look, width: strong ? 2.25 : 1.5, alpha: strong ? 0.9 : 0.55 });
  });
  if (integral) pen.line(integralPoints(plot, sum), { stroke: colours.integral, width: 2, dash: [3, 4] });
  if (derivative) drawSteps(pen, plot, sum);
  const [left, right] = plot.window;
  pen.line(cornersOf(sum, left, right).map((p) => plot.point(p)), { stroke: colours.sum, width: 3 });
  for (const x of kinksOf(sum, left, right)) {
    pen.dot(plot.point([x, valueOf(sum, x)]), 4, { fill: colours.card, stroke: colours.sum });
  }
  drawProbe(pen, plot, sum, probe);
  drawLegend(pen, plot, sum);
}

/** Names of the curves, each behind a stroke of its kind. */
function drawLegend(pen, { colours }, { derivative, integral, gaussian }) {
  const rows = [
    ["f", { stroke: colours.sum, width: 3 }],
    ...(derivative ? [["f′", { stroke: colours.derivative, width: 2.25, dash: [8, 3] }]] : []),
    ...(integral ? [["∫₀ˣ f", { stroke: colours.integral, width: 2, dash: [3, 4] }]] : []),
    ...(gaussian.on ? [["density of the input", { stroke: colours.input, width: 1.25 }]] : []),
  ];
  rows.forEach(([name, look], index) => {
    const y = 18 + 18 * index;
    pen.line([[12, y], [36, y]], look);
    pen.text(44, y, name, { fill: colours.ink, halo: colours.card });
  });
}

function termCorners(plot, sum, term) {
  const alone = { terms: [term], slope: 0, offset: 0 };
  const [left, right] = plot.window;
  return [left, ...kinksOf(alone, left, right), right].map((x) => plot.point([x, termValue(term, sum.leak, x)]));
}

function integralPoints(plot, sum) {
  const points = [];
  for (let pixel = 0; pixel <= plot.width + 2; pixel += 2) {
    points.push([pixel, plot.down(integralOf(sum, plot.abscissa(pixel)))]);
  }
  return points;
}

function drawSteps(pen, plot, sum) {
  const { derivative, card } = plot.colours;
  const [left, right] = plot.window;
  const steps = stepsOf(sum, left, right);
  for (const [start, end, slope] of steps) {
    pen.line([plot.point([start, slope]), plot.point([end, slope])], { stroke: derivative, width: 2.25, dash: [8, 3] });
  }
  // a full dot where the kink belongs, on its left piece, and a hollow one on its right
  steps.slice(1).forEach(([start, , slope], index) => {
    if (slope === steps[index][2]) return;
    pen.dot(plot.point([start, steps[index][2]]), 3.5, { fill: derivative, stroke: derivative, width: 1.5 });
    pen.dot(plot.point([start, slope]), 3.5, { fill: card, stroke: derivative, width: 1.5 });
  });
}

/** The density of the input, standing on the lower edge; its mean as a line. */
function drawInput(pen, plot, { mu, sigma }) {
  const { input } = plot.colours;
  const ground = plot.height;
  if (sigma > 0) {
    const height = plot.height * BELL_HEIGHT;
    const points = [];
    for (let pixel = 0; pixel <= plot.width + 2; pixel += 2) {
      const z = (plot.abscissa(pixel) - mu) / sigma;
      points.push([pixel, ground - height * Math.exp(-0.5 * z * z)]);
    }
    pen.fill([[0, ground], ...points, [plot.width + 2, ground]], { fill: input, alpha: 0.16 });
    pen.line(points, { stroke: input, width: 1.25, alpha: 0.8 });
  }
  const at = plot.across(mu);
  pen.line([[at, ground], [at, ground * (1 - BELL_HEIGHT)]], { stroke: input, width: 1.25, dash: [2, 3] });
}

function drawProbe(pen, plot, sum, x) {
  const { soft, card, sum: colour } = plot.colours;
  const [across, down] = plot.point([x, valueOf(sum, x)]);
  pen.line([[across, 0], [across, plot.height]], { stroke: soft, width: 1, dash: [2, 4] });
  pen.dot([across, down], 5, { fill: colour, stroke: card });
}

/** The picture in words, for those who cannot see it. */
export function pictureInWords(sum) {
  const kinks = kinksOf(sum).map((kink) => shown(kink)).join(", ") || "none";
  return `Plot of a sum of ${sounding(sum).length} rectified linear terms; kinks: ${kinks}`;
}
