/** The room "Units": a dReLU unit, taken in hand. */

import { button, element, setAttributes } from "../basics/dom.js";
import { arrowOf, makePannable, zoomedByStep } from "../plot/gestures.js";
import { snapped } from "../plot/numerals.js";
import { Plot } from "../plot/plot.js";
import { unitActions } from "./actions.js";
import { UnitAnswers } from "./answers.js";
import { UnitHandles } from "./handles.js";
import { UnitNumbersPanel, UnitParametersPanel, UnitPresetsPanel, UnitReadout } from "./panels.js";
import {
  drawUnitDensity, drawUnitPotential, drawUnitSilence, drawUnitTransfer, unitDensityHeights, unitEnergyHeights,
  unitHeightAt, unitInWords,
} from "./pictures.js";
import { SixteenPanel } from "./sixteen.js";
import { UNIT_LIMITS, decodeUnit, encodeUnit, initialUnit } from "./state.js";

const UNIT_REACH = 14; // pixels within which a press takes the line of the input
const UNIT_FOOT = 34; // pixels below the axis, where no handle of a threshold covers a number
const UNIT_FIRST_WINDOW = [-6, 6, -6, 6]; // until Python has said which

class UnitsRoom {
  #frame = null;
  #held = {};
  #drawn = new Map();
  #height = 200;

