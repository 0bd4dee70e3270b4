/** The smaller panels of the room "Functions": formula, copies, values at a point, line, leak and input. */

import { NumberControl, Switch } from "../basics/controls.js";
import { CopiesPanel } from "../sums/copies_panel.js";
import { element, focusNear, setNumber } from "../basics/dom.js";
import { toneOf } from "../plot/colours.js";
import { shown } from "../plot/numerals.js";
import { integralOf, slopeOf, valueOf } from "../sums/sums.js";
import { termText } from "./terms_panel.js";

/** The formula, term by term in the colours of the plot, with buttons that copy it. */
export class FormulaPanel {
  constructor(connection) {
    this.formula = element("p", { class: "formula-line", id: "formula" });
    this.copies = new CopiesPanel(connection, "halfwave-function");
    this.element = element("section", { class: "card", "aria-label": "Formula" }, this.formula, this.copies.elements);
  }

  show(document) {
    if (this.document === document) return;
    this.document = document;
    this.copies.show(document);
    const parts = document.terms.flatMap((term, index) => [
      term.w < 0 ? " − " : index ? " + " : "",
      element("span", { class: term.on ? "part" : "part muted", ...toneOf(index) }, termText(term, document.leak)),
    ]);
    const line = [[document.slope, "x"], [document.offset, ""]].filter(([value]) => value !== 0);
    const rest = line.map(([value, body]) => ` ${value < 0 ? "−" : "+"} ${shown(Math.abs(value))}${body}`);
    const leak = `, where leaky(z) = max(0, z) + ${shown(document.leak)}·min(0, z)`;
    const note = document.leak && parts.length ? [element("span", { class: "note" }, leak)] : [];
    const all = [...parts, ...rest, ...note];
    this.formula.replaceChildren(element("var", {}, "f(x)"), " = ", ...(all.length ? all : ["0"]));
  }
}

/** The numbers at one point: type it, or move over the plot. */
export class ReadoutPanel {
  constructor(actions) {
    this.box = element("input", {
      type: "number", step: "0.1", id: "probe", "aria-label": "x at which to read the values",
      oninput: () => {
        const { value } = this.box;
        if (value !== "" && Math.abs(Number(value)) <= 1e6) actions.probe(Number(value));
      },
    });
    this.values = ["value", "slope", "integral"].map((name) => element("data", { id: `read-${name}` }));
    const names = ["f", "f′", "∫₀ˣ f"];
    this.element = element(
      "div",
      { class: "readout", role: "group", "aria-label": "Values at a point" },
      element("label", {}, "at x = ", this.box),
      names.map((name, index) => element("span", {}, `${name} = `, this.values[index])),
      element("span", { class: "note hint" }, "drag the numbers, or the dot on an arm"),
    );
  }

  show(document, { probe }) {
    if (focusNear(this.box) !== this.box) this.box.value = String(Number(probe.toPrecision(6)));
    [valueOf, slopeOf, integralOf].forEach((of, index) => {
      const value = of(document, probe);
      setNumber(this.values[index], value, shown(value));
    });
  }
}

/** Numbers of the whole sum: name on the page, meaning, ends of the slider, ends of what is allowed. */
const NUMBERS = {
  leak: ["leak", "leak: slope where a term is off", 0, 1, [0, 1]],
  slope: ["slope", "slope of the straight line", -5, 5],
  offset: ["offset", "offset of the straight line", -10, 10],
  mu: ["μ", "mean μ of the input", -5, 5],
  sigma: ["σ", "standard deviation σ of the input", 0, 4, [0, 1e6]],
};

/** What holds for the whole sum: curves to show, leak, straight line, and the Gaussian input. */
export class WholePanel {
  constructor(actions, library) {
    const set = (key, value) => {
      const input = key === "mu" || key === "sigma";
      actions.change(input ? { gaussian: { ...this.gaussian, [key]: value } } : { [key]: value }, key);
    };
    this.controls = {
      derivative: new Switch("f′  derivative", "Show the derivative", actions.showDerivative, "derivative"),
      integral: new Switch("∫ f  antiderivative", "Show the antiderivative",
        (integral) => actions.change({ integral }), "integral"),
      on: new Switch("Gaussian input", "Show a Gaussian input",
        (on) => actions.change({ gaussian: { ...this.gaussian, on } }), "input"),
    };
    for (const [key, [name, label, low, high, limits]] of Object.entries(NUMBERS)) {
      const oninput = (value) => set(key, value);
      this.controls[key] = new NumberControl({ label, name, low, high, limits, oninput, onrest: actions.rest });
    }
    this.#layout(library);
  }

  show({ leak, slope, offset, derivative, integral, gaussian }) {
    this.gaussian = gaussian;
    const values = { leak, slope, offset, derivative, integral, ...gaussian };
    const shows = Object.values(values).join();
    if (shows === this.shows) return;
    this.shows = shows;
    for (const [name, value] of Object.entries(values)) this.controls[name].show(value);
    this.inputRows.hidden = !gaussian.on;
  }

  #layout({ mean, zeros }) {
    const rows = (...names) => names.map((name) => this.controls[name].element);
    const fact = (name, value) => element("div", {}, element("dt", {}, name), element("dd", {}, value));
    const facts = element("dl", { class: "facts" }, fact("mean of f", mean), fact("share of zeros (“dead”)", zeros));
    this.inputRows = element("div", {}, rows("mu", "sigma"), facts);
    this.curves = element("section", { class: "card", "aria-label": "Curves" }, element("h2", {}, "Show"),
      element("div", { class: "row" }, rows("derivative", "integral", "on")), this.inputRows);
    this.shape = element("section", { class: "card", "aria-label": "Shape" },
      element("h2", {}, "Leak and straight line"), rows("leak", "slope", "offset"));
  }
}

/** A line for a formula, which Python reads. */
export class TypedFormula {
  constructor(connection, actions) {
    this.box = element("input", {
      type: "text", maxlength: "2000", spellcheck: "false", autocomplete: "off", autocapitalize: "off",
      placeholder: "relu(x + 1) − 2*relu(x)", "aria-label": "Formula to read", "aria-describedby": "typed-error",
    });
    this.error = element("pre", { class: "error", id: "typed-error", role: "alert", hidden: true });
    const read = async (event) => {
      event.preventDefault();
      this.#complain(null);
      try {
        actions.take(await connection.ask("functions.parse", { text: this.box.value.replaceAll("−", "-").replaceAll("·", "*") }));
      } catch (error) {
        this.#complain(error);
      }
    };
    const submit = element("button", { type: "submit" }, "Read");
    this.element = element("form", { class: "typed", onsubmit: read }, this.box, submit, this.error);
  }

  #complain(error) {
    this.error.hidden = !error;
    this.box.setAttribute("aria-invalid", String(Boolean(error)));
    if (error) this.error.replaceChildren(element("span", {}, error.message), error.place ? `\n${error.place}` : "");
  }
}
