/** The card in which sites are clamped: the editor, its brushes, and the mean of what fills in. */

import { button, bytesOf, element, setSentence, setText } from "../basics/dom.js";
import { MachineClampEditor, machineLevelWords } from "./editor.js";
import { machineShowNumber } from "./numbers.js";
import { machinePaintBytes } from "./palette.js";

const MACHINE_MAP_HELP = "Press a letter of a site to clamp it there: shades are the mean E[v | h], letters above are "
  + "one sample. Arrows and space do it too, Delete frees.";
const MACHINE_PIXEL_HELP = "Draw on the picture: sites with a dot are clamped, the others are sampled. Arrows and space "
  + "draw too, Delete frees.";

/** Clamped sites and the rest of them; `actions` are those of the room. */
export class MachineFillPanel {
  constructor(palette, actions, recorded) {
    Object.assign(this, { palette, actions, recorded });
    this.editor = new MachineClampEditor({ paint: actions.paint, rest: actions.rest });
    this.brushes = element("div", { class: "row", role: "group", "aria-label": "Brush" });
    this.mean = element("canvas", { role: "img", "aria-label": "Mean of the sites that fill in" });
    this.meanFigure = element("figure", {}, this.mean, element("figcaption", { class: "note" }, "mean E[v | h]"));
    this.averaged = element("data", { id: "machine-averaged" });
    this.chains = element("data", { id: "machine-filling" });
    this.freeEnergy = element("data", { id: "machine-fill-free-energy" });
    this.clampedCount = element("data", { id: "machine-clamped" });
    this.help = element("p", { class: "note", id: "clamp-help" });
    this.notice = element("p", { class: "notice", role: "status" });
    this.element = this.#layout();
  }

  /** Show what fills in under these clamps. */
  show({ run, fill, fillError, letters }, clamped, { level }) {
    setSentence(this.notice, fillError ?? "");
    this.pictures.hidden = !fill;
    if (!run) return;
    const { visible } = run;
    if (visible !== this.visible) this.#begin(visible);
    const brush = Math.min(level, visible.levels - 1);
    // in a map the row tells the level: its brush only clamps or frees
    const pressed = this.element.dataset.form === "map" ? Math.min(brush, 0) : brush;
    for (const node of this.brushes.childNodes) {
      node.setAttribute("aria-pressed", String(Number(node.dataset.level) === pressed));
    }
    this.editor.show({ visible, palette: this.palette, letters, fill, clamped, brush });
    machineShowNumber(this.clampedCount, clamped.filter((value) => value >= 0).length);
    machineShowNumber(this.averaged, fill?.averaged);
    machineShowNumber(this.chains, fill?.chains);
    machineShowNumber(this.freeEnergy, fill?.free_energy);
    if (fill && this.editor.grid && !this.meanFigure.hidden) this.#showMean(fill, visible, letters);
  }

  #begin(visible) {
    this.visible = visible;
    const map = visible.kind === "categorical" && !visible.image;
    const words = map ? ["Clamp"] : machineLevelWords(visible);
    const levels = [...words.map((word, level) => [word, level]), ["Free", -1]];
    this.brushes.replaceChildren(...levels.map(([word, level]) => {
      const label = level < 0 ? "Brush: free the site" : `Brush: clamp to ${word}`;
      return button(word, label, () => this.actions.brush(level), { "data-level": level, disabled: this.recorded });
    }));
    this.meanFigure.hidden = map;
    this.mean.dataset.form = visible.image ? "image" : "row";
    this.element.dataset.form = map ? "map" : visible.image ? "images" : "rows";
    setText(this.help, map ? MACHINE_MAP_HELP : MACHINE_PIXEL_HELP);
  }

  #showMean(fill, visible, letters) {
    const table = this.palette.tableFor(visible.kind === "categorical" ? "binary" : visible.kind);
    if (fill === this.shownFill && table === this.table) return;
    Object.assign(this, { shownFill: fill, table });
    const bytes = bytesOf(fill.mean);
    const { columns, rows } = this.editor.grid;
    // of a categorical image, the most probable colour of each pixel
    const colours = visible.colours > 1 ? this.palette.tableFor("categorical", letters) : table;
    const sites = visible.colours > 1 ? machineLikeliest(bytes, visible) : bytes;
    machinePaintBytes(this.mean, sites, columns, rows, colours);
  }

  #layout() {
    const { actions } = this;
    const buttons = [
      ["A data example", "Clamp all sites to the next example of the data", () => actions.takeExample()],
      ["Free a half", "Free the second half of the sites", () => actions.freeHalf()],
      ["Free all", "Free all sites", () => actions.freeAll()],
    ].map((words) => button(...words, { disabled: this.recorded }));
    const facts = element("p", { class: "note parameters" },
      element("span", {}, this.clampedCount, " sites clamped"),
      element("span", {}, "mean over ", this.averaged, " steps of ", this.chains, " chains"),
      element("span", {}, "free energy of the sample = ", this.freeEnergy));
    const sample = element("figure", {}, this.editor.element,
      element("figcaption", { class: "note" }, "one sample   ", this.editor.says));
    for (const node of [this.help, facts]) node.hidden = this.recorded;
    this.pictures = element("div", { class: "filling", hidden: true }, sample, this.meanFigure);
    return element("section", { class: "card fill", "aria-label": "Clamp sites" },
      element("h2", {}, "Clamp sites, and the rest fills in"), this.help,
      element("div", { class: "row" }, this.brushes, element("span", { class: "gap" }), buttons),
      this.pictures, facts, this.notice);
  }
}

function machineLikeliest(bytes, { sites, colours }) {
  return Array.from({ length: sites }, (_, site) => {
    const own = bytes.subarray(site * colours, (site + 1) * colours);
    return own.indexOf(Math.max(...own));
  });
}
