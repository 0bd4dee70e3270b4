/** Sliders with number boxes, and switches. */

import { button, element, focusNear } from "./dom.js";

/**
 * A slider and a number box for one number. `oninput(value)` while it moves, `onrest()` when it is let go.
 * The box takes any finite number; the slider grows to reach it, though not beyond `farthest`.
 */
export class NumberControl {
  constructor({
    label, name, low, high, step = 0.01, limits = [-1e6, 1e6], farthest = Infinity, oninput, onrest, key = label,
  }) {
    Object.assign(this, { low, high, limits, farthest });
    const send = (text) => {
      const value = Number(text);
      if (text === "" || !Number.isFinite(value)) return;
      oninput(Math.min(Math.max(value, limits[0]), limits[1]));
    };
    const attributes = { "aria-label": label, onchange: onrest, min: low, max: high, step, "data-key": `${key} slider` };
    this.slider = element("input", { type: "range", ...attributes, oninput: () => send(this.slider.value) });
    this.box = element("input", {
      type: "number", step: step * 10, "aria-label": `${label}, as a number`, "data-key": `${key} box`,
      oninput: () => send(this.box.value),
      onchange: onrest,
      onblur: () => this.show(this.value),
    });
    const caption = element("span", { class: "name", "aria-hidden": "true" }, name);
    this.element = element("div", { class: "number" }, caption, this.slider, this.box);
  }

  /** Show this value; a box that is being typed in keeps its text. */
  show(value) {
    this.value = value;
    const reach = Math.min(Math.ceil(Math.abs(value)), this.farthest);
    const low = Math.max(this.limits[0], value < this.low ? -reach : this.low);
    const high = Math.min(this.limits[1], Math.max(this.high, reach));
    if (this.slider.min !== String(low)) this.slider.min = low;
    if (this.slider.max !== String(high)) this.slider.max = high;
    this.slider.value = value;
    if (focusNear(this.box) !== this.box || Number(this.box.value) !== value) {
      const text = String(Number(value.toPrecision(10)));
      if (this.box.value !== text) this.box.value = text;
    }
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
