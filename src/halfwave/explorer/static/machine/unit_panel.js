/** One hidden unit: its figure, its parameters, and what it prefers where it is moved. */

import { NumberControl, Switch } from "../basics/controls.js";
import { bytesOf, element, setSentence, setText } from "../basics/dom.js";
import { makeDraggable } from "../plot/gestures.js";
import { machineDrawUnitFigure, machineUnitInWords } from "./figure.js";
import { machineShowNumber } from "./numbers.js";
import { machinePaintBytes, machineTransposedBytes } from "./palette.js";
import { MachineSheet } from "./sheet.js";
import { shown } from "../plot/numerals.js";
import { Plot } from "../plot/plot.js";

const MACHINE_NAMES = {
  theta_pos: "θ⁺", theta_neg: "θ⁻", gamma_pos: "γ⁺", gamma_neg: "γ⁻",
  theta: "θ", gamma: "γ", delta: "Δ", eta: "η", xi: "ξ", field: "g",
};

/** The card of the chosen unit; `actions` are those of the room. */
export class MachineUnitPanel {
  constructor(colours, palette, actions, recorded) {
    Object.assign(this, { colours, palette, actions, recorded, value: null, panels: [], dragged: null });
    const scene = (pen, plot) => {
      this.panels = machineDrawUnitFigure(pen, plot, this);
    };
    this.plot = new Plot({ label: "Hidden unit", colours, scene, axes: false });
    this.plot.element.classList.add("unit-figure");
    const { canvas } = this.plot;
    const release = () => {
      this.dragged = null;
    };
    makeDraggable(canvas, this.plot, { move: (x, y) => this.#dragTo(x, y), release, absolute: true });
    this.parameters = element("p", { class: "note parameters" });
    this.control = new NumberControl({
      label: "value of the hidden unit", name: "h", low: 0, high: 1, key: "hidden value",
      oninput: (value) => actions.move(value), onrest: () => {},
    });
    this.hold = new Switch("Hold h in the particles", "Hold the hidden unit at this value in the fantasy particles",
      (held) => actions.hold(held), "hold");
    const expects = "What the machine expects to see with the unit at this value";
    this.prefers = element("canvas", { role: "img", "aria-label": expects });
    this.nearest = new MachineSheet({ label: "Data with the nearest activity", columns: 8 });
    this.nearestNote = element("p", { class: "note" });
    this.notice = element("p", { class: "notice", role: "status" });
    this.element = this.#layout();
  }

  /** Show this unit of this run. */
  show(model, document, value) {
    const { run, unit, move } = model;
    Object.assign(this, { run, unit });
    this.value = value ?? move?.value ?? null;
    setSentence(this.notice, model.unitError ?? model.moveError ?? "");
    if (!run || !unit) {
      if (this.shownUnit) this.plot.draw();
      this.shownUnit = null;
      return;
    }
    this.hold.show(document.held);
    if (unit !== this.shownUnit) this.#begin(unit);
    if (this.value !== null) this.control.show(Number(this.value.toPrecision(4)));
    const looksLike = [this.value, this.colours.version].join();
    if (unit !== this.shownUnit || looksLike !== this.looksLike) this.plot.draw();
    Object.assign(this, { shownUnit: unit, looksLike });
    if (move) this.#showMove(move, model);
  }

  get #movable() {
    return Boolean(this.unit?.movable) && !this.recorded;
  }

  /** In the panels with h across, the pointer is the value; a drag stays with the panel in which it began. */
  #dragTo(x, y) {
    const inside = ({ left, right, top, bottom }) =>
      x >= left - 6 && x <= right + 6 && y >= top - 10 && y <= bottom + 6;
    this.dragged ??= this.#movable ? this.panels.findIndex(inside) : -1;
    const panel = this.panels[this.dragged];
    if (!panel) return;
    const { left, right, across } = panel;
    const h = across[0] + ((x - left) / (right - left)) * (across[1] - across[0]);
    const [low, high] = this.unit.range;
    this.actions.move(this.unit.discrete ? (2 * h > low + high ? high : low) : Number(h.toPrecision(4)));
  }

  #begin(unit) {
    const { run, control } = this;
    const [low, high] = unit.range;
    const step = unit.discrete ? high - low : Number(((high - low) / 200).toPrecision(1));
    // the page sends rounded numbers: its ends lie inside those of the library
    const ends = [Math.ceil(low / step), Math.floor(high / step)].map((end) => Number((end * step).toPrecision(6)));
    const inside = unit.discrete ? [low, high] : ends;
    control.within(inside);
    Object.assign(control.slider, { step, min: inside[0], max: inside[1] });
    control.box.step = unit.discrete ? step : "any";
    control.disable(!this.#movable);
    this.hold.element.disabled = !this.#movable;
    this.plot.canvas.setAttribute("aria-label", machineUnitInWords(run, unit));
    const parameters = Object.entries(unit.parameters).flatMap(([key, value]) => {
      const node = element("data", { id: `machine-${key.replace("_", "-")}` });
      machineShowNumber(node, value);
      return [element("span", {}, `${MACHINE_NAMES[key] ?? key} = `, node)];
    });
    const importance = element("data", { id: "machine-importance" });
    machineShowNumber(importance, unit.importance);
    const activity = element("data", { id: "machine-activity" });
    machineShowNumber(activity, unit.activity[0]);
    this.parameters.replaceChildren(...parameters, element("span", {}, "importance = ", importance),
      element("span", {}, "mean of h over the data = ", activity));
  }

  #showMove(move, { letters }) {
    const { run, palette } = this;
    const { visible } = run;
    this.nearest.show(move.nearest, visible, palette, letters);
    const range = `${shown(move.activities[0], 3)} … ${shown(move.activities.at(-1), 3)}`;
    setText(this.nearestNote, `Data nearest in E[h | v]: ${range}`);
    if (move.prefers === this.shownPrefers && palette.version === this.shownVersion) return;
    const bytes = bytesOf(move.prefers);
    const { image, sites, colours } = visible;
    const table = palette.tableFor(visible.kind === "categorical" ? "binary" : visible.kind);
    const map = machineTransposedBytes(bytes, sites, colours);
    if (colours > 1) machinePaintBytes(this.prefers, map, sites, colours, table);
    else machinePaintBytes(this.prefers, bytes, image?.[1] ?? sites, image?.[0] ?? 1, table);
    const form = image ? "image" : colours > 1 ? "map" : "row";
    for (const node of [this.prefers, this.preferred]) node.dataset.form = form;
    Object.assign(this, { shownPrefers: move.prefers, shownVersion: palette.version });
  }

  #layout() {
    const words = "E[v | h]: this unit at h, all others at their mean over the data. Held, the unit stays at h in every "
      + "Gibbs step of the particles, which then follow the machine given this one value.";
    const caption = element("figcaption", { class: "note" }, "E[v | h]");
    const figure = element("figure", { class: "prefers" }, this.prefers, caption);
    const near = element("div", { class: "near" }, this.nearestNote, this.nearest.element);
    this.preferred = element("div", { class: "preferred" }, figure, near);
    return element("section", { class: "card unit", "aria-label": "Hidden unit" },
      this.plot.element, this.parameters,
      element("div", { class: "moving" }, element("h2", {}, "Move the unit"),
        element("div", { class: "row" }, this.control.element, this.hold.element),
        element("p", { class: "note" }, words),
        this.preferred, this.notice));
  }
}
