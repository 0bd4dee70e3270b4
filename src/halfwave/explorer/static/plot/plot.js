/** A plot with axes: a canvas for the picture, and a layer of handles above it. */

import { element } from "../basics/dom.js";
import { shown, ticks } from "./numerals.js";
import { CanvasPen, SvgPen } from "./pens.js";

const PIXELS_PER_TICK = 64;

/**
 * Shows a window [left, right, bottom, top] of the plane. `scene(pen, plot)` draws what is in it; `afterwards`
 * places the handles. Without `axes` the scene draws its own; a
 * `flat` plot stands under another one and has numbers at its ordinates only. Numbers of abscissas stand `foot`
 * pixels below zero.
 */
export class Plot {
  constructor({ label, colours, scene, afterwards = () => {}, small = false, axes = true, flat = false, foot = 20 }) {
    Object.assign(this, { colours, scene, afterwards, small, axes, flat, foot, window: [-4, 4, -4, 4], width: 0, height: 0 });
    this.canvas = element("canvas", { role: "img", "aria-label": label });
    this.handles = element("div", { class: "handles" });
    this.element = element("div", { class: small ? "plot small" : "plot" }, this.canvas, this.handles);
    new ResizeObserver(() => this.#measure()).observe(this.element);
  }

  /** Pixels from the left for an abscissa, and back. */
  across(x) {
    return ((x - this.window[0]) / (this.window[1] - this.window[0])) * this.width;
  }

  abscissa(pixels) {
    return this.window[0] + (pixels / this.width) * (this.window[1] - this.window[0]);
  }

  /** Pixels from the top for an ordinate, and back. */
  down(y) {
    return ((this.window[3] - y) / (this.window[3] - this.window[2])) * this.height;
  }

  ordinate(pixels) {
    return this.window[3] - (pixels / this.height) * (this.window[3] - this.window[2]);
  }

  point([x, y]) {
    return [this.across(x), this.down(y)];
  }

  /** The power of ten nearest below what one pixel is worth: finer steps could not be pointed at. */
  get step() {
    return 10 ** Math.floor(Math.log10((1.5 * (this.window[1] - this.window[0])) / Math.max(1, this.width)));
  }

  draw() {
    if (!this.width || !this.height) return;
    const ratio = devicePixelRatio || 1;
    const [wide, high] = [Math.round(this.width * ratio), Math.round(this.height * ratio)];
    if (this.canvas.width !== wide || this.canvas.height !== high) {
      this.canvas.width = wide;
      this.canvas.height = high;
    }
    this.#paint(this.canvas.getContext("2d", { alpha: false }), ratio);
    this.afterwards();
  }

  /** The picture as a PNG file, twice as sharp as the screen. */
  png() {
    const canvas = element("canvas", { width: 2 * this.width, height: 2 * this.height });
    this.#paint(canvas.getContext("2d", { alpha: false }), 2);
    return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }

  /** The picture as an SVG file. */
  svg(title) {
    const pen = new SvgPen();
    this.#compose(pen);
    return new Blob([pen.file(this.width, this.height, this.colours.card, title)], { type: "image/svg+xml" });
  }

  #measure() {
    this.width = this.element.clientWidth;
    this.height = this.element.clientHeight;
    this.draw();
  }

  #paint(context, ratio) {
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = this.colours.card;
    context.fillRect(0, 0, this.width, this.height);
    this.#compose(new CanvasPen(context));
  }

  #compose(pen) {
    pen.clip(0, 0, this.width, this.height);
    if (this.axes) this.#grid(pen);
    this.scene(pen, this);
    if (this.axes) this.#labels(pen);
    pen.unclip();
  }

  #ticks() {
    const [left, right, bottom, top] = this.window;
    const apart = this.small ? PIXELS_PER_TICK / 1.6 : PIXELS_PER_TICK;
    return [ticks(left, right, this.width / (this.flat ? PIXELS_PER_TICK : apart)), ticks(bottom, top, this.height / (this.flat ? 28 : apart))];
  }

  #grid(pen) {
    const [xs, ys] = this.#ticks();
    const sharp = (pixels) => Math.round(pixels) + 0.5;
    const { axis, line } = this.colours;
    const stroke = (value) => (value === 0 ? { stroke: axis, width: 1.25 } : { stroke: line });
    for (const x of xs) pen.line([[sharp(this.across(x)), 0], [sharp(this.across(x)), this.height]], stroke(x));
    for (const y of ys) pen.line([[0, sharp(this.down(y))], [this.width, sharp(this.down(y))]], stroke(y));
  }

  /** Numbers stand at the axes, or at the edge nearest to an axis that is out of sight. */
  #labels(pen) {
    const [xs, ys] = this.#ticks();
    const size = this.small ? 10 : 12;
    const within = (pixels, low, high) => Math.min(Math.max(pixels, low), high);
    const row = within(this.down(0) + (this.small ? size : this.foot), size, this.height - size);
    const edge = this.flat ? 6 : 10;
    const widest = Math.max(0, ...ys.map((y) => shown(y, 8).length));
    const column = within(this.across(0) - 6, Math.max(30, 0.6 * size * widest + 4), this.width - 8);
    const look = { fill: this.colours.soft, halo: this.colours.card, size };
    for (const x of xs) {
      const at = this.across(x);
      if (!this.flat && x !== 0 && at > 12 && at < this.width - 12) pen.text(at, row, shown(x, 8), { ...look, align: "center" });
    }
    for (const y of ys) {
      const at = this.down(y);
      if (y !== 0 && at > edge && at < this.height - edge) pen.text(column, at, shown(y, 8), { ...look, align: "end" });
    }
  }
}
