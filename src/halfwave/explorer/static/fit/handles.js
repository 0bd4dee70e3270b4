/** Handles of the kinks of a fit: dragged or moved by arrows they are held, and given back by Delete or a double click. */

import { element, focusNear, setAttributes } from "../basics/dom.js";
import { arrowOf, makeDraggable } from "../plot/gestures.js";
import { shown, snapped } from "../plot/numerals.js";

const FIT_EDGE = 10;
const FIT_STACKED = 20; // pixels between handles that would hide each other

/** Keeps handles in step with the kinks; `actions` are those of the room. */
export class FitHandles {
  #nodes = [];

  constructor(plot, actions) {
    Object.assign(this, { plot, actions });
  }

  /** Place handles at these [x, y]. */
  show(corners, selected) {
    if (corners.length !== this.#nodes.length) {
      const focused = this.plot.handles.contains(focusNear(this.plot.handles));
      this.#nodes = corners.map((_, index) => this.#make(index));
      this.plot.handles.replaceChildren(...this.#nodes);
      if (focused) (this.#nodes[selected] ?? this.#nodes.at(-1) ?? this.plot.element).focus({ preventScroll: true });
    }
    Object.assign(this, { corners, places: [] });
    corners.forEach((corner, index) => this.#place(this.#nodes[index], corner, index === selected));
  }

  /** How far an arrow key moves a kink. */
  get keyStep() {
    const [left, right] = this.plot.window;
    return 10 ** Math.round(Math.log10((right - left) / 100));
  }

  #make(index) {
    const node = element("div", {
      class: "handle kink fit-kink", role: "slider", tabindex: "0", "aria-orientation": "horizontal",
      "aria-label": `Kink ${index + 1}`,
      onfocus: () => this.actions.select(index),
      onkeydown: (event) => this.#key(event, index),
      ondblclick: () => this.actions.free(index),
    }, String(index + 1));
    makeDraggable(node, this.plot, {
      start: () => {
        this.moves = false;
        this.actions.select(index);
      },
      move: (x) => {
        // a press alone moves nothing, and holds nothing
        this.moves ||= Math.abs(this.plot.across(this.corners[index][0]) - x) >= 1;
        if (this.moves) this.actions.moveKink(index, snapped(this.plot.abscissa(x), this.plot.step));
      },
      release: this.actions.rest,
    });
    return node;
  }

  #key(event, index) {
    const arrow = arrowOf(event);
    if (event.key === "Delete" || event.key === "Backspace") this.actions.free(index);
    else if (arrow) {
      this.actions.nudgeKink(index, this.corners[index][0] + (arrow[0] || arrow[1]) * this.keyStep);
    } else return;
    event.preventDefault();
  }

  #place(node, [x, y], selected) {
    const across = this.plot.across(x);
    let down = Math.min(Math.max(this.plot.down(y), FIT_EDGE), this.plot.height - FIT_EDGE);
    const hidden = () => this.places.some(([a, b]) => Math.hypot(a - across, b - down) < FIT_STACKED - 1);
    while (hidden() && down < this.plot.height) down += FIT_STACKED / 2;
    this.places.push([across, down]);
    node.style.transform = `translate(${across}px, ${down}px) translate(-50%, -50%)`;
    node.hidden = across < -FIT_EDGE || across > this.plot.width + FIT_EDGE;
    const pinned = this.actions.isPinned(x);
    node.classList.toggle("selected", pinned);
    node.classList.toggle("chosen", selected);
    setAttributes(node, { "aria-valuenow": String(x), "aria-valuetext": `x = ${shown(x, 6)}, ${pinned ? "held" : "free"}` });
  }
}
