/** A panel with axes inside a larger figure, drawn with a pen so that screen, PNG and SVG are one picture. */

import { shown, ticks } from "../plot/numerals.js";

const MACHINE_LEFT = 34;
const MACHINE_TOP = 22;
const MACHINE_BOTTOM = 32;

/** Draw frame, ticks and words; returns how to place points and the box inside. */
export function machineDrawPanel(pen, colours, [x, y, width, height], { across, down, title, label, numbers = true }) {
  const [left, top] = [x + (numbers ? MACHINE_LEFT : 8), y + MACHINE_TOP];
  const box = { left, right: x + width - 6, top, bottom: y + height - MACHINE_BOTTOM, across };
  const px = (value) => box.left + ((value - across[0]) / (across[1] - across[0])) * (box.right - box.left);
  const py = (value) => box.bottom - ((value - down[0]) / (down[1] - down[0])) * (box.bottom - box.top);
  const words = { fill: colours.soft, halo: colours.card, size: 10 };
  pen.text(box.left, y + 8, title, { fill: colours.ink, halo: colours.card, size: 12 });
  for (const value of ticks(...across, (box.right - box.left) / 44)) {
    const at = Math.round(px(value)) + 0.5;
    pen.line([[at, box.top], [at, box.bottom]], { stroke: value === 0 ? colours.axis : colours.line });
    pen.text(at, box.bottom + 10, shown(value), { ...words, align: "center" });
  }
  for (const value of numbers ? ticks(...down, (box.bottom - box.top) / 34) : []) {
    const at = Math.round(py(value)) + 0.5;
    pen.line([[box.left, at], [box.right, at]], { stroke: value === 0 ? colours.axis : colours.line });
    pen.text(box.left - 5, at, shown(value), { ...words, align: "end" });
  }
  pen.text((box.left + box.right) / 2, y + height - 8, label, { ...words, align: "center", size: 11 });
  return { px, py, ...box };
}

/** Lowest and highest of numbers, a little widened; a single value gets room on both sides. */
export function machineRangeOf(values, room = 0.06) {
  const known = values.filter((value) => value !== null);
  const low = Math.min(...known);
  const high = Math.max(...known);
  const pad = (high - low) * room || 0.5;
  return [low - pad, high + pad];
}

/** A curve through points of which none is missing. */
export function machineDrawCurve(pen, { px, py, left, right, top, bottom }, xs, ys, look) {
  pen.clip(left, top, right - left, bottom - top);
  const points = xs.flatMap((x, index) => (ys[index] === null ? [] : [[px(x), py(ys[index])]]));
  pen.line(points, look);
  pen.unclip();
}
