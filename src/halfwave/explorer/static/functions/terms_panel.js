/** The cards of the terms: formula, sliders, and the buttons that mute, double and remove. */

import { toneOf } from "../plot/colours.js";
import { NumberControl } from "../basics/controls.js";
import { button, element, focusNear, setText } from "../basics/dom.js";
import { shown } from "../plot/numerals.js";
import { kinkOf } from "../sums/sums.js";

const PARAMETERS = [
  { name: "m", meaning: "slope", low: -5, high: 5 },
  { name: "b", meaning: "intercept", low: -10, high: 10 },
  { name: "w", meaning: "weight", low: -5, high: 5 },
];

/** A linear expression such as 2x − 1. */
function lineText(m, b) {
  const slope = m === 0 ? "" : `${m === 1 ? "" : m === -1 ? "−" : shown(m)}x`;
  if (b === 0 && slope) return slope;
  if (!slope) return shown(b);
  return `${slope} ${b < 0 ? "−" : "+"} ${shown(Math.abs(b))}`;
}

/** The factor, function and argument of a term, without the sign of its weight. */
export function termText(term, leak) {
  const size = Math.abs(term.w);
  const line = lineText(term.m, term.b);
  const body = leak ? `leaky(${line})` : `max(0, ${line})`;
  return size === 1 ? body : `${shown(size)}·${body}`;
}

/** The cards; `actions` are those of the room. */
export class TermsPanel {
  #cards = [];

  constructor(actions) {
    this.actions = actions;
    this.element = element("ol", { class: "terms", "aria-label": "Terms" });
  }

  /** Show these terms; cards are made anew only when their number changes. */
  show(terms, selected, leak) {
    if (terms.length !== this.#cards.length) this.#rebuild(terms.length);
    terms.forEach((term, index) => this.#cards[index].show(term, index === selected, leak));
  }

  #rebuild(count) {
    const active = focusNear(this.element);
    const focused = this.element.contains(active) && active.dataset.key;
    this.#cards = Array.from({ length: count }, (_, index) => new TermCard(index, this.actions));
    this.element.replaceChildren(...this.#cards.map((card) => card.element));
    // the last card has no next one: its buttons hand on to the one above
    const same = focused && this.element.querySelector(`[data-key="${CSS.escape(focused)}"]`);
    if (focused) (same ?? this.element.querySelector("li:last-child .icon"))?.focus();
  }
}

class TermCard {
  constructor(index, actions) {
    const number = index + 1;
    const act = (sign, label, run) =>
      button(sign, `${label} term ${number}`, run, { class: "icon", "data-key": `${label} ${index}` });
    this.formula = element("span", { class: "formula" });
    this.kink = element("span", { class: "kink" });
    this.mute = act("Mute", "Mute", () => actions.mute(index));
    this.controls = PARAMETERS.map(({ name, meaning, low, high }) => new NumberControl({
      label: `${meaning} ${name} of term ${number}`, name, low, high, key: `${index} ${name}`,
      oninput: (value) => actions.set(index, { [name]: value }, `term ${index} ${name}`),
      onrest: actions.rest,
    }));
    const buttons = [
      this.mute,
      act("Copy", "Duplicate", () => actions.duplicate(index)),
      act("×", "Remove", () => actions.remove(index)),
    ];
    const tag = element("span", { class: "tag" }, String(number));
    const head = element("div", { class: "head" }, tag, this.formula, ...buttons);
    const rows = this.controls.map((control) => control.element);
    const attributes = { class: "term", ...toneOf(index), "aria-label": `Term ${number}` };
    const select = () => actions.select(index);
    this.element = element("li", { ...attributes, onpointerdown: select, onfocusin: select }, head, ...rows, this.kink);
  }

  show(term, selected, leak) {
    // terms are replaced, never changed: the same object is the same card
    if (term === this.term && selected === this.selected && leak === this.leak) return;
    Object.assign(this, { term, selected, leak });
    this.element.classList.toggle("selected", selected);
    this.element.classList.toggle("muted", !term.on);
    this.mute.setAttribute("aria-pressed", String(!term.on));
    setText(this.formula, `${term.w < 0 ? "−" : ""}${termText(term, leak)}`);
    const kink = kinkOf(term);
    setText(this.kink, kink === null ? "no kink" : `kink at x = ${shown(kink)}`);
    PARAMETERS.forEach(({ name }, index) => this.controls[index].show(term[name]));
  }
}
