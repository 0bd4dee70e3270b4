/** Numbers of the fit: a line under the plot, and a table of kinks and slopes with their intervals. */

import { button, element, setNumber, setText } from "../basics/dom.js";
import { shown, typeset } from "../plot/numerals.js";

const FIT_READOUT = [
  ["count", "points"], ["kinks", "kinks"], ["sse", "SSE"], ["r2", "R²"], ["noise", "noise σ"],
];

/** A number, or what stands in its place. */
function showFitNumber(node, value, missing, digits = 5) {
  const known = value !== undefined && value !== null;
  setNumber(node, value, known ? shown(value, digits) : missing);
}

/** A formula of the library with its numbers as the page writes them. */
function formulaForReading(formula) {
  return typeset(formula.replace(/\d+(\.\d+)?(e[+-]?\d+)?/g, (number) => shown(Number(number), 6)));
}

/** Size, sum of squares, share explained and noise. */
export class FitReadout {
  constructor() {
    this.values = Object.fromEntries(FIT_READOUT.map(([name]) => [name, element("data", { id: `fit-${name}` })]));
    const parts = FIT_READOUT.map(([name, text]) => element("span", {}, `${text} `, this.values[name]));
    this.loss = element("span", { hidden: true }, "loss ", (this.values.loss = element("data", { id: "fit-loss" })));
    this.hint = element("span", { class: "note hint", hidden: true }, "drag a kink to hold it");
    this.element = element("div", { class: "readout fit-readout", role: "group", "aria-label": "Numbers of the fit" },
      parts, this.loss, this.hint);
  }

  show({ data, fit, isComing }, { loss }) {
    const missing = isComing ? "…" : "–";
    showFitNumber(this.values.count, data?.count, missing, 9);
    if (data) setText(this.values.count, data.count.toLocaleString("en"));
    showFitNumber(this.values.kinks, fit?.kinks.length, missing);
    for (const name of ["sse", "r2", "noise", "loss"]) showFitNumber(this.values[name], fit?.[name], fit ? "none" : missing);
    this.loss.hidden = loss === "squares";
    this.hint.hidden = !fit?.kinks.length;
  }
}

/** The kinks with their intervals, and the slopes between them. */
export class KinksPanel {
  constructor(actions) {
    this.actions = actions;
    this.rows = element("tbody");
    this.intervals = element("th", { scope: "col" });
    const head = ["", "kink", this.intervals, "slope after", ""].map((name) =>
      typeof name === "string" ? element("th", { scope: "col" }, name) : name);
    this.table = element("table", { class: "fit-table" }, element("thead", {}, element("tr", {}, head)), this.rows);
    this.formula = element("p", { class: "formula-line", id: "fit-formula" });
    this.certificate = element("p", { class: "note" });
    this.element = element("section", { class: "card fit-kinks", "aria-label": "Kinks and slopes" },
      element("h2", {}, "Kinks and slopes"), this.formula, element("div", { class: "fit-scroll" }, this.table), this.certificate);
  }

  show({ fit, details, data, isComing }, { pins, source }) {
    const names = data && (source.names ?? data.names);
    const shows = [fit, details, pins, names, isComing];
    if (this.shows && shows.every((part, index) => part === this.shows[index])) return;
    this.shows = shows;
    const formula = details?.formula && formulaForReading(details.formula);
    // without a fit there is no formula, and with one it comes with the intervals
    setText(this.formula, fit ? `${names?.[1] ?? "y"} = ${formula ?? (details ? "none" : "…")}` : isComing ? "…" : "no fit");
    setText(this.intervals, details?.intervals?.kinks.length ? `95 % (${details.intervals.method})` : "95 %");
    setText(this.certificate, fit ? this.#words(fit, details) : "");
    this.table.hidden = !fit;
    this.rows.replaceChildren(...(fit ? this.#rowsOf(fit, details) : []));
  }

  #words(fit, details) {
    const certificate = fit.kinks.length ? fit.certificate : "a straight line: no place of a kink was searched for";
    const parts = [certificate[0].toUpperCase() + certificate.slice(1)];
    if (details && !details.intervals) {
      parts.push(details.error?.message ?? "intervals of quantiles are bootstrapped, which takes minutes: fit.intervals() in Python");
    }
    if (fit.note) parts.push(fit.note);
    return `${parts.join(". ")}.`.replace(/\d+(\.\d+)?e[+-]?\d+/g, (number) => shown(Number(number), 6));
  }

  #rowsOf(fit, details) {
    const intervals = details?.intervals;
    const number = (id, value) => element("data", { id, value: String(value ?? "") }, shown(value, 6));
    const missing = details ? "none" : "…";
    const pair = (name, ends) => (ends ? [number(`${name}-low`, ends[0]), " to ", number(`${name}-high`, ends[1])] : [missing]);
    const cell = (...content) => element("td", {}, content.flat());
    const first = element("tr", {}, cell(), cell(), cell(),
      cell(number("fit-slope-0", fit.slopes[0])), cell(...pair("fit-slope-0", intervals?.slopes[0])));
    const rows = fit.kinks.map((kink, index) => element("tr", {},
      cell(String(index + 1), this.actions.isPinned(kink) ? this.#giveBack(index) : ""),
      cell(number(`fit-kink-${index + 1}`, kink)),
      cell(...(this.actions.isPinned(kink) ? ["held"] : pair(`fit-kink-${index + 1}`, intervals?.kinks[index]))),
      cell(number(`fit-slope-${index + 1}`, fit.slopes[index + 1])),
      cell(...pair(`fit-slope-${index + 1}`, intervals?.slopes[index + 1]))));
    return [first, ...rows];
  }

  #giveBack(index) {
    const label = `Give kink ${index + 1} back to the search`;
    return button("Free", label, () => this.actions.free(index), { class: "icon" });
  }
}
