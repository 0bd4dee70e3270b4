/** Data beside fantasy particles, and the controls of the chains. */

import { NumberBox, NumberControl, Switch } from "../basics/controls.js";
import { button, element, setSentence, setText } from "../basics/dom.js";
import { machineShowNumber } from "./numbers.js";
import { MachineSheet } from "./sheet.js";
import { MACHINE_LIMITS } from "./state.js";

const MACHINE_RECORDED_WORDS = "This file holds one picture of the chains, and the 24 most important units; live "
  + "chains need Python: open the page with `halfwave explore`.";
const MACHINE_ANEW_WORDS = "The line was lost: the chains began anew.";

/** The stage: which machine, its data, and the particles that keep sampling. */
export class MachineParticlesPanel {
  constructor(palette, actions, recorded) {
    Object.assign(this, { palette, actions, recorded });
    const choose = () => actions.choose(this.choice.value);
    this.choice = element("select", { "aria-label": "Run", id: "machine-run", onchange: choose });
    this.words = element("span", { class: "note", id: "machine-words" });
    this.data = recorded ? new MachineSheet({ label: "Data" }) : new MachineSheet({
      label: "Data; press one to clamp all of its sites below", onpick: (index) => actions.takeExample(index),
    });
    this.particles = new MachineSheet({ label: "Fantasy particles" });
    const names = ["energy", "free-energy", "data-free-energy", "steps"];
    this.numbers = Object.fromEntries(names.map((name) => [name, element("data", { id: `machine-${name}` })]));
    this.rate = element("data", { id: "machine-rate" });
    this.notice = element("p", { class: "notice", role: "status", id: "machine-notice" });
    this.heldWords = element("span", { class: "held" });
    const words = "Shades tell how far a site lies from its mean over the data: blue below, orange above, full at 3 "
      + "standard deviations.";
    this.shades = element("p", { class: "note", hidden: true }, words);
    this.element = this.#layout();
  }

  /** Show the run that is open, its data and its chains. */
  show(model) {
    const { run, data, step, error, letters, rate, held, wanted, ready } = model;
    this.#showChoice(model);
    this.#showNotice(model);
    this.notice.classList.toggle("wrong", Boolean(error));
    setText(this.heldWords, held ? `h of unit ${held.unit} held` : "");
    if (!run) return;
    setText(this.words, ready || error ? machineRunWords(run) : `opening ${machineRunName(wanted)}…`);
    const { visible } = run;
    this.shades.hidden = visible.kind !== "real";
    this.data.show(data?.pictures, visible, this.palette, letters);
    this.particles.show(step?.pictures, visible, this.palette, letters);
    machineShowNumber(this.numbers.energy, step?.energy);
    machineShowNumber(this.numbers["free-energy"], step?.free_energy);
    machineShowNumber(this.numbers["data-free-energy"], data?.free_energy);
    machineShowNumber(this.numbers.steps, step?.steps, 9);
    machineShowNumber(this.rate, rate, 2);
  }

  #showNotice({ runs, run, error, wanted, anew, ready }) {
    const name = wanted ? machineRunName(wanted) : "a machine";
    const opening = run ? "" : `opening ${name}…${runs ? "" : " the first one takes a few seconds"}`;
    const words = this.recorded ? MACHINE_RECORDED_WORDS : anew && ready ? MACHINE_ANEW_WORDS : "";
    setSentence(this.notice, error ?? (opening || words));
  }

  /** The runs that there are; a name that is none of them is not among them. */
  #showChoice({ runs, wanted, broken }) {
    const names = runs ?? [];
    const shows = [...names, wanted, ...broken.keys()].join("\n");
    if (shows === this.shows) return;
    this.shows = shows;
    const wordsOf = (name) => (broken.has(name) ? `${name} – cannot be opened` : machineRunWithOrigin(name));
    const options = names.map((name) => element("option", { value: name, selected: name === wanted }, wordsOf(name)));
    const none = element("option", { value: "", disabled: true, selected: true }, runs ? "choose one" : "…");
    this.choice.replaceChildren(...(names.includes(wanted) ? [] : [none]), ...options);
  }

  #layout() {
    const { energy, steps } = this.numbers;
    const half = (title, sheet, ...facts) => element("figure", {}, element("h2", {}, title), sheet.element,
      element("figcaption", { class: "note parameters" }, facts));
    const fact = (name, node) => element("span", {}, `${name} = `, node);
    const sheets = element("div", { class: "sheets" },
      half("Data", this.data, fact("mean F(v)", this.numbers["data-free-energy"])),
      half("Fantasy particles", this.particles, fact("mean F(v)", this.numbers["free-energy"]),
        fact("mean E(v, h)", energy), fact("Gibbs step", steps), fact("pictures/s", this.rate), this.heldWords));
    this.sheets = element("div", { class: "both" }, sheets, this.shades);
    return element("section", { class: "card particles", "aria-label": "Data and fantasy particles" },
      element("div", { class: "row which" }, element("label", {}, "Machine ", this.choice), this.words), this.notice,
      this.sheets);
  }
}

