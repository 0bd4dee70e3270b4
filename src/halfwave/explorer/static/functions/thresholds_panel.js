/** The thresholded ReLU in its three forms, side by side, with one threshold. */

import { NumberControl } from "../basics/controls.js";
import { element, setNumber } from "../basics/dom.js";
import { makeDraggable } from "../plot/gestures.js";
import { shown, snapped } from "../plot/numerals.js";
import { Plot } from "../plot/plot.js";
import { THRESHOLDED } from "../sums/sums.js";

const WINDOW = [-3, 3, -3, 3];

/** Three small plots, a slider, and the value of each form at the point that is looked at. */
export class ThresholdsPanel {
  constructor(colours, actions) {
    Object.assign(this, { actions, colours });
    this.forms = THRESHOLDED.map((form) => this.#makeForm(form, colours));
    this.control = new NumberControl({
      label: "threshold T", name: "T", low: -3, high: 3, key: "threshold",
      oninput: (threshold) => actions.change({ threshold }, "threshold"),
      onrest: actions.rest,
    });
    const note = "Three functions carry this name: drag in a plot, or move T. “keep” jumps by T.";
    this.element = element(
      "section",
      { class: "card thresholds", "aria-label": "Thresholded ReLU" },
      element("h2", {}, "Thresholded ReLU"),
      element("p", { class: "note" }, note),
      this.control.element,
      element("div", { class: "three" }, this.forms.map((form) => form.element)),
    );
  }

  show({ threshold }, { probe }) {
    const shows = [threshold, probe, this.colours.version].join();
    if (shows === this.shows) return;
    Object.assign(this, { shows, threshold });
    this.control.show(threshold);
    for (const form of this.forms) {
      form.plot.draw();
      const value = form.value(probe, threshold);
      setNumber(form.readout, value, `at ${shown(probe)}: ${shown(value)}`);
    }
  }

  #makeForm({ name, formula, value }, colours) {
    const scene = (pen, plot) => this.#draw(pen, plot, value);
    const plot = new Plot({ label: `Thresholded ReLU, form ${name}`, colours, scene, small: true });
    plot.window = WINDOW;
    const move = (x) => this.actions.change({ threshold: snapped(plot.abscissa(x), 0.01) }, "threshold");
    makeDraggable(plot.canvas, plot, { move, release: this.actions.rest, absolute: true });
    const readout = element("data", { id: `threshold-${name}` });
    const caption = element("figcaption", {}, element("b", {}, name), element("span", {}, formula), readout);
    return { plot, value, readout, element: element("figure", {}, plot.element, caption) };
  }

  #draw(pen, plot, value) {
    const { sum, card, soft } = plot.colours;
    const [left, right] = plot.window;
    const t = this.threshold;
    const line = (start, end, inside) => {
      if (start < end) pen.line([start, end].map((x) => plot.point([x, inside(x)])), { stroke: sum, width: 2.5 });
    };
    pen.line([[plot.across(t), 0], [plot.across(t), plot.height]], { stroke: soft, dash: [2, 4] });
    const below = (x) => value(Math.min(x, t), t);
    const jump = value(t + 1, t) - 1 - below(t);
    line(left, Math.min(t, right), below);
    line(Math.max(t, left), right, (x) => below(t) + jump + x - t);
    if (jump) {
      pen.dot(plot.point([t, below(t)]), 3.5, { fill: sum, stroke: sum, width: 1.5 });
      pen.dot(plot.point([t, below(t) + jump]), 3.5, { fill: card, stroke: sum, width: 1.5 });
    }
  }
}
