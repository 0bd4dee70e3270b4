/** Numbers of the fit: a line under the plot, and a table of kinks and slopes with their intervals. */

import { button, element, setAttributes, setText } from "./dom.js";
import { shown } from "./numerals.js";

const FIT_READOUT = [
  ["count", "points"], ["kinks", "kinks"], ["sse", "SSE"], ["r2", "R²"], ["noise", "noise σ"],
];

const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** A number for reading; large and small ones as 1.459·10⁶. */
export function fitShown(value, digits) {
  const text = shown(value, digits);
  return text.replace(/e(−?)[+]?(\d+)$/, (_, sign, power) => `·10${sign && "⁻"}${[...power].map((digit) => RAISED[digit]).join("")}`);
}

function showFitNumber(node, value, digits = 5) {
  const known = value !== undefined && value !== null;
  setText(node, known ? fitShown(value, digits) : "…");
  setAttributes(node, { value: known ? String(value) : "" });
}

/** Size, sum of squares, share explained and noise. */
export class FitReadout {
  constructor() {
    this.values = Object.fromEntries(FIT_READOUT.map(([name]) => [name, element("data", { id: `fit-${name}` })]));
    const parts = FIT_READOUT.map(([name, text]) => element("span", {}, `${text} `, this.values[name]));
    this.loss = element("span", { hidden: true }, "loss ", (this.values.loss = element("data", { id: "fit-loss" })));
    this.element = element("div", { class: "readout fit-readout", role: "group", "aria-label": "Numbers of the fit" },
      parts, this.loss, element("span", { class: "note hint" }, "drag a kink to hold it"));
  }

  show(data, fit, loss) {
    showFitNumber(this.values.count, data?.count, 9);
    if (data) setText(this.values.count, data.count.toLocaleString("en"));
    showFitNumber(this.values.kinks, fit?.kinks.length);
    for (const name of ["sse", "r2", "noise", "loss"]) showFitNumber(this.values[name], fit?.[name]);
    this.loss.hidden = loss === "squares";
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

  show(fit, details, pins, names) {
    if (fit === this.fit && details === this.details && pins === this.pins && names === this.names) return;
    Object.assign(this, { fit, details, pins, names });
    const formula = details?.formula?.replaceAll("relu(", "max(0, ").replaceAll("*", "·").replaceAll("-", "−");
    setText(this.formula, `${names?.[1] ?? "y"} = ${formula ?? "…"}`);
    setText(this.intervals, details?.intervals ? `95 % (${details.intervals.method})` : "95 %");
    setText(this.certificate, fit ? this.#words(fit, details) : "");
    this.rows.replaceChildren(...(fit ? this.#rowsOf(fit, details?.intervals) : []));
  }

  #words(fit, details) {
    const parts = [fit.certificate[0].toUpperCase() + fit.certificate.slice(1)];
    if (details && !details.intervals) {
      parts.push(details.error?.message ?? "intervals of quantiles are bootstrapped, which takes minutes: fit.intervals() in Python");
    }
    if (fit.note) parts.push(fit.note);
    return `${parts.join(". ")}.`;
  }

  #rowsOf(fit, intervals) {
    const number = (id, value) => element("data", { id, value: String(value ?? "") }, fitShown(value, 6));
    const pair = (name, ends) => (ends ? [number(`${name}-low`, ends[0]), " to ", number(`${name}-high`, ends[1])] : ["…"]);
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
