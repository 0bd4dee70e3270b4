/** A sheet of samples: images in a grid, or one row each where samples are no images. */

import { bytesOf, element } from "../basics/dom.js";
import { machineLetterInk, machinePaintBytes } from "./palette.js";

const MACHINE_GAP = 3;
const MACHINE_ROW = 13;
const MACHINE_LEAST_LETTER = 6; // pixels of a cell below which a letter could not be read
const MACHINE_FONT = "600 10px ui-monospace, SFMono-Regular, Menlo, monospace";

/** Shows samples as bytes; `onpick(index)` is told of a press on one of them. */
export class MachineSheet {
  constructor({ label, columns = 6, onpick = null }) {
    Object.assign(this, { label, columns, onpick, stamp: element("canvas") });
    this.canvas = element("canvas", { role: "img", "aria-label": label, onclick: (event) => this.#pick(event) });
    this.element = element("div", { class: onpick ? "sheet pickable" : "sheet" }, this.canvas);
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  /** Show these samples of a visible layer. */
  show(text, visible, palette, letters) {
    if (!text) return;
    const table = palette.tableFor(visible.kind, letters);
    const changed = text !== this.text || table !== this.table || visible !== this.visible;
    Object.assign(this, { text, visible, table, palette, letters, bytes: bytesOf(text) });
    if (changed) this.draw();
  }

  draw() {
    if (!this.bytes || !this.element.clientWidth) return;
    this.#place();
    this.element.classList.add("drawn");
    const { canvas, tile } = this;
    const ratio = devicePixelRatio || 1;
    const wide = Math.round(tile.width * ratio);
    const high = Math.round(tile.height * ratio);
    if (canvas.width !== wide) canvas.width = wide;
    if (canvas.height !== high) canvas.height = high;
    canvas.style.height = `${tile.height}px`;
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, tile.width, tile.height);
    context.imageSmoothingEnabled = false;
    for (let index = 0; index < this.count; index += 1) this.#draw(context, index);
  }

  get count() {
    return Math.floor(this.bytes.length / this.visible.sites);
  }

  /** Sizes of the sheet and of one sample, in CSS pixels. */
  #place() {
    const width = this.element.clientWidth;
    const { image, sites } = this.visible;
    const columns = image ? this.columns : 1;
    const rows = Math.ceil(this.count / columns);
    const across = (width - MACHINE_GAP * (columns - 1)) / columns;
    const down = image ? (across * image[0]) / image[1] : MACHINE_ROW;
    const gap = image ? MACHINE_GAP : 2;
    const [high, wide] = image ?? [1, sites];
    this.tile = { columns, across, down, gap, high, wide, width, height: rows * (down + gap) - gap };
  }

  #draw(context, index) {
    const { tile, visible, stamp } = this;
    const bytes = this.bytes.subarray(index * visible.sites, (index + 1) * visible.sites);
    machinePaintBytes(stamp, bytes, tile.wide, tile.high, this.table);
    const left = (index % tile.columns) * (tile.across + MACHINE_GAP);
    const top = Math.floor(index / tile.columns) * (tile.down + tile.gap);
    context.drawImage(stamp, left, top, tile.across, tile.down);
    const cell = tile.across / tile.wide;
    if (visible.kind === "categorical" && !visible.image && cell >= MACHINE_LEAST_LETTER) {
      const { table, letters } = this;
      machineDrawLetters(context, bytes, { left, top: top + tile.down / 2 + 0.5, cell, table, letters });
    }
  }

  #pick(event) {
    if (!this.onpick || !this.tile) return;
    const box = this.canvas.getBoundingClientRect();
    const { columns, across, down, gap } = this.tile;
    const column = Math.min(columns - 1, Math.floor((event.clientX - box.left) / (across + MACHINE_GAP)));
    const index = Math.floor((event.clientY - box.top) / (down + gap)) * columns + column;
    if (index < this.count) this.onpick(index);
  }
}

/** The letters of a sequence, each in the middle of its cell. */
export function machineDrawLetters(context, bytes, { left, top, cell, table, letters }) {
  context.font = MACHINE_FONT;
  context.textAlign = "center";
  context.textBaseline = "middle";
  bytes.forEach((byte, site) => {
    context.fillStyle = machineLetterInk(table[byte] ?? table[0]);
    context.fillText(letters[byte] ?? "", left + (site + 0.5) * cell, top);
  });
}