/** The name of a run as it is read. */
const machineRunName = (name) => name.replace(/^bundled\//, "");
const machineRunWithOrigin = (name) => name.replace(/^bundled\/(.*)$/, "$1 (bundled)");

/** What the machine is, in one line. */
function machineRunWords({ visible, hidden, parameters }) {
  const sizes = visible.image ?? (visible.colours > 1 ? [visible.sites, visible.colours] : [visible.sites]);
  const sites = sizes.join(" × ");
  return `${sites} ${visible.unit} × ${hidden.size} ${hidden.unit}, ${parameters.toLocaleString("en")} parameters`;
}

/** Play, temperature, steps, start and seed. */
export class MachineChainsPanel {
  constructor(actions, recorded) {
    this.play = new Switch("Pause", "Pause or play the chains", () => actions.play(), "play");
    this.once = button("Step", "One round of Gibbs steps", () => actions.once());
    this.restart = button("Restart", "Restart the chains from the seed", () => actions.restart());
    const control = (key, name, label, low, high, step) => new NumberControl({
      label, name, low, high, step, key, limits: MACHINE_LIMITS[key], whole: step === 1,
      oninput: (value) => actions.set(key, value), onrest: actions.rest,
    });
    this.controls = {
      temperature: control("temperature", "T", "temperature T", 0.2, 3, 0.01),
      steps: control("steps", "steps", "Gibbs steps for each picture", 1, 50, 1),
      rate: control("rate", "speed", "most pictures a second", 1, 20, 1),
    };
    this.starts = ["noise", "data"].map((start) =>
      new Switch(start, `Chains start from ${start}`, () => actions.set("start", start), "start"));
    this.seed = new NumberBox({
      label: "Seed of the chains", name: "seed", id: "machine-seed", step: "1", limits: MACHINE_LIMITS.seed,
      whole: true, oninput: (seed) => actions.set("seed", seed), onrest: actions.rest,
    });
    for (const control of Object.values(this.controls)) control.disable(recorded);
    for (const node of [...this.starts, this.seed]) node.element.disabled = recorded;
    this.element = this.#layout();
  }

  show(document, { playing, rate }, live) {
    this.play.show(playing);
    setText(this.play.element, playing ? "Pause" : "Play");
    for (const node of [this.play.element, this.once, this.restart]) node.disabled = !live;
    this.controls.temperature.show(document.temperature);
    this.controls.steps.show(document.steps);
    this.controls.rate.show(rate);
    ["noise", "data"].forEach((start, index) => this.starts[index].show(document.start === start));
    this.seed.show(document.seed);
  }

  #layout() {
    const words = "p(v, h) ∝ exp(−E(v, h)/T): all fields, thresholds, curvatures and weights divided by T. Energies "
      + "shown are those at T = 1.";
    return element("section", { class: "card chains", "aria-label": "Chains" }, element("h2", {}, "Chains"),
      element("div", { class: "row" }, this.play.element, this.once, this.restart),
      Object.values(this.controls).map((control) => control.element),
      element("div", { class: "row" }, element("span", { class: "label" }, "start from"),
        this.starts.map((one) => one.element), element("label", { class: "seed label" }, "seed ", this.seed.element)),
      this.seed.note,
      element("p", { class: "note" }, words));
  }
}
