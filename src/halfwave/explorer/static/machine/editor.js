/** Clamp sites with pointer or keys, and watch the rest fill in. */

import { bytesOf, element, focusNear, setText } from "../basics/dom.js";
import { machineInkOf, machineLetterInk, machinePaintBytes } from "./palette.js";

const MACHINE_MOST_ACROSS = 30;
const MACHINE_NARROW_EDITOR = 450;
const MACHINE_MARGIN = 18; // pixels for the letters beside a map
const MACHINE_STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * A picture of one sample in which sites are clamped. Sites are pixels, or, where they are categorical and no image,
 * columns of a map with a row for each colour. `paint(site, level)` clamps a site (-1 frees it), `rest()` ends a
 * stroke.
 */
export class MachineClampEditor {
  constructor({ paint, rest }) {
    Object.assign(this, { paint, rest, cursor: [0, 0], stroke: null });
    this.sample = element("canvas");
    this.canvas = element("canvas", {
      class: "clamp", tabindex: "0", role: "application", "aria-describedby": "clamp-help clamp-cursor",
      "aria-label": "Sample with clamped sites",
      onpointerdown: (event) => this.#press(event), onpointermove: (event) => this.#drag(event),
      onpointerup: () => this.#release(), onpointercancel: () => this.#release(),
      onkeydown: (event) => this.#key(event), onfocus: () => this.draw(), onblur: () => this.draw(),
    });
    this.says = element("span", { id: "clamp-cursor", class: "note", role: "status" });
    this.element = element("div", { class: "clamping" }, this.canvas);
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  /** Show an answer of Python under these clamps; `brush` is the level that a press gives. */
  show({ visible, palette, letters, fill, clamped, brush }) {
    Object.assign(this, { visible, palette, letters, fill, clamped, brush });
    const shows = [fill, clamped, visible, palette.version, letters.join("")];
    if (shows.some((value, index) => value !== this.shows?.[index])) this.draw();
    this.shows = shows;
  }

  draw() {
    const width = this.element.clientWidth;
    if (!this.visible || !width) return;
    this.grid = this.#gridOf(width);
    const { map, columns, rows, margin, high } = this.grid;
    this.cursor = [Math.min(this.cursor[0], columns - 1), Math.min(this.cursor[1], rows - 1)];
    const context = this.#prepare(width, map ? margin + rows * high : rows * high);
    if (map) this.#drawMap(context);
    else this.#drawPixels(context);
    if (focusNear(this.canvas) === this.canvas) this.#drawCursor(context);
    this.#say();
  }

  /** Rows and columns, and the size of a cell; samples that are no images wrap, so that a finger finds a cell. */
  #gridOf(width) {
    const { kind, image, sites, colours } = this.visible;
    const map = kind === "categorical" && !image;
    const most = width < MACHINE_NARROW_EDITOR ? MACHINE_MOST_ACROSS / 2 : MACHINE_MOST_ACROSS;
    const columns = map ? sites : image?.[1] ?? Math.min(most, sites);
    const margin = map ? MACHINE_MARGIN : 0;
    const cell = (width - margin) / columns;
    return { map, columns, rows: map ? colours : Math.ceil(sites / columns), margin, cell, high: map ? 15 : cell };
  }

