/** Handles of the terms in the plot: one on each kink, and one on the arm of the selected term for its slope. */

import { toneOf } from "../plot/colours.js";
import { element, focusNear, setAttributes } from "../basics/dom.js";
import { arrowOf, makeDraggable } from "../plot/gestures.js";
import { shown, snapped, tidy } from "../plot/numerals.js";
import { kinkOf } from "../sums/sums.js";

const ARM = 92; // pixels from a kink to its slope handle
const EDGE = 10;
const STACKED = 20; // pixels between handles that would hide each other
const SLOPE_STEP = 0.01;
const STEEPEST = 1e6;
const SLIDER = { role: "slider", tabindex: "0", "aria-valuemin": `${-STEEPEST}`, "aria-valuemax": `${STEEPEST}` };

/** The term with its kink moved and its slope kept. */
export function withKink(term, kink) {
  return { b: tidy(-term.m * kink) };
}

/** The term with its kink kept and the arm w·m turned to this slope; the arm stays on its side. */
export function withArm(term, arm) {
  const kink = kinkOf(term);
  const size = snapped(Math.abs(arm / term.w), SLOPE_STEP) || SLOPE_STEP;
  const m = Math.sign(term.m) * Math.min(size, STEEPEST);
  const w = Math.abs(term.w) * Math.sign(arm * term.m || term.w);
  return { m, b: tidy(-m * kink), w };
}

/** Keeps handles in step with the terms; `actions` are those of the room. */
export class Handles {
  #kinks = [];

  constructor(plot, actions) {
    this.plot = plot;
    this.actions = actions;
    this.slope = this.#makeSlope();
  }

  /** Place the handles for these terms. */
  show(terms, selected) {
    if (terms.length !== this.#kinks.length) {
      this.#kinks = terms.map((_, index) => this.#makeKink(index));
      const focused = this.plot.handles.contains(focusNear(this.plot.handles));
      this.plot.handles.replaceChildren(...this.#kinks, this.slope);
      if (focused) this.#kinks[selected]?.focus({ preventScroll: true });
    }
    this.terms = terms;
    this.places = [];
    this.selected = selected;
    terms.forEach((term, index) => this.#placeKink(this.#kinks[index], term, index));
    this.#placeSlope(terms[selected]);
  }

  #makeKink(index) {
    const node = element("div", {
      class: "handle kink", ...SLIDER, "aria-orientation": "horizontal", ...toneOf(index),
      "aria-label": `Kink of term ${index + 1}`,
      onfocus: () => this.actions.select(index),
      onkeydown: (event) => this.#kinkKey(event, index),
    }, String(index + 1));
    makeDraggable(node, this.plot, {
      start: () => this.actions.select(index),
      move: (x) => this.actions.moveKink(index, snapped(this.plot.abscissa(x), this.plot.step)),
      release: this.actions.rest,
    });
    return node;
  }

  #makeSlope() {
    const node = element("div", {
      class: "handle slope", ...SLIDER, "aria-orientation": "vertical",
      onkeydown: (event) => this.#slopeKey(event),
    });
    makeDraggable(node, this.plot, { move: (x, y) => this.#turn(x, y), release: this.actions.rest });
    return node;
  }

  #kinkKey(event, index) {
    const arrow = arrowOf(event);
    if (event.key === "Delete") this.actions.remove(index);
    else if (arrow) this.actions.nudgeKink(index, arrow[0] || arrow[1]);
    else return;
    event.preventDefault();
  }

  #slopeKey(event) {
    const arrow = arrowOf(event);
    if (!arrow) return;
    const term = this.terms[this.selected];
    const arm = term.w * term.m + (arrow[1] || arrow[0]) * 0.1 * Math.sign(term.m);
    this.actions.set(this.selected, withArm(term, arm), "turn by key");
    event.preventDefault();
  }

  /** The arm points from the kink at the pointer, on the side where the term is active. */
  #turn(x, y) {
    const term = this.terms[this.selected];
    const across = this.plot.abscissa(x) - kinkOf(term);
    const near = (12 / this.plot.width) * (this.plot.window[1] - this.plot.window[0]);
    const reach = Math.sign(term.m) * Math.max(near, across * Math.sign(term.m));
    this.actions.set(this.selected, withArm(term, this.plot.ordinate(y) / reach), `turn ${this.selected}`);
  }

  #placeKink(node, term, index) {
    const kink = kinkOf(term);
    if (kink === null || !term.on) {
      node.hidden = true;
      return;
    }
    const x = this.plot.across(kink);
    const y = Math.min(Math.max(this.plot.down(0), EDGE), this.plot.height - EDGE);
    // handles at one place hang below each other
    const above = this.places.filter((other) => Math.abs(other - x) < STACKED).length;
    this.places.push(x);
    this.#put(node, x, y + above * STACKED);
    node.classList.toggle("selected", index === this.selected);
    this.#tell(node, kink, `x = ${shown(kink)}`);
  }

  #placeSlope(term) {
    const kink = term?.on ? kinkOf(term) : null;
    if (kink === null) {
      this.slope.hidden = true;
      return;
    }
    // next to its kink for the tab key as well
    const neighbour = this.#kinks[this.selected];
    if (neighbour.nextSibling !== this.slope) neighbour.after(this.slope);
    setAttributes(this.slope, { "aria-label": `Slope of term ${this.selected + 1}`, ...toneOf(this.selected) });
    const x = this.plot.across(kink);
    const y = this.plot.down(0);
    const side = Math.sign(term.m);
    const toX = this.plot.across(kink + side) - x;
    const toY = this.plot.down(term.w * term.m * side) - y;
    const scale = ARM / Math.hypot(toX, toY);
    this.#put(this.slope, x + toX * scale, y + toY * scale);
    this.#tell(this.slope, term.w * term.m, `slope ${shown(term.w * term.m)}`);
  }

  #put(node, x, y) {
    node.style.transform = `translate(${x}px, ${y}px) translate(-50%, -50%)`;
    node.hidden = x < -EDGE || x > this.plot.width + EDGE || y < -EDGE || y > this.plot.height + EDGE;
  }

  #tell(node, value, text) {
    setAttributes(node, { "aria-valuenow": String(value), "aria-valuetext": text });
  }
}