  constructor({ store, connection, colours }) {
    Object.assign(this, { store, connection, colours });
    const recorded = connection.state === "none";
    this.actions = { ...unitActions(store, recorded), hold: (parameter) => this.#hold(parameter) };
    this.answers = new UnitAnswers(connection, () => this.#request());
    this.plot = this.#plot("Density", "density", drawUnitDensity);
    this.potential = this.#plot("Potential", "density", drawUnitPotential);
    this.transfer = this.#plot("Mean and mode against the input", "transfer", drawUnitTransfer,
      () => this.handles.show(this.store.document, this.#meanAtInput()), UNIT_FOOT);
    this.handles = new UnitHandles(this.transfer, this.actions, UNIT_LIMITS);
    if (recorded) this.handles.lock();
    this.presets = new UnitPresetsPanel(this.actions, recorded);
    this.parameters = new UnitParametersPanel(this.actions, connection);
    this.numbers = new UnitNumbersPanel();
    this.readout = new UnitReadout(this.actions, this.answers);
    this.sixteen = new SixteenPanel(connection, colours, this.actions);
    this.#listen();
    this.element = this.#layout();
  }

  /** Show the store as it is now, with the newest answers. */
  show() {
    const { document, looks } = this.store;
    this.answers.ask(document, { ...looks, ...this.#held });
    this.presets.show(document);
    this.parameters.show(document);
    this.#draw();
  }

  enter() {
    this.answers.wake(true);
  }

  leave() {
    this.answers.wake(false);
  }

  #request() {
    this.#frame ??= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = null;
    const { document, looks } = this.store;
    const { density, transfer, samples, error } = this.answers;
    const values = looks.values ?? density?.answer.window;
    const view = this.#held.transfer ?? looks.transfer ?? transfer?.answer.window;
    if (density) {
      const { answer, asked } = density;
      // a room that was hidden has no height until it is laid out again
      this.#height = this.plot.height || this.#height;
      this.plot.window = [...values, ...unitDensityHeights(answer, values, this.#height)];
      this.potential.window = [...values, ...unitEnergyHeights(answer, asked.temperature)];
      setAttributes(this.plot.canvas, { "aria-label": unitInWords(answer, asked.input) });
    }
    if (transfer) this.transfer.window = view;
    const { version } = this.colours;
    this.#refresh(this.plot, [density, samples, values, error, version, this.#height]);
    this.#refresh(this.potential, [density, values, error, version]);
    this.#refresh(this.transfer, [transfer, document, view, error, version]);
    this.numbers.show(this.answers);
    this.readout.show(document);
    this.sixteen.show(document);
    if (density && transfer) this.sixteen.ask();
  }

  /** Draw a plot only if something that it shows is another one: each answer concerns one or two of the three. */
  #refresh(plot, shows) {
    if (this.#drawn.get(plot)?.every((thing, index) => thing === shows[index])) return;
    this.#drawn.set(plot, shows);
    plot.draw();
  }

  #meanAtInput() {
    const { transfer } = this.answers;
    return transfer && unitHeightAt(transfer.answer.inputs, transfer.answer.mean, this.store.document.input);
  }

  /** While the handle of a parameter is held, the window may not move under it; null when it is let go. */
  #hold(parameter) {
    // that of the input does not ask for other curves, and so not for another window
    this.#held = parameter && parameter !== "input" ? { transfer: this.transfer.window } : {};
    if (!parameter) this.show();
  }

  #plot(label, needs, draw, afterwards, foot) {
    const scene = (pen, plot) => {
      if (this.answers[needs]) draw(pen, plot, this.answers, this.store.document);
      else drawUnitSilence(pen, plot, (this.answers.error ?? "asking Python …").replaceAll("`", ""));
    };
    const plot = new Plot({ label, colours: this.colours, scene, afterwards, foot });
    plot.window = UNIT_FIRST_WINDOW;
    return plot;
  }

  #listen() {
    const { actions, transfer } = this;
    this.connection.subscribe(() => {
      this.answers.forget();
      this.answers.wake(!this.element.hidden);
      this.#request();
    });
    document.addEventListener("visibilitychange", () => this.answers.wake(!this.element.hidden));
    for (const plot of [this.plot, this.potential]) {
      makePannable(plot, { setWindow: actions.showValues, grab: () => null, hover: () => {} });
    }
    makePannable(transfer, { setWindow: actions.showTransfer, grab: (x) => this.#grab(x), hover: () => {} });
    const zooms = [
      [this.plot, actions.showValues], [this.potential, actions.showValues], [transfer, actions.showTransfer],
    ];
    for (const [plot, show] of zooms) {
      plot.element.addEventListener("keydown", (event) => this.#key(event, plot, show));
    }
  }

  /** A press on the line of the input takes it. */
  #grab(x) {
    const { transfer, actions } = this;
    if (Math.abs(transfer.across(this.store.document.input) - x) > UNIT_REACH) return null;
    const move = (toX) => actions.set("input", snapped(transfer.abscissa(toX), transfer.step));
    return { move, release: actions.rest };
  }

  #key(event, plot, show) {
    if (event.target !== plot.element) return;
    const arrow = arrowOf(event);
    const zoom = { "+": -1, "=": -1, "-": 1 }[event.key];
    if (arrow) this.actions.nudgeInput(arrow[0] || arrow[1]);
    else if (zoom && !event.ctrlKey && !event.metaKey) show(zoomedByStep(plot.window, zoom));
    else return;
    event.preventDefault();
  }

  #layout() {
    const { actions } = this;
    this.#equip(this.plot, "Density", actions.showValues, actions.fitValues);
    this.#equip(this.potential, "Potential", null, null);
    this.#equip(this.transfer, "Transfer curves", actions.showTransfer, actions.fitTransfer);
    const plots = element("div", { class: "unit-plots" },
      this.plot.element, this.potential.element, this.transfer.element);
    return element("div", { class: "room units" },
      element("div", { class: "stage" }, plots, this.readout.element),
      element("div", { class: "panels" }, this.presets.element, this.parameters.element, this.numbers.element),
      element("div", { class: "below" }, this.sixteen.element));
  }

  #equip(plot, name, show, fit) {
    const label = `${name}; arrow keys move the input, plus and minus zoom`;
    setAttributes(plot.element, { tabindex: "0", role: "group", "aria-label": label });
    if (!fit) return;
    const zoom = (direction) => show(zoomedByStep(plot.window, direction));
    plot.element.append(element("div", { class: "zoom" },
      button("+", `${name}: zoom in`, () => zoom(-1)),
      button("−", `${name}: zoom out`, () => zoom(1)),
      button("Fit", `${name}: show all`, fit)));
  }
}

/** The entry of this room in the registry. */
export const unitsRoom = {
  name: "units",
  title: "Units",
  initial: initialUnit,
  encode: encodeUnit,
  decode: decodeUnit,
  open: (context) => new UnitsRoom(context),
};
