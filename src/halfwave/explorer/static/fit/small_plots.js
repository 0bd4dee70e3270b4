/** The two small plots: residuals under the data, and the criterion against the number of kinks. */

import { element, setAttributes, setText } from "../basics/dom.js";
import { FIT_CHOICES } from "./state.js";
import { FitLayer, drawResiduals, residualsOf } from "./picture.js";
import { shown } from "../plot/numerals.js";
import { Plot } from "../plot/plot.js";

/** What the fit leaves of the data. */
export class ResidualsPlot {
  constructor(colours) {
    this.layer = new FitLayer();
    const scene = (pen, plot) => drawResiduals(pen, plot, { residuals: this.residuals, layer: this.layer, fit: this.fit });
    this.plot = new Plot({ label: "Residuals", colours, scene, small: true, flat: true });
    this.plot.element.append(element("span", { class: "fit-name", "aria-hidden": "true" }, "residuals"));
    this.element = element("div", { class: "fit-residuals" }, this.plot.element);
  }

  show(data, fit, [left, right]) {
    const shows = [left, right, this.plot.colours.version].join();
    if (data === this.data && fit === this.fit && shows === this.shows) return;
    if (data !== this.data || fit !== this.fit) this.residuals = data && fit ? residualsOf(data.points, fit.function) : null;
    Object.assign(this, { data, fit, shows });
    this.plot.window = [left, right, ...this.#heights()];
    this.plot.draw();
  }

  /** Room for the largest residual; it does not shrink at once, or it would breathe while a kink is dragged. */
  #heights() {
    let largest = 0;
    for (const [, y] of this.residuals ?? []) largest = Math.max(largest, Math.abs(y));
    const before = this.largest ?? 0;
    if (largest > before || largest < before / 1.6) this.largest = largest;
    const reach = 1.3 * (this.largest || 1);
    return [-reach, reach];
  }
}

const CRITERION_NAMES = Object.fromEntries(FIT_CHOICES.criterion);
const FIT_LOSS_NAMES = { squares: "sum of squares", huber: "Huber’s loss", tukey: "Tukey’s loss", quantile: "check loss" };

/** The criterion for each number of kinks; a click takes that number. */
export class CriterionPlot {
  constructor(colours, actions) {
    this.actions = actions;
    this.plot = new Plot({ label: "Criterion against the number of kinks", colours, scene: (pen, plot) => this.#draw(pen, plot), small: true });
    this.plot.canvas.addEventListener("click", (event) => {
      const count = Math.round(this.plot.abscissa(event.clientX - this.plot.element.getBoundingClientRect().left));
      if (this.rows?.some((row) => row.kinks === count)) actions.setKinks(count);
    });
    this.title = element("h2", {}, "Criterion against kinks");
    this.notice = element("p", { class: "note" });
    this.element = element("section", { class: "card fit-criterion", "aria-label": "Criterion" },
      this.title, this.plot.element, this.notice);
  }

  show({ table, chosen, details, isComing }, { criterion, loss, kinks }, count) {
    const comes = isComing && !details;
    const shows = [criterion, loss, kinks, count, chosen, comes, this.plot.colours.version].join();
    if (table === this.table && shows === this.shows) return;
    Object.assign(this, { table, shows, count });
    const known = table?.some((row) => row[criterion] !== undefined);
    const value = (row) => (known ? row[criterion] : row.loss);
    this.rows = (table ?? []).filter((row) => value(row) !== null).map((row) => ({ kinks: row.kinks, value: value(row) }));
    const name = known || !table ? CRITERION_NAMES[criterion] : FIT_LOSS_NAMES[loss];
    setText(this.title, `${name} against kinks`);
    const best = this.rows.length ? this.rows.reduce((a, b) => (b.value < a.value ? b : a)) : null;
    setText(this.notice, this.#words(loss, best, kinks, comes));
    // one number of kinks is no choice
    this.plot.element.hidden = this.rows.length < 2;
    if (this.rows.length < 2) return;
    this.#setWindow();
    const words = `${name} for 0 to ${this.rows.at(-1).kinks} kinks, least at ${best.kinks}: ${shown(best.value, 6)}`;
    setAttributes(this.plot.canvas, { "aria-label": words });
    this.best = best;
    this.plot.draw();
  }

  #words(loss, best, kinks, comes) {
    if (this.rows.length === 1) return `Only ${best.kinks} kinks can be tried on these points.`;
    if (best) return `Least at ${best.kinks}${kinks === "auto" ? ", chosen" : ""}. Click a number to take it.`;
    if (loss === "quantile" && kinks !== "auto") return "Choose “auto” to compute it for a quantile; that takes a while.";
    return comes ? "…" : "no fit";
  }

  #setWindow() {
    const values = this.rows.map((row) => row.value);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const margin = 0.14 * (high - low) || 1;
    const last = this.rows.at(-1).kinks;
    this.plot.window = [-0.12 * last - 0.5, last + 0.5, low - 1.6 * margin, high + margin];
  }

  #draw(pen, plot) {
    if (!this.rows?.length) return;
    const { sum, integral, card } = plot.colours;
    pen.line(this.rows.map((row) => plot.point([row.kinks, row.value])), { stroke: integral, width: 1.75 });
    for (const row of this.rows) {
      const here = row.kinks === this.count;
      const look = here ? { fill: sum, stroke: card } : { fill: card, stroke: integral };
      pen.dot(plot.point([row.kinks, row.value]), here ? 6 : 3.5, look);
    }
  }
}
