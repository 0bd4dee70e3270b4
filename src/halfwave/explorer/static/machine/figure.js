/** The figure of one hidden unit: weights, response to its input, distribution of its values, potential. */

import { bytesOf } from "../basics/dom.js";
import { machineDrawCurve, machineDrawPanel, machineRangeOf } from "./axes.js";
import { machineInkOf, machinePaintBytes, machineTransposedBytes } from "./palette.js";
import { shown } from "../plot/numerals.js";

const MACHINE_NARROW = 560;
const MACHINE_HEADING = 26;
const MACHINE_LEGEND = 24;

/** Looks of h at the low, middle and high quantile of its inputs. */
const machineQuantileLooks = ({ term0, integral, term1 }) => [
  { stroke: term0, width: 2, dash: [2, 3] },
  { stroke: integral, width: 2 },
  { stroke: term1, width: 2, dash: [7, 3] },
];

/** Draw a unit of a run; `value` is where it has been moved, or null. Returns the panels in which h runs across. */
export function machineDrawUnitFigure(pen, plot, { run, unit, palette, value }) {
  if (!run || !unit) return [];
  const { colours, width, height } = plot;
  const narrow = width < MACHINE_NARROW;
  const short = `Unit ${unit.unit} (${run.hidden.unit}), rank ${unit.rank + 1} of ${run.hidden.size}`;
  const heading = narrow ? short : machineUnitInWords(run, unit);
  pen.text(10, 14, heading, { fill: colours.ink, halo: colours.card, size: 13 });
  const down = (height - MACHINE_HEADING - MACHINE_LEGEND) / (narrow ? 2 : 1);
  const first = narrow ? width / 2 : Math.min(down, width * 0.23);
  const rest = narrow ? width / 2 : (width - first) / 3;
  const place = (index) => narrow
    ? [(index % 2) * first, MACHINE_HEADING + Math.floor(index / 2) * down, rest, down]
    : [index ? first + (index - 1) * rest : 0, MACHINE_HEADING, index ? rest : first, down];
  machineDrawWeights(pen, colours, place(0), run, unit, palette);
  machineDrawResponse(pen, colours, place(1), unit);
  machineDrawFigureLegend(pen, colours, width, height - MACHINE_LEGEND / 2);
  return [
    machineDrawValues(pen, colours, place(2), unit, value),
    machineDrawPotential(pen, colours, place(3), unit, value),
  ];
}

/** The unit in one line. */
export function machineUnitInWords(run, unit) {
  const place = `${unit.rank + 1} of ${run.hidden.size}`;
  return `Hidden unit ${unit.unit} (${run.hidden.unit}), importance ${shown(unit.importance)}, rank ${place}`;
}

function machineDrawWeights(pen, colours, [x, y, width, height], { visible }, unit, palette) {
  pen.text(x + 10, y + 8, "weights · std(h)", { fill: colours.ink, halo: colours.card, size: 12 });
  const table = palette.tableFor("signed");
  const bytes = bytesOf(unit.weights);
  const { image, sites } = visible;
  const rows = visible.colours > 1 ? visible.colours : image?.[0] ?? Math.ceil(sites / 12);
  const columns = visible.colours > 1 ? sites : image?.[1] ?? Math.min(12, sites);
  const room = [width - 20, height - 54];
  const square = visible.colours > 1 ? null : Math.min(room[0] / columns, room[1] / rows);
  const [wide, high] = square ? [square, square] : [room[0] / columns, room[1] / rows];
  // colours of a site stand below each other
  const cells = visible.colours > 1 ? machineTransposedBytes(bytes, sites, visible.colours) : bytes;
  machineDrawCells(pen, cells, { x: x + 10, y: y + 22, wide, high, columns, rows, table });
  const foot = Math.round(y + 22 + high * rows) + 12;
  const words = { fill: colours.soft, halo: colours.card, size: 11 };
  pen.text(x + 10, foot, `blue −${shown(unit.reach, 3)} … orange +${shown(unit.reach, 3)}`, words);
}

/** Cells of colour: one picture on a canvas, where hundreds of strokes would take a while, else a rectangle each. */
function machineDrawCells(pen, cells, { x, y, wide, high, columns, rows, table }) {
  if (pen.context) {
    const stamp = document.createElement("canvas");
    machinePaintBytes(stamp, cells, columns, rows, table);
    pen.context.imageSmoothingEnabled = false;
    pen.context.drawImage(stamp, x, y, wide * columns, high * rows);
    return;
  }
  cells.forEach((byte, index) => {
    const [left, top] = [x + (index % columns) * wide, y + Math.floor(index / columns) * high];
    const corners = [[left, top], [left + wide, top], [left + wide, top + high], [left, top + high]];
    pen.fill(corners, { fill: machineInkOf(table[byte]) });
  });
}

function machineDrawResponse(pen, colours, place, unit) {
  const down = machineRangeOf([...unit.mean, ...unit.mode], 0.08);
  const across = [unit.inputs[0], unit.inputs.at(-1)];
  const words = { title: "response to the input", label: "input I = Σ w v" };
  const panel = machineDrawPanel(pen, colours, place, { across, down, ...words });
  const most = Math.max(...unit.input_density);
  const top = (share) => panel.bottom - (share / most) * 0.5 * (panel.bottom - panel.top);
  const outline = unit.input_density.flatMap((density, bin) =>
    [[panel.px(unit.edges[bin]), top(density)], [panel.px(unit.edges[bin + 1]), top(density)]]);
  pen.fill([[panel.left, panel.bottom], ...outline, [panel.right, panel.bottom]], { fill: colours.input, alpha: 0.28 });
  machineDrawCurve(pen, panel, unit.inputs, unit.mode, { stroke: colours.derivative, width: 1.75, dash: [6, 3] });
  machineDrawCurve(pen, panel, unit.inputs, unit.mean, { stroke: colours.sum, width: 2.5 });
  machineQuantileLooks(colours).forEach(({ stroke }, index) => {
    const x = panel.px(unit.quantile_inputs[index]);
    pen.fill([[x - 5, panel.bottom], [x + 5, panel.bottom], [x, panel.bottom - 8]], { fill: stroke });
  });
}

