/** The room "Machine": a trained restricted Boltzmann machine, taken in hand. */

import { element, focusNear, setAttributes } from "../basics/dom.js";
import { machineActions } from "./actions.js";
import { MachineFeaturesPanel } from "./features.js";
import { MachineFillPanel } from "./fill_panel.js";
import { MachineChainLoop } from "./loop.js";
import { MachinePalette } from "./palette.js";
import { MachineChainsPanel, MachineParticlesPanel } from "./particles.js";
import { MachineQuestions } from "./questions.js";
import { MachineRunPanel } from "./run_panel.js";
import { machineClampsFor, decodeMachine, encodeMachine, initialMachine } from "./state.js";
import { MachineUnitPanel } from "./unit_panel.js";

class MachineRoom {
  #entered = true;
  #frame = null;
  #asked = null;
  #clamps = [];
  #clamped = null;
  #clampedOf = null;
  #walking = false;
  #waiting = null;
  #times = [];

  constructor({ store, connection, colours }) {
    Object.assign(this, { store, connection, palette: new MachinePalette(colours) });
    this.questions = new MachineQuestions(connection, store, () => this.#request());
    this.model = this.questions.model;
    this.actions = machineActions(store, this.model, { once: () => this.#walk(store.document.steps) });
    // a page without Python shows what was recorded
    const recorded = connection.state === "none";
    this.particles = new MachineParticlesPanel(this.palette, this.actions, recorded);
    this.chains = new MachineChainsPanel(this.actions, recorded);
    this.features = new MachineFeaturesPanel((unit) => this.actions.select(unit));
    this.unit = new MachineUnitPanel(colours, this.palette, this.actions, recorded);
    this.fill = new MachineFillPanel(this.palette, this.actions, recorded);
    this.runPanel = new MachineRunPanel();
    this.letters = this.#lettersCard();
    this.plot = this.unit.plot;
    this.loop = new MachineChainLoop({
      turn: () => this.#walk(store.document.steps), rate: () => store.looks.rate, may: () => this.#may(),
    });
    this.element = this.#layout();
    connection.subscribe(() => this.#reconnect());
    document.addEventListener("visibilitychange", () => this.#request());
  }

  enter() {
    this.#entered = true;
    this.#request();
  }

  leave() {
    this.#entered = false;
  }

  /** Show the store and what Python has answered. */
  show() {
    if (!this.#entered) return;
    this.questions.ask();
    this.#render();
    this.#awaken();
  }

  /** Another line is another page to Python, with chains of its own. */
  #reconnect() {
    const { model, connection } = this;
    if (connection.state === "lost" && model.step) model.anew = true;
    this.questions.forget();
    this.#asked = null;
    this.#request();
  }

  #render() {
    const { model, palette, questions } = this;
    const { document, looks } = this.store;
    palette.refresh();
    const { run } = model;
    this.#showReadiness();
    const chosen = run ? run.order[questions.rank] : null;
    const held = run && questions.held ? { unit: chosen } : null;
    this.particles.show({ ...model, rate: this.#rate(), held, ready: questions.ready });
    this.chains.show(document, looks, this.connection.state === "open");
    this.features.show(run, palette, chosen);
    this.unit.show({ ...model, unit: run ? questions.unit : null }, document, run ? questions.value : null);
    if (run && (document.clamped !== this.#clamped || run.visible !== this.#clampedOf)) {
      this.#clamps = machineClampsFor(document, run.visible);
      [this.#clamped, this.#clampedOf] = [document.clamped, run.visible];
    }
    this.fill.show(model, this.#clamps, looks);
    this.runPanel.show(run);
    this.#showLetters();
  }

  /** Without a machine there is nothing to see; while another one is opened, nothing to take in hand. */
  #showReadiness() {
    const { ready } = this.questions;
    this.element.classList.toggle("empty", !this.model.run);
    this.element.classList.toggle("waiting", !ready);
    for (const node of this.uses) node.inert = !ready;
    setAttributes(this.element, { "aria-busy": String(!ready && !this.model.error) });
  }

  /** Where the chains do not run by themselves, show them as they are now asked for. */
  #awaken() {
    const { document, looks } = this.store;
    const { run, error } = this.model;
    if (!this.questions.ready) return;
    const { steps, ...chains } = document;
    const asked = JSON.stringify([run.name, chains, looks.round, this.questions.held]);
    const again = asked !== this.#asked;
    if (again) {
      // chains that a person asks for are no surprise
      if (this.#asked !== null) this.model.anew = false;
      this.#asked = asked;
      this.model.error = null;
    }
    if (this.#may()) this.loop.wake();
    else if (again && (this.connection.state === "open" || this.connection.state === "none") && !error) this.#walk(0);
  }

  #may() {
    const { model, connection, questions } = this;
    const wanted = this.#entered && this.store.looks.playing && !document.hidden;
    return wanted && connection.state === "open" && questions.ready && !model.error;
  }

  /** One question at a time: what is asked meanwhile waits, and only the newest. */
  async #walk(steps) {
    if (this.#walking) {
      this.#waiting = Math.max(this.#waiting ?? 0, steps);
      return;
    }
    this.#walking = true;
    await this.questions.walk(steps);
    this.#walking = false;
    this.#times = [...this.#times.slice(-20), performance.now()];
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting !== null && !this.#may()) await this.#walk(waiting);
  }

  /** Pictures a second over the last few. */
  #rate() {
    const times = this.#times;
    if (times.length < 3 || !this.#may()) return null;
    return (1000 * (times.length - 1)) / (times.at(-1) - times[0]);
  }

  #request() {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null;
      this.show();
    });
  }

  #lettersCard() {
    this.spelling = element("input", {
      type: "text", spellcheck: "false", autocomplete: "off", maxlength: "256",
      "aria-label": "One letter for each colour, in order",
      oninput: () => this.actions.spell(this.spelling.value), onchange: () => this.actions.rest(),
    });
    const words = "A run does not know its letters. These are a guess from their number; put yours here, in the order "
      + "of the colours.";
    return element("section", { class: "card", "aria-label": "Letters", hidden: true },
      element("h2", {}, "Letters of the colours"), element("p", { class: "note" }, words), this.spelling);
  }

  #showLetters() {
    const { run, letters } = this.model;
    this.letters.hidden = !run || run.visible.kind !== "categorical";
    const shows = this.store.document.letters || letters.join("");
    if (focusNear(this.spelling) !== this.spelling && this.spelling.value !== shows) this.spelling.value = shows;
  }

  #layout() {
    const cards = [this.chains, this.features].map((panel) => panel.element);
    const panels = element("div", { class: "panels" }, cards, this.letters, this.runPanel.element);
    const below = element("div", { class: "below" }, this.unit.element, this.fill.element);
    this.uses = [this.particles.sheets, panels, below];
    return element("div", { class: "room machine" },
      element("div", { class: "stage" }, this.particles.element), panels, below);
  }
}

/** The entry of this room in the registry. */
export const machineRoom = {
  name: "machine",
  title: "Machine",
  initial: initialMachine,
  encode: encodeMachine,
  decode: decodeMachine,
  open: (context) => new MachineRoom(context),
};
