/** The sixteen standard units as small pictures; one press takes a unit's parameters. */

import { element, setSentence, setText } from "../basics/dom.js";
import { shown } from "../plot/numerals.js";
import { CanvasPen } from "../plot/pens.js";
import { UNIT_PARAMETERS } from "./state.js";

const ROW_WORDS = {
  "-3,-3": "leans to the positive side", "-3,3": "two wells", "3,-3": "dead zone", "3,3": "leans to the negative side",
};

/** The grid: a row for each pair of thresholds, in it a picture for each pair of curvatures. */
export class SixteenPanel {
  #answer = null;

  constructor(connection, colours, actions) {
    Object.assign(this, { connection, colours, actions });
    this.cells = [];
    this.grid = element("div", { class: "sixteen" });
    this.notice = element("p", { class: "notice", role: "status" });
    this.note = element("span", { class: "note" });
    this.element = element("section", { class: "card", "aria-label": "Sixteen standard units" },
      element("h2", {}, "Sixteen standard units  ", this.note), this.grid, this.notice);
    new ResizeObserver(() => this.#draw()).observe(this.grid);
  }

  /** Ask once; the densities of the main plot come first. */
  async ask() {
    if (this.#answer || this.asking || !["open", "none"].includes(this.connection.state)) return;
    this.asking = true;
    try {
      this.#answer = await this.connection.ask("units.sixteen", {});
      this.#build();
      setSentence(this.notice, "");
    } catch (error) {
      setSentence(this.notice, error.message);
    }
    this.asking = false;
  }

  show(document) {
    for (const { node, unit } of this.cells) {
      const same = UNIT_PARAMETERS.every((name) => unit.parameters[name] === document[name]);
      if (node.getAttribute("aria-pressed") !== String(same)) node.setAttribute("aria-pressed", String(same));
    }
    if (this.version !== this.colours.version) this.#draw();
  }

  #build() {
    const { units, samples } = this.#answer;
    const count = samples.toLocaleString("en");
    const invitation = this.connection.state === "none" ? "" : "; press one to take it";
    setText(this.note, `at input 0 and T = 1: exact density over ${count} samples${invitation}`);
    this.cells = units.map((unit) => this.#cell(unit));
    const rows = [];
    this.cells.forEach((cell, index) => {
      if (index % 4 === 0) rows.push(rowOfUnits(cell.unit.parameters));
      rows.at(-1).lastChild.append(cell.node);
    });
    this.grid.replaceChildren(...rows);
    this.#draw();
  }

  #cell(unit) {
    const { theta_pos, theta_neg, gamma_pos, gamma_neg } = unit.parameters;
    const values = [["θ⁺", theta_pos], ["θ⁻", theta_neg], ["γ⁺", gamma_pos], ["γ⁻", gamma_neg]];
    const label = `Take the unit ${values.map(([name, value]) => `${name} = ${shown(value)}`).join(", ")}`;
    const canvas = element("canvas", { "aria-hidden": "true" });
    const caption = element("span", {}, `γ⁺ ${shown(gamma_pos)}  γ⁻ ${shown(gamma_neg)}`);
    const node = element("button", {
      type: "button", class: "unit-cell", "aria-label": label, title: label, "aria-pressed": "false",
      onclick: () => this.actions.take(unit.parameters),
    }, canvas, caption);
    node.disabled = this.connection.state === "none";
    return { node, canvas, unit };
  }

  #draw() {
    this.version = this.colours.version;
    for (const { canvas, unit } of this.cells) {
      const { clientWidth: width, clientHeight: height } = canvas;
      if (!width) return;
      const ratio = devicePixelRatio || 1;
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      const context = canvas.getContext("2d");
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      drawSmallUnit(new CanvasPen(context), this.colours, unit, width, height);
    }
  }
}

function rowOfUnits({ theta_pos, theta_neg }) {
  const words = `θ⁺ = ${shown(theta_pos)},  θ⁻ = ${shown(theta_neg)}:  ${ROW_WORDS[[theta_pos, theta_neg]]}`;
  return element("div", { class: "sixteen-row", role: "group", "aria-label": words },
    element("p", { class: "note" }, words), element("div", { class: "sixteen-cells" }));
}

/** Histogram and density between the limits of the unit, with a line at zero. */
function drawSmallUnit(pen, colours, { limits: [low, high], density, heights }, width, height) {
  const top = 1.06 * Math.max(...density);
  const ground = height - 1.5;
  const across = (x) => ((x - low) / (high - low)) * width;
  const down = (y) => ground - (y / top) * (ground - 2);
  pen.line([[across(0), 0], [across(0), height]], { stroke: colours.axis, width: 1 });
  const outline = [[0, ground]];
  heights.forEach((tall, bin) => {
    outline.push([(bin / heights.length) * width, down(tall)], [((bin + 1) / heights.length) * width, down(tall)]);
  });
  pen.fill([...outline, [width, ground]], { fill: colours.input, alpha: 0.38 });
  pen.line(density.map((tall, index) => [(index / (density.length - 1)) * width, down(tall)]),
    { stroke: colours.sum, width: 1.75 });
}
