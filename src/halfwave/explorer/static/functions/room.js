/** The room "Functions": sums of rectified linear terms, taken in hand. */

import { button, element, setAttributes } from "../basics/dom.js";
import { actionsOn } from "./actions.js";
import { FormulaPanel, ReadoutPanel, TypedFormula, WholePanel } from "./panels.js";
import { drawFunctions, pictureInWords } from "./picture.js";
import { STARTS, decodeState, encodeState, initialState } from "./state.js";
import { arrowOf, makePannable, zoomedByStep } from "../plot/gestures.js";
import { Handles } from "./handles.js";
import { LibraryPanel } from "./library_panel.js";
import { snapped } from "../plot/numerals.js";
import { Plot } from "../plot/plot.js";
import { kinkOf, valueOf } from "../sums/sums.js";
import { TermsPanel } from "./terms_panel.js";
import { ThresholdsPanel } from "./thresholds_panel.js";

const REACH = 16; // pixels within which a press takes a kink of the sum

class FunctionsRoom {
  constructor({ store, connection, colours }) {
    this.store = store;
    this.actions = actionsOn(store);
    const scene = (pen, plot) => drawFunctions(pen, plot, store.document, store.looks);
    const afterwards = () => this.handles.show(store.document.terms, store.looks.selected);
    this.plot = new Plot({ label: "Plot of the function", colours, scene, afterwards });
    this.handles = new Handles(this.plot, this.actions);
    this.library = new LibraryPanel(connection);
    this.terms = new TermsPanel(this.actions);
    this.whole = new WholePanel(this.actions, this.library);
    this.formula = new FormulaPanel(connection);
    this.readout = new ReadoutPanel(this.actions);
    this.thresholds = new ThresholdsPanel(colours, this.actions);
    this.typed = new TypedFormula(connection, this.actions);
    this.#listen();
    this.element = this.#layout();
    connection.subscribe(() => {
      this.library.latest.forget();
      this.show();
    });
  }

  /** Show the store as it is now. */
  show() {
    const { document, looks } = this.store;
    this.plot.window = looks.window;
    this.plot.canvas.setAttribute("aria-label", pictureInWords(document));
    this.plot.draw();
    this.terms.show(document.terms, looks.selected, document.leak);
    this.whole.show(document);
    this.formula.show(document);
    this.readout.show(document, looks);
    this.thresholds.show(document, looks);
    this.library.ask(document);
  }

  #listen() {
    makePannable(this.plot, {
      setWindow: this.actions.setWindow,
      grab: (x, y) => this.#grab(x, y),
      hover: (x) => this.actions.probe(snapped(this.plot.abscissa(x), this.plot.step)),
    });
    this.plot.element.addEventListener("keydown", (event) => {
      const arrow = event.target === this.plot.element && arrowOf(event);
      const zoom = { "+": -1, "=": -1, "-": 1 }[event.key];
      if (arrow) this.actions.nudgeKink(this.store.looks.selected, arrow[0] || arrow[1]);
      else if (zoom && !event.ctrlKey && !event.metaKey) this.#zoom(zoom);
      else return;
      event.preventDefault();
    });
  }

  /** A press on a kink of the sum takes the term that bends there. */
  #grab(x, y) {
    const { document } = this.store;
    const distance = (term) => {
      const kink = term.on ? kinkOf(term) : null;
      if (kink === null) return Infinity;
      const [across, down] = this.plot.point([kink, valueOf(document, kink)]);
      return Math.hypot(across - x, down - y);
    };
    const distances = document.terms.map(distance);
    const index = distances.indexOf(Math.min(...distances, REACH));
    if (index < 0) return null;
    this.actions.select(index);
    const move = (toX) => this.actions.moveKink(index, snapped(this.plot.abscissa(toX), this.plot.step));
    return { move, release: this.actions.rest };
  }

  #zoom(direction) {
    this.actions.setWindow(zoomedByStep(this.store.looks.window, direction));
  }

  #layout() {
    const { plot, actions } = this;
    const label = "Plot; arrow keys move the kink of the selected term, plus and minus zoom";
    setAttributes(plot.element, { tabindex: "0", role: "group", "aria-label": label });
    plot.element.append(element("div", { class: "zoom" },
      button("+", "Zoom in", () => this.#zoom(-1)),
      button("−", "Zoom out", () => this.#zoom(1)),
      button("All", "Show all kinks", actions.fit)));
    const starts = Object.keys(STARTS).map((name) => button(name, `${name} ReLU`, () => actions.start(name)));
    const terms = element("section", { class: "card", "aria-label": "Terms" },
      element("h2", {}, "Terms  ", element("span", { class: "note" }, "w·max(0, m x + b)")), this.terms.element,
      button("+ Add a term", "Add a term", actions.add, { class: "add" }));
    const begin = element("section", { class: "card", "aria-label": "Start" },
      element("div", { class: "row" }, element("span", { class: "label" }, "Start with a ReLU:"), starts), this.typed.element);
    const stage = element("div", { class: "stage" }, plot.element, this.readout.element);
    const below = element("div", { class: "below" }, this.formula.element, this.library.element, this.thresholds.element);
    return element("div", { class: "room" }, stage,
      element("div", { class: "panels" }, begin, terms, this.whole.curves, this.whole.shape), below);
  }
}

/** The entry of this room in the registry. */
export const functionsRoom = {
  name: "functions",
  title: "Functions",
  initial: initialState,
  encode: encodeState,
  decode: decodeState,
  open: (context) => new FunctionsRoom(context),
};
