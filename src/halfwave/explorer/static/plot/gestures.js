/** What hand, wheel and keys do to a plot: pan, zoom, pinch; and what they do to a handle. */

import { snapped } from "./numerals.js";

const ZOOM_STEP = 1.25;
const WIDEST = 1e6;
const NARROWEST = 1e-6;

/** Ends, two by two, to a hundredth of a pixel or so: finer ones would only make the address long. */
export function roundedWindow(ends) {
  return ends.map((end, index) => {
    const span = Math.abs(ends[index ^ 1] - end);
    return snapped(end, 10 ** (Math.floor(Math.log10(span)) - 4));
  });
}

/** The window zoomed by a factor about a point of the plane; unchanged where numbers would no longer tell. */
export function zoomed([left, right, bottom, top], factor, x, y) {
  const scaled = [x + (left - x) * factor, x + (right - x) * factor, y + (bottom - y) * factor, y + (top - y) * factor];
  const sizes = [scaled[1] - scaled[0], scaled[3] - scaled[2]];
  return sizes.some((size) => (factor > 1 ? size > WIDEST : size < NARROWEST)) ? [left, right, bottom, top] : scaled;
}

/**
 * Pan by dragging the ground, zoom by wheel or two fingers. `grab(x, y)` may take a press for itself by returning
 * { move(x, y), release() } in pixels of the plot.
 */
export function makePannable(plot, { setWindow, grab, hover }) {
  const pointers = new Map();
  let held = null;

  const here = (event) => {
    const box = plot.element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  plot.canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    plot.canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, here(event));
    if (pointers.size === 1) held = grab(...here(event));
  });
  plot.canvas.addEventListener("pointermove", (event) => {
    const now = here(event);
    const before = pointers.get(event.pointerId);
    if (event.pointerType !== "touch") hover(now[0]);
    if (!before) return;
    if (held) held.move(...now);
    else if (pointers.size === 1) setWindow(panned(plot, before, now));
    else setWindow(pinched(plot, before, now, [...pointers].find(([id]) => id !== event.pointerId)[1]));
    pointers.set(event.pointerId, now);
  });
  const release = (event) => {
    pointers.delete(event.pointerId);
    held?.release();
    held = null;
  };
  plot.canvas.addEventListener("pointerup", release);
  plot.canvas.addEventListener("pointercancel", release);
  plot.element.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const [x, y] = here(event);
      const factor = Math.exp(Math.max(-60, Math.min(60, event.deltaY)) / 400);
      setWindow(zoomed(plot.window, factor, plot.abscissa(x), plot.ordinate(y)));
    },
    { passive: false },
  );
}

/** The window zoomed in (−1) or out (1) about its middle by one press of a button. */
export function zoomedByStep(window, direction) {
  const [left, right, bottom, top] = window;
  return zoomed(window, ZOOM_STEP ** direction, (left + right) / 2, (bottom + top) / 2);
}

function panned(plot, [x0, y0], [x1, y1]) {
  const [left, right, bottom, top] = plot.window;
  const across = ((x0 - x1) / plot.width) * (right - left);
  const up = ((y1 - y0) / plot.height) * (top - bottom);
  return [left + across, right + across, bottom + up, top + up];
}

function pinched(plot, before, now, other) {
  const apart = ([x, y]) => Math.max(20, Math.hypot(x - other[0], y - other[1]));
  return zoomed(plot.window, apart(before) / apart(now), plot.abscissa(other[0]), plot.ordinate(other[1]));
}

/**
 * Let a handle be dragged: `move(x, y)` in pixels of the plot, `release()` at the end. A handle stays under the
 * finger where it was taken; with `absolute` the pointer itself is the place, from the press on.
 */
export function makeDraggable(node, plot, { start = () => {}, move, release, absolute = false }) {
  let offset = null;
  node.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const box = plot.element.getBoundingClientRect();
    const at = node.getBoundingClientRect();
    const inside = absolute ? [0, 0] : [event.clientX - at.left - at.width / 2, event.clientY - at.top - at.height / 2];
    offset = [inside[0] + box.left, inside[1] + box.top];
    node.setPointerCapture(event.pointerId);
    start();
    if (absolute) move(event.clientX - offset[0], event.clientY - offset[1]);
  });
  node.addEventListener("pointermove", (event) => {
    if (offset) move(event.clientX - offset[0], event.clientY - offset[1]);
  });
  const end = () => {
    if (offset) release();
    offset = null;
  };
  node.addEventListener("pointerup", end);
  node.addEventListener("pointercancel", end);
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/** The direction of an arrow key, a tenth as far with shift; null for other keys. */
export function arrowOf(event) {
  const arrow = ARROWS[event.key];
  if (!arrow || event.ctrlKey || event.metaKey || event.altKey) return null;
  return arrow.map((part) => (event.shiftKey ? part / 10 : part));
}