function machineDrawValues(pen, colours, place, unit, value) {
  const looks = machineQuantileLooks(colours);
  const title = unit.discrete ? "probability of h" : "density of h";
  if (unit.discrete) return machineDrawBars(pen, colours, place, unit, looks, title);
  const [low, high] = machineShownValues(unit);
  // a nearly certain unit would dwarf all others
  const heights = unit.conditional.map((curve) => Math.max(...curve));
  const middle = [...heights, Math.max(...unit.marginal)].sort((a, b) => a - b)[2];
  const down = [0, 1.08 * Math.min(Math.max(...heights), 2.5 * middle)];
  const panel = machineDrawPanel(pen, colours, place, { across: [low, high], down, title, label: "value of h" });
  pen.clip(panel.left, panel.top, panel.right - panel.left, panel.bottom - panel.top);
  const outline = unit.values.map((h, index) => [panel.px(h), panel.py(unit.marginal[index])]);
  const ground = [[outline.at(-1)[0], panel.bottom], [outline[0][0], panel.bottom]];
  pen.fill([...outline, ...ground], { fill: colours.input, alpha: 0.28 });
  pen.unclip();
  unit.conditional.forEach((curve, index) => machineDrawCurve(pen, panel, unit.values, curve, looks[index]));
  machineDrawMarker(pen, colours, panel, value);
  return panel;
}

function machineDrawBars(pen, colours, place, unit, looks, title) {
  const across = machineRangeOf(unit.values, 0.5);
  const panel = machineDrawPanel(pen, colours, place, { across, down: [0, 1.05], title, label: "value of h" });
  const strokes = [{ stroke: colours.input }, ...looks].map(({ stroke }) => stroke);
  const groups = [unit.marginal, ...unit.conditional].map((heights, index) => [strokes[index], heights]);
  const step = (across[1] - across[0]) / (unit.values.length * (groups.length + 1.5));
  groups.forEach(([stroke, heights], group) => unit.values.forEach((h, index) => {
    const [left, right] = [panel.px(h + (group - 2) * step), panel.px(h + (group - 1) * step)];
    const top = panel.py(heights[index]);
    pen.fill([[left, panel.bottom], [left, top], [right - 1, top], [right - 1, panel.bottom]], { fill: stroke });
  }));
  return panel;
}

function machineDrawPotential(pen, colours, place, unit, value) {
  const [low, high] = unit.discrete ? machineRangeOf(unit.values, 0.25) : machineShownValues(unit);
  const inside = unit.potential.filter((_, index) => unit.values[index] >= low && unit.values[index] <= high);
  const words = { title: "potential U(h)", label: "value of h" };
  const down = machineRangeOf(inside, 0.1);
  const panel = machineDrawPanel(pen, colours, place, { across: [low, high], down, ...words });
  const { sum, card } = colours;
  const dot = (h, index) => pen.dot([panel.px(h), panel.py(unit.potential[index])], 5, { fill: sum, stroke: card });
  if (unit.discrete) unit.values.forEach(dot);
  else machineDrawCurve(pen, panel, unit.values, unit.potential, { stroke: sum, width: 2.5 });
  machineDrawMarker(pen, colours, panel, value);
  return panel;
}

function machineDrawMarker(pen, { ink }, { px, left, right, top, bottom }, value) {
  if (value === null) return;
  const x = Math.min(Math.max(px(value), left), right);
  pen.line([[x, top], [x, bottom]], { stroke: ink, width: 1.5 });
  pen.fill([[x - 5, top - 1], [x + 5, top - 1], [x, top + 7]], { fill: ink });
}

/** Values of h where the unit is found over the data, out of the wider grid. */
function machineShownValues(unit) {
  const most = Math.max(...unit.marginal);
  const curves = [unit.marginal, ...unit.conditional];
  const kept = unit.values.filter((_, index) => curves.some((curve) => curve[index] > 2e-3 * most));
  return kept.length > 1 ? [kept[0], kept.at(-1)] : [unit.values[0], unit.values.at(-1)];
}

function machineDrawFigureLegend(pen, colours, width, y) {
  const words = { fill: colours.ink, halo: colours.card, size: 11 };
  const [low, middle, high] = machineQuantileLooks(colours);
  const wide = width > MACHINE_NARROW;
  const entries = [
    ["mean", { stroke: colours.sum, width: 2.5 }],
    ["mode", { stroke: colours.derivative, width: 1.75, dash: [6, 3] }],
    ["data", { stroke: colours.input, width: 8, alpha: 0.4 }],
    [wide ? "h at the 5 %" : "5 %", low],
    ["50 %", middle],
    [wide ? "95 % quantile of the input (▲)" : "95 % ▲", high],
  ];
  let x = 10;
  for (const [name, look] of entries) {
    pen.line([[x, y], [x + (wide ? 18 : 13), y]], look);
    pen.text(x + (wide ? 22 : 16), y, name, words);
    // about 6 pixels for a letter of this size
    x += 6 * name.length + (wide ? 38 : 26);
  }
}
