/** The settings of a fit: number of kinks, criterion, loss. */

import { NumberControl, Switch } from "../basics/controls.js";
import { button, element, setText } from "../basics/dom.js";
import { FIT_CHOICES, MOST_FIT_KINKS } from "./state.js";
import { shown } from "../plot/numerals.js";

/** A list of which one is chosen. */
export function fitSelect(label, choices, onchange) {
  const options = choices.map(([value, text]) => element("option", { value }, text));
  return element("select", { "aria-label": label, onchange: (event) => onchange(event.target.value) }, options);
}

/** Slider of kinks with "auto", criterion and loss. */
export class FitSettingsPanel {
  constructor(actions) {
    this.slider = element("input", {
      type: "range", min: 0, max: MOST_FIT_KINKS, step: 1, "aria-label": "Number of kinks", id: "fit-k",
      oninput: () => actions.setKinks(Number(this.slider.value), "kinks"),
      onchange: actions.rest,
    });
    this.count = element("output", { for: "fit-k" });
    this.auto = new Switch("auto", "Choose the number of kinks by the criterion", (on) =>
      actions.setKinks(on ? "auto" : this.shownKinks));
    this.criterion = fitSelect("Criterion", FIT_CHOICES.criterion, (criterion) => actions.change({ criterion }));
    this.loss = fitSelect("Loss", FIT_CHOICES.loss, (loss) => actions.change({ loss }));
    this.quantile = new NumberControl({
      label: "quantile q", name: "q", low: 0.01, high: 0.99, limits: [0.01, 0.99], key: "fit quantile",
      oninput: (quantile) => actions.change({ quantile }, "quantile"), onrest: actions.rest,
    });
    this.correct = new Switch("correct for correlation",
      "Count correlated neighbours as fewer points", (correct) => actions.change({ correct }));
    this.correlation = element("span", { class: "note" });
    this.pins = element("p", { class: "note" });
    this.element = this.#layout(actions);
  }

  show(document, fit) {
    const { kinks, criterion, loss, quantile, correct, pins } = document;
    const count = kinks === "auto" ? fit?.kinks.length ?? null : kinks;
    // where "auto" has no answer the slider stays where it was
    this.shownKinks = count ?? this.shownKinks ?? 2;
    const shows = [kinks, count, this.shownKinks, criterion, loss, quantile, correct, pins.length, fit?.correlation].join();
    if (shows === this.shows) return;
    this.shows = shows;
    this.slider.value = this.shownKinks;
    setText(this.count, count === null ? "–" : String(count));
    this.auto.show(kinks === "auto");
    this.criterion.value = criterion;
    this.loss.value = loss;
    this.quantile.element.hidden = loss !== "quantile";
    this.quantile.show(quantile);
    this.correct.show(correct);
    const rho = fit?.correlation ?? null;
    const words = rho === null ? "" : `neighbouring residuals correlate by ${shown(Math.round(100 * rho) / 100)}`;
    setText(this.correlation, rho > 0.3 && !correct ? `${words}: criteria take that for kinks` : words);
    this.held.hidden = !pins.length;
    setText(this.pins, pins.length === 1 ? "1 kink is held" : `${pins.length} kinks are held`);
  }

  #layout(actions) {
    const row = (name, control) => element("label", { class: "fit-choice" }, element("span", {}, name), control);
    this.held = element("div", { class: "row fit-held" }, this.pins,
      button("Give back", "Give held kinks back to the search", actions.freeAll));
    const kinks = element("div", { class: "fit-slider" }, element("span", { class: "name" }, "kinks"), this.slider, this.count, this.auto.element);
    return element("section", { class: "card fit-settings", "aria-label": "Fit" }, element("h2", {}, "Fit"), kinks, this.held,
      row("criterion", this.criterion), row("loss", this.loss), this.quantile.element,
      element("div", { class: "row" }, this.correct.element, this.correlation));
  }
}
