/** The panels of the room "Units": presets, parameters, and the numbers at the input. */

import { NumberBox, NumberControl } from "../basics/controls.js";
import { button, element, setNumber, setSentence, setText } from "../basics/dom.js";
import { shown, typeset } from "../plot/numerals.js";
import { RECORDED_UNIT_INPUTS, UNIT_LIMITS, UNIT_PRESETS, presetOf } from "./state.js";
import { modeInWords } from "./pictures.js";

/** Buttons of the presets with a line on the one that is shown. */
export class UnitPresetsPanel {
  constructor(actions, recorded) {
    const names = Object.keys(UNIT_PRESETS);
    this.buttons = new Map(names.map((name) => [name, button(name, `Preset: ${name}`, () => actions.preset(name))]));
    const mirror = button("Mirror", "Mirror: the unit of −x; once more, and it is back", actions.mirror);
    mirror.disabled = recorded;
    this.words = element("p", { class: "note unit-words", role: "status" });
    this.element = element("section", { class: "card", "aria-label": "Presets" },
      element("div", { class: "row" }, [...this.buttons.values()], mirror), this.words);
  }

  show(document) {
    const preset = presetOf(document);
    for (const [name, node] of this.buttons) node.setAttribute("aria-pressed", String(name === preset));
    setText(this.words, preset ? UNIT_PRESETS[preset].words : wordsOfUnit(document));
  }
}

/** What thresholds, counted from the input, do to the density. */
function wordsOfUnit({ theta_pos, theta_neg, input }) {
  if (theta_pos < input && input < theta_neg) return "The input lies between θ⁺ and θ⁻: two wells.";
  if (theta_neg < input && input < theta_pos) return "The input lies between θ⁻ and θ⁺, a dead zone: the mode is 0.";
  if (input > Math.max(theta_pos, theta_neg)) return "The input is above both thresholds: the peak is positive.";
  if (input < Math.min(theta_pos, theta_neg)) return "The input is below both thresholds: the peak is negative.";
  return "The input is just at a threshold.";
}

/** Name on the page, meaning, ends of the slider, and the colour of its side. */
const UNIT_SLIDERS = {
  input: ["I", "input I", -6, 6],
  theta_pos: ["θ⁺", "threshold θ⁺ of the positive side", -6, 6, "0"],
  gamma_pos: ["γ⁺", "curvature γ⁺ of the positive side", 0.05, 5, "0"],
  theta_neg: ["θ⁻", "threshold θ⁻ of the negative side", -6, 6, "2"],
  gamma_neg: ["γ⁻", "curvature γ⁻ of the negative side", 0.05, 5, "2"],
  temperature: ["T", "temperature T", 0.01, 1],
};
const UNIT_FARTHEST = 12;

/** Sliders and boxes of the parameters, the input and the temperature. */
export class UnitParametersPanel {
  constructor(actions, connection) {
    const recorded = connection.state === "none";
    this.controls = Object.entries(UNIT_SLIDERS).map(([name, [sign, label, low, high, colour]]) => {
      const whole = recorded && name === "input";
      const control = new NumberControl({
        label, name: sign, low, high, farthest: UNIT_FARTHEST, key: `unit ${name}`,
        step: whole ? 1 : 0.01, limits: whole ? RECORDED_UNIT_INPUTS : UNIT_LIMITS[name], whole,
        oninput: (value) => actions.set(name, value), onrest: actions.rest,
      });
      if (colour) control.element.dataset.colour = colour;
      control.disable(recorded && !whole);
      return [name, control];
    });
    const [input, ...rest] = this.controls.map(([, control]) => control.element);
    const temperature = rest.pop();
    const note = "p ∝ exp((I x − U(x))/T): at T = 1 the unit itself; as T → 0 only the mode is left.";
    const lack = element("p", { class: "notice" });
    const words = "This file holds the presets at whole inputs; all else needs Python: open the page with "
      + "`halfwave explore`.";
    if (recorded) setSentence(lack, words);
    this.element = element("section", { class: "card", "aria-label": "Parameters" }, input, ...rest, temperature,
      element("p", { class: "note" }, note), lack);
  }

