/** Handles in the transfer plot: the input on the mean curve, and each side's threshold and slope on its arm. */

import { element, setAttributes } from "../basics/dom.js";
import { arrowOf, makeDraggable } from "../plot/gestures.js";
import { shown, snapped } from "../plot/numerals.js";

const UNIT_ARM = 84; // pixels from a threshold to the handle of its slope
const UNIT_BESIDE = 11; // pixels between handles of two thresholds at one place
const UNIT_MARGIN = 8;
const UNIT_KEY_STEP = 0.1;

/** What is taken: parameter, sign on the handle, its name, the colour of its side, and where it points. */
const UNIT_SIDES = [
  { theta: "theta_pos", gamma: "gamma_pos", sign: "+", name: "⁺", colour: "0", side: 1 },
  { theta: "theta_neg", gamma: "gamma_neg", sign: "−", name: "⁻", colour: "2", side: -1 },
];

/** The handles over a transfer plot; `actions` are those of the room. */
export class UnitHandles {
  constructor(plot, actions, limits) {
    Object.assign(this, { plot, actions, limits });
    const across = (name) => (x) => actions.set(name, snapped(plot.abscissa(x), plot.step));
    this.input = this.#make("input", "Input on the curve of the mean", {
      attributes: { class: "handle unit-input" }, move: across("input"),
    });
    this.sides = UNIT_SIDES.map((side) => ({
      ...side,
      threshold: this.#make(side.theta, `Threshold θ${side.name} on the axis`, {
        attributes: { class: "handle", "data-colour": side.colour }, text: side.sign, move: across(side.theta),
      }),
      slope: this.#make(side.gamma, `Curvature γ${side.name} on its arm`, {
        attributes: { class: "handle slope", "data-colour": side.colour, "aria-orientation": "vertical" },
        move: (x, y) => this.#turn(side, x, y),
      }),
    }));
    plot.handles.append(...this.sides.flatMap(({ threshold, slope }) => [threshold, slope]), this.input);
  }

  /** Place the handles for this unit; `mean` is where the input stands, null if that is not known. */
  show(document, mean) {
    this.document = document;
    const { plot } = this;
    // on a flat plot the arm is as short as the plot is low
    const arm = Math.min(UNIT_ARM, plot.height / 4);
    for (const { theta, gamma, side, threshold, slope } of this.sides) {
      const x = plot.across(document[theta]);
      const y = plot.down(0);
      this.#put(threshold, x, y - side * UNIT_BESIDE, document[theta]);
      const toX = plot.across(document[theta] + side) - x;
      const toY = plot.down(side / document[gamma]) - y;
      const scale = arm / Math.hypot(toX, toY);
      this.#put(slope, x + toX * scale, y + toY * scale, document[gamma]);
    }
    this.#put(this.input, plot.across(document.input), plot.down(mean ?? 0), document.input);
    if (mean === null) this.input.hidden = true;
  }

  /** Without Python only the input can be moved. */
  lock() {
    for (const { threshold, slope } of this.sides) for (const node of [threshold, slope]) node.remove();
  }

  #make(name, label, { attributes, text = "", move }) {
    const [low, high] = this.limits[name].map(String);
    const node = element("div", {
      role: "slider", tabindex: "0", "aria-label": label, "aria-orientation": "horizontal", "data-parameter": name,
      "aria-valuemin": low, "aria-valuemax": high, ...attributes,
      onkeydown: (event) => {
        const arrow = arrowOf(event);
        if (!arrow) return;
        this.actions.nudge(name, (arrow[0] || arrow[1]) * UNIT_KEY_STEP);
        event.preventDefault();
      },
    }, text);
    makeDraggable(node, this.plot, {
      start: () => this.actions.hold(name),
      move,
      release: () => {
        this.actions.hold(null);
        this.actions.rest();
      },
    });
    return node;
  }

  /** The arm goes through the pointer; it stays on its side of the threshold. */
  #turn({ theta, gamma, side }, x, y) {
    const { plot, document } = this;
    const [left, right, bottom, top] = plot.window;
    const across = Math.max((plot.abscissa(x) - document[theta]) * side, (6 / plot.width) * (right - left));
    const up = Math.max(plot.ordinate(y) * side, (3 / plot.height) * (top - bottom));
    this.actions.set(gamma, Math.max(0.01, snapped(across / up, 0.01)));
  }

  #put(node, x, y, value) {
    const { width, height } = this.plot;
    node.style.transform = `translate(${x}px, ${y}px) translate(-50%, -50%)`;
    node.hidden = x < -UNIT_MARGIN || x > width + UNIT_MARGIN || y < -UNIT_MARGIN || y > height + UNIT_MARGIN;
    setAttributes(node, { "aria-valuenow": String(value), "aria-valuetext": shown(value) });
  }
}