  #prepare(width, height) {
    const { canvas } = this;
    const ratio = devicePixelRatio || 1;
    const [wide, tall] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== wide) canvas.width = wide;
    if (canvas.height !== tall) canvas.height = tall;
    canvas.style.height = `${height}px`;
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.imageSmoothingEnabled = false;
    return context;
  }

  #drawPixels(context) {
    const { visible, clamped, palette, letters } = this;
    const { columns, rows, cell } = this.grid;
    const table = palette.tableFor(visible.kind, letters);
    const bytes = this.fill ? bytesOf(this.fill.sample) : new Uint8Array(visible.sites);
    const wanted = bytes.map((byte, site) => (clamped[site] < 0 ? byte : machineByteOfLevel(clamped[site], visible)));
    machinePaintBytes(this.sample, wanted, columns, rows, table);
    context.drawImage(this.sample, 0, 0, columns * cell, rows * cell);
    const size = Math.max(2, Math.min(7, cell * 0.28));
    context.fillStyle = machineInkOf(palette.mark);
    clamped.forEach((level, site) => {
      if (level < 0) return;
      const [left, top] = [(site % columns) * cell, Math.floor(site / columns) * cell];
      context.fillRect(left + (cell - size) / 2, top + (cell - size) / 2, size, size);
    });
  }

  #drawMap(context) {
    const { clamped, palette, letters, fill } = this;
    const { columns, rows, cell, high, margin } = this.grid;
    const [shades, table] = [palette.tableFor("binary"), palette.tableFor("categorical", letters)];
    const mean = fill ? bytesOf(fill.mean) : new Uint8Array(columns * rows);
    const sample = fill ? bytesOf(fill.sample) : new Uint8Array(columns);
    const text = (words, x, y, colour) => {
      context.fillStyle = colour;
      context.fillText(words, x, y);
    };
    const middle = { textAlign: "center", textBaseline: "middle" };
    Object.assign(context, { font: "600 10px ui-monospace, Menlo, monospace", ...middle });
    for (let site = 0; site < columns; site += 1) {
      const left = margin + site * cell;
      const colour = clamped[site] < 0 ? sample[site] : clamped[site];
      context.fillStyle = machineInkOf(table[colour]);
      context.fillRect(left, 0, cell, margin - 3);
      if (cell > 6) text(letters[colour], left + cell / 2, margin / 2 - 1, machineLetterInk(table[colour]));
      for (let row = 0; row < rows; row += 1) {
        context.fillStyle = machineInkOf(shades[mean[site * rows + row]]);
        context.fillRect(left, margin + row * high, cell - 0.5, high - 0.5);
      }
      if (clamped[site] >= 0) this.#outline(context, left, margin + clamped[site] * high, machineInkOf(palette.mark));
    }
    const ink = machineInkOf(palette.on);
    letters.slice(0, rows).forEach((letter, row) => text(letter, margin / 2 - 1, margin + (row + 0.5) * high, ink));
  }

  #outline(context, left, top, colour) {
    const { cell, high } = this.grid;
    Object.assign(context, { strokeStyle: colour, lineWidth: 2.5 });
    context.strokeRect(left + 1, top + 1, cell - 2.5, high - 2.5);
  }

  #drawCursor(context) {
    const { cell, high, margin } = this.grid;
    const [left, top] = [margin + this.cursor[0] * cell, margin + this.cursor[1] * high];
    for (const [colour, width] of [[this.palette.off, 4], [this.palette.high, 2]]) {
      Object.assign(context, { strokeStyle: machineInkOf(colour), lineWidth: width });
      context.strokeRect(left + 1, top + 1, cell - 2, high - 2);
    }
  }

  /** The site under the cursor, or null beyond the last one. */
  get site() {
    const { map, columns } = this.grid;
    const site = map ? this.cursor[0] : this.cursor[1] * columns + this.cursor[0];
    return site < this.visible.sites ? site : null;
  }

  #say() {
    const { site, letters, visible } = this;
    const level = site === null ? -1 : this.clamped[site];
    const name = visible.kind === "categorical" ? letters[level] : machineLevelWords(visible)[level];
    setText(this.says, site === null ? "" : `site ${site}: ${level < 0 ? "free" : `clamped to ${name}`}`);
  }

  /** What a press at the cursor does to its site: in a map, the row tells the level. */
  #apply() {
    if (this.site === null) return;
    this.paint(this.site, this.grid.map && this.brush >= 0 ? this.cursor[1] : this.brush);
  }

  #cellOf(event) {
    const box = this.canvas.getBoundingClientRect();
    const { margin, cell, high, columns, rows } = this.grid;
    const column = Math.floor((event.clientX - box.left - margin) / cell);
    const row = Math.floor((event.clientY - box.top - margin) / high);
    return [Math.min(Math.max(column, 0), columns - 1), Math.min(Math.max(row, 0), rows - 1)];
  }

  #press(event) {
    if (event.button !== 0 || !this.grid) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.stroke = this.#cellOf(event);
    this.cursor = this.stroke;
    this.#apply();
  }

  /** A quick stroke skips no cell between two events. */
  #drag(event) {
    if (!this.stroke) return;
    const [from, to] = [this.stroke, this.#cellOf(event)];
    const steps = Math.max(Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1]));
    for (let step = 1; step <= steps; step += 1) {
      this.cursor = from.map((start, axis) => Math.round(start + ((to[axis] - start) * step) / steps));
      this.#apply();
    }
    this.stroke = to;
  }

  #release() {
    if (this.stroke) this.rest();
    this.stroke = null;
  }

  #key(event) {
    if (!this.grid || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = MACHINE_STEPS[event.key];
    const { columns, rows } = this.grid;
    const moved = (count, axis) => machineClampedTo(this.cursor[axis] + step[axis], count);
    if (step) this.cursor = [columns, rows].map(moved);
    else if (event.key === " ") this.#toggle();
    else if ((event.key === "Delete" || event.key === "Backspace") && this.site !== null) this.paint(this.site, -1);
    else return;
    event.preventDefault();
    this.rest();
    this.draw();
  }

  /** Space gives the level of the brush, and takes it away where the site has it already. */
  #toggle() {
    const { site } = this;
    const level = this.grid.map ? this.cursor[1] : this.brush;
    if (site !== null) this.paint(site, this.clamped[site] === level ? -1 : level);
  }
}

const machineClampedTo = (value, count) => Math.min(Math.max(value, 0), count - 1);

/** The words of the levels that a site can be clamped to. */
export function machineLevelWords({ kind, levels }) {
  const words = { binary: ["0", "1"], spin: ["−1", "+1"], real: ["−2 σ", "−1 σ", "mean", "+1 σ", "+2 σ"] };
  return words[kind] ?? Array.from({ length: levels }, (_, level) => String(level));
}

/** The byte by which a picture shows a level. */
export function machineByteOfLevel(level, { kind }) {
  if (kind === "categorical") return level;
  return kind === "real" ? Math.round(255 * (0.5 + (level - 2) / 6)) : 255 * level;
}

/** The level that comes nearest to the byte of a picture. */
export function machineLevelOfByte(byte, { kind }) {
  if (kind === "categorical") return byte;
  return kind === "real" ? Math.min(4, Math.max(0, Math.round((byte / 255 - 0.5) * 6) + 2)) : byte > 127 ? 1 : 0;
}