  show(document) {
    for (const [name, control] of this.controls) {
      if (control.value !== document[name]) control.show(document[name]);
    }
  }
}

/** Identity, name, and the key among the numbers that Python sends. */
const UNIT_FACTS = [
  ["mean", "mean"], ["mode", "mode"], ["variance", "variance"], ["std", "standard deviation"],
  ["prob_pos", "P(x > 0)"], ["prob_neg", "P(x < 0)"], ["cgf", "Γ = log ∫ exp((I x − U)/T) dx"],
  ["highest", "max of I x − U, to which T Γ tends as T → 0"],
];

/** The numbers at the input with all their digits, and the mode as a formula. */
export class UnitNumbersPanel {
  constructor() {
    this.title = element("span", { class: "note" });
    this.values = new Map(UNIT_FACTS.map(([key]) => [key, element("data", { id: `unit-${key}` })]));
    const facts = UNIT_FACTS.map(([key, name]) =>
      element("div", {}, element("dt", {}, name), element("dd", {}, this.values.get(key))));
    this.mode = element("table", { id: "unit-mode-pieces", "aria-label": "Mode, piece by piece" });
    this.notice = element("p", { class: "notice", role: "status" });
    this.element = element("section", { class: "card", "aria-label": "Numbers" },
      element("h2", {}, "Numbers  ", this.title), element("dl", { class: "facts unit-facts" }, facts),
      element("div", { class: "pieces" }, this.mode), this.notice);
  }

  show({ density, transfer, error }) {
    const numbers = density?.answer.numbers;
    setText(this.title, density ? `at I = ${shown(density.asked.input)}, T = ${shown(density.asked.temperature)}` : "");
    for (const [key, node] of this.values) {
      setNumber(node, numbers?.[key], !numbers ? "…" : key === "mode" ? modeInWords(numbers, 6) : shown(numbers[key], 6));
    }
    this.#showMode(transfer?.answer.mode.cases ?? "");
    setSentence(this.notice, error ?? "");
  }

  /** Cases such as "0 if I <= 1, I - 1 if I > 1" as rows of a table. */
  #showMode(cases) {
    if (this.cases === cases) return;
    this.cases = cases;
    const cells = ([value, when = "everywhere"]) => [value, when].map((text) => element("td", {}, typeset(text)));
    const rows = cases ? cases.split(", ").map((row) => element("tr", {}, cells(row.split(" if ")))) : [];
    this.mode.replaceChildren(element("caption", {}, "mode(I), exactly"), ...rows);
  }
}

/** Below the plots: the input as a number, mean and mode, and the samples with their button. */
export class UnitReadout {
  constructor(actions, answers) {
    this.answers = answers;
    const recorded = answers.connection.state === "none";
    this.box = new NumberBox({
      label: "input I at which the density is shown", name: "I", step: recorded ? "1" : "0.1", id: "unit-input",
      limits: recorded ? RECORDED_UNIT_INPUTS : UNIT_LIMITS.input, whole: recorded,
      oninput: (value) => actions.set("input", value), onrest: actions.rest,
    });
    this.mean = element("b");
    this.mode = element("b");
    this.count = element("data", { id: "unit-samples" });
    this.button = button("Pause", "Pause the samples", () => answers.pause(!answers.paused));
    this.button.hidden = recorded;
    this.element = element("div", { class: "readout", role: "group", "aria-label": "Values at the input" },
      element("label", {}, "at I = ", this.box.element),
      element("span", {}, "mean ", this.mean), element("span", {}, "mode ", this.mode),
      element("span", { class: "unit-live" }, this.count, " samples ", this.button),
      this.box.note);
  }

  show(document) {
    this.box.show(document.input);
    const { density, samples, paused } = this.answers;
    setText(this.mean, density ? shown(density.answer.numbers.mean) : "…");
    setText(this.mode, density ? modeInWords(density.answer.numbers) : "…");
    setNumber(this.count, samples?.count ?? 0, samples ? samples.count.toLocaleString("en") : "no");
    setText(this.button, paused ? "Go on" : "Pause");
    this.button.setAttribute("aria-pressed", String(paused));
  }
}
