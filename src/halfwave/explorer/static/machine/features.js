/** The features of a machine: the weights of each hidden unit as a small picture, the most important first. */

import { bytesOf, element, setText } from "../basics/dom.js";
import { machinePaintBytes, machineTransposedBytes } from "./palette.js";
import { shown } from "../plot/numerals.js";

const MACHINE_MOVES = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };

/** Small pictures of which one is chosen; `choose(unit)` is told which. */
export class MachineFeaturesPanel {
  #options = [];

  constructor(choose) {
    this.choose = choose;
    this.list = element("div", {
      class: "features", role: "listbox", "aria-label": "Hidden units, the most important first",
      onkeydown: (event) => this.#key(event),
    });
    this.note = element("p", { class: "note" });
    this.element = element("section", { class: "card", "aria-label": "Features" },
      element("h2", {}, "Features"), this.note, this.list);
  }

  /** Show the features of this run, with one chosen. */
  show(run, palette, unit) {
    if (!run) return;
    const table = palette.tableFor("signed");
    if (run !== this.run) this.#build(run);
    if (run !== this.run || table !== this.table) this.#paint(run, table);
    if (run === this.run && table === this.table && unit === this.unit) return;
    const fresh = run !== this.run;
    Object.assign(this, { run, table, unit });
    const chosen = run.order.indexOf(unit);
    this.#options.forEach((option, rank) => {
      option.setAttribute("aria-selected", String(rank === chosen));
      option.tabIndex = rank === Math.max(0, chosen) ? 0 : -1;
    });
    if (fresh) this.list.scrollTop = 0;
  }

  #build(run) {
    const most = run.importance[run.order[0]] || 1;
    this.#options = run.order.slice(0, run.shown).map((unit) => {
      const bar = element("span", { class: "bar", "aria-hidden": "true" });
      bar.style.width = `${(100 * run.importance[unit]) / most}%`;
      const label = `Hidden unit ${unit}, importance ${shown(run.importance[unit], 3)}`;
      return element("button", {
        type: "button", role: "option", class: "feature", "aria-label": label, title: label,
        onclick: () => this.choose(unit),
      }, element("canvas", { "aria-hidden": "true" }), bar);
    });
    this.list.dataset.form = run.visible.image ? "images" : run.visible.kind === "categorical" ? "maps" : "rows";
    this.list.replaceChildren(...this.#options);
    const count = run.shown < run.hidden.size ? `${run.shown} of ${run.hidden.size} units` : `${run.hidden.size} units`;
    const words = "by importance ‖W‖ · std(h) over the data; orange raises a visible unit, blue lowers it.";
    setText(this.note, `${count} ${words}`);
  }

  #paint(run, table) {
    const bytes = bytesOf(run.features);
    const { image, sites, colours } = run.visible;
    const size = sites * colours;
    this.#options.forEach((option, rank) => {
      const own = bytes.subarray(rank * size, (rank + 1) * size);
      const canvas = option.firstChild;
      if (colours > 1) machinePaintBytes(canvas, machineTransposedBytes(own, sites, colours), sites, colours, table);
      else machinePaintBytes(canvas, own, image?.[1] ?? sites, image?.[0] ?? 1, table);
    });
  }

  #key(event) {
    const at = this.#options.indexOf(event.target);
    const columns = getComputedStyle(this.list).gridTemplateColumns.split(" ").length;
    const step = { ...MACHINE_MOVES, ArrowUp: -columns, ArrowDown: columns }[event.key];
    if (at < 0 || step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const next = Math.min(Math.max(at + step, 0), this.#options.length - 1);
    this.#options[next].focus();
    this.choose(this.run.order[next]);
  }
}
