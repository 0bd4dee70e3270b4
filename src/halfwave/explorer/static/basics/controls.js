/** Number boxes, sliders with such boxes, and switches. */

import { button, element, focusNear, setAttributes, setText } from "./dom.js";

const PATIENCE = 600; // milliseconds in which a number may still become longer

const inWords = (value) => value.toLocaleString("en", { maximumSignificantDigits: 10 }).replace("-", "−");

/**
 * A box for one number: `oninput(value)` while it is typed, `onrest()` when it is done. What is typed beyond the
 * limits is taken as the nearest end, and `note` says so; an emptied box returns to the value in force.
 */
export class NumberBox {
  #accepted = null;
  #limited = null;
  #pause = null;

  constructor({ label, name, step, limits, whole = false, oninput, onrest, ...attributes }) {
    Object.assign(this, { name, limits, whole, oninput });
    const settle = () => this.#settle();
    this.element = element("input", {
      type: "number", step, "aria-label": label, ...attributes,
      oninput: () => this.#type(),
      onchange: () => {
        settle();
        onrest();
      },
      onblur: () => {
        settle();
        this.show(this.value);
      },
    });
    this.note = element("span", { class: "limits", role: "status" });
  }

  /** Take the number that the slider or the box gives, within the limits. */
  take(value) {
    const [low, high] = this.limits;
    const kept = Math.min(Math.max(value, low), high);
    this.oninput(this.whole ? Math.round(kept) : kept);
    return kept;
  }

  /** Show this value; a box that is being typed in keeps its text. */
  show(value) {
    this.value = value;
    const { element: box } = this;
    const rule = this.#rule();
    if (box.title !== rule) box.title = rule;
    // what has been limited may be shown rounded
    if (this.#limited !== null && Math.abs(value - this.#limited) > 1e-3 * Math.abs(this.#limited)) this.#say(null);
    if (focusNear(box) === box && (Number(box.value) === value || value === this.#accepted)) return;
    this.#accepted = null;
    this.#write(value);
  }

  #write(value) {
    const text = String(Number(value.toPrecision(10)));
    if (this.element.value !== text) this.element.value = text;
  }

  #type() {
    const { value: text } = this.element;
    const value = Number(text);
    clearTimeout(this.#pause);
    if (text === "" || !Number.isFinite(value)) {
      this.#accepted = this.value;
      this.#say(null);
      return;
    }
    this.#accepted = this.take(value);
    if (value === this.#accepted) this.#say(null);
    // a 0 may be the beginning of 0.5
    else this.#pause = setTimeout(() => this.#say(this.#accepted), PATIENCE);
  }

  /** The number is done: the box shows what is in force. */
  #settle() {
    clearTimeout(this.#pause);
    const { value: text } = this.element;
    if (this.#accepted === null || (text !== "" && Number(text) === this.#accepted)) return;
    if (text !== "") this.#say(this.#accepted);
    this.#write(this.#accepted);
  }

  /** Say that the number was limited to this end; null when it no longer is. */
  #say(limited) {
    this.#limited = limited;
    setText(this.note, limited === null ? "" : `${this.name} must be ${this.#rule()}`);
    setAttributes(this.element, { "aria-invalid": String(limited !== null) });
  }

  #rule() {
    const [low, high] = this.limits.map(inWords);
    return `${this.whole ? "a whole number " : ""}between ${low} and ${high}`;
  }
}

/**
 * A slider and a number box for one number. `oninput(value)` while it moves, `onrest()` when it is let go.
 * The box takes any number within the limits; the slider grows to reach it, though not beyond `farthest`.
 */
export class NumberControl {
  constructor({
    label, name, low, high, step = 0.01, limits = [-1e6, 1e6], farthest = Infinity, whole = false, oninput, onrest,
    key = label,
  }) {
    Object.assign(this, { low, high, farthest });
    this.typed = new NumberBox({
      label: `${label}, as a number`, name, step: step * 10, limits, whole, oninput, onrest, "data-key": `${key} box`,
    });
    this.box = this.typed.element;
    this.slider = element("input", {
      type: "range", "aria-label": label, onchange: onrest, min: low, max: high, step, "data-key": `${key} slider`,
      oninput: () => this.typed.take(Number(this.slider.value)),
    });
    const caption = element("span", { class: "name", "aria-hidden": "true" }, name);
    this.element = element("div", { class: "number" }, caption, this.slider, this.box, this.typed.note);
  }

  get value() {
    return this.typed.value;
  }

  /** Another range, for the slider and the box. */
  within([low, high]) {
    Object.assign(this, { low, high });
    this.typed.limits = [low, high];
  }

  disable(disabled) {
    this.slider.disabled = this.box.disabled = disabled;
  }

  /** Show this value; a box that is being typed in keeps its text. */
  show(value) {
    const { limits } = this.typed;
    const reach = Math.min(Math.ceil(Math.abs(value)), this.farthest);
    const low = Math.max(limits[0], value < this.low ? -reach : this.low);
    const high = Math.min(limits[1], Math.max(this.high, reach));
    if (this.slider.min !== String(low)) this.slider.min = low;
    if (this.slider.max !== String(high)) this.slider.max = high;
    this.slider.value = value;
    this.typed.show(value);
  }
}

/** A button that stays pressed. */
export class Switch {
  constructor(text, label, onflip, kind) {
    this.element = button(text, label, () => onflip(!this.on), { class: "switch", "data-kind": kind });
  }

  show(on) {
    this.on = on;
    this.element.setAttribute("aria-pressed", String(on));
  }
}
