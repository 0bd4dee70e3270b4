/** Data beside fantasy particles, and the controls of the chains. */

import { NumberControl, Switch } from "./controls.js";
import { button, element, setText } from "./dom.js";
import { machineFactRow, machineShowNumber } from "./machine_numbers.js";
import { MachineSheet } from "./machine_sheet.js";
import { MACHINE_LIMITS } from "./machine_state.js";

const MACHINE_RECORDED_WORDS = "Recorded when this page was written; live chains need Python: open the page with "
  + "`halfwave explore`";

/** The stage: which machine, its data, and the particles that keep sampling. */
export class MachineParticlesPanel {
  constructor(palette, actions) {
    Object.assign(this, { palette, actions });
    const choose = () => actions.choose(this.choice.value);
    this.choice = element("select", { "aria-label": "Run", id: "machine-run", onchange: choose });
    this.words = element("span", { class: "note", id: "machine-words" });
    this.data = new MachineSheet({
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
  show({ runs, run, data, step, error, letters, rate, held, recorded }, { name }) {
    this.#showChoice(runs, run?.name ?? name);
    setText(this.notice, error ?? (recorded ? MACHINE_RECORDED_WORDS : ""));
    this.notice.classList.toggle("wrong", Boolean(error));
    setText(this.heldWords, held ? `h of unit ${held.unit} held` : "");
    if (!run) return;
    setText(this.words, machineRunWords(run));
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

  #showChoice(runs, name) {
    const names = runs ?? [name ?? "…"];
    const shows = [...names, name].join("\n");
    if (shows === this.shows) return;
    this.shows = shows;
    const options = names.includes(name) || !name ? names : [name, ...names];
    const wordsOf = (option) => option.replace(/^bundled\/(.*)$/, "$1 (bundled)");
    this.choice.replaceChildren(...options.map((option) =>
      element("option", { value: option, selected: option === name }, wordsOf(option))));
  }

  #layout() {
    const { energy, steps } = this.numbers;
    const half = (title, sheet, ...facts) => element("figure", {}, element("h2", {}, title), sheet.element,
      element("figcaption", { class: "note parameters" }, facts));
    const fact = (name, node) => element("span", {}, `${name} = `, node);
    return element("section", { class: "card particles", "aria-label": "Data and fantasy particles" },
      element("div", { class: "row which" }, element("label", {}, "Machine ", this.choice), this.words), this.notice,
      element("div", { class: "sheets" },
        half("Data", this.data, fact("mean F(v)", this.numbers["data-free-energy"])),
        half("Fantasy particles", this.particles, fact("mean F(v)", this.numbers["free-energy"]),
          fact("mean E(v, h)", energy), fact("Gibbs step", steps), fact("pictures/s", this.rate),
          this.heldWords)),
      this.shades);
  }
}

/** What the machine is, in one line. */
function machineRunWords({ visible, hidden, parameters }) {
  const sizes = visible.image ?? (visible.colours > 1 ? [visible.sites, visible.colours] : [visible.sites]);
  const sites = sizes.join(" × ");
  return `${sites} ${visible.unit} × ${hidden.size} ${hidden.unit}, ${parameters.toLocaleString("en")} parameters`;
}

/** Play, temperature, steps, start and seed. */
export class MachineChainsPanel {
  constructor(actions) {
    this.play = new Switch("Pause", "Pause or play the chains", () => actions.play(), "play");
    this.once = button("Step", "One round of Gibbs steps", () => actions.once());
    this.restart = button("Restart", "Restart the chains from the seed", () => actions.restart());
    const control = (key, name, label, low, high, step) => new NumberControl({
      label, name, low, high, step, key, limits: MACHINE_LIMITS[key],
      oninput: (value) => actions.set(key, step === 1 ? Math.round(value) : value), onrest: actions.rest,
    });
    this.controls = {
      temperature: control("temperature", "T", "temperature T", 0.2, 3, 0.01),
      steps: control("steps", "steps", "Gibbs steps for each picture", 1, 50, 1),
      rate: control("rate", "speed", "most pictures a second", 1, 20, 1),
    };
    this.starts = ["noise", "data"].map((start) =>
      new Switch(start, `Chains start from ${start}`, () => actions.set("start", start), "start"));
    this.seed = element("input", {
      type: "number", min: "0", max: String(MACHINE_LIMITS.seed[1]), step: "1", id: "machine-seed",
      "aria-label": "Seed of the chains",
      oninput: () => actions.setSeed(this.seed.value), onchange: actions.rest,
    });
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
    if (Number(this.seed.value) !== document.seed) this.seed.value = document.seed;
  }

  #layout() {
    const words = "p(v, h) ∝ exp(−E(v, h)/T): all fields, thresholds, curvatures and weights divided by T. Energies "
      + "shown are those at T = 1.";
    return element("section", { class: "card chains", "aria-label": "Chains" }, element("h2", {}, "Chains"),
      element("div", { class: "row" }, this.play.element, this.once, this.restart),
      Object.values(this.controls).map((control) => control.element),
      element("div", { class: "row" }, element("span", { class: "label" }, "start from"),
        this.starts.map((one) => one.element), element("label", { class: "seed label" }, "seed ", this.seed)),
      element("p", { class: "note" }, words));
  }
}

const MACHINE_EVALUATION_ROWS = {
  held_out_log_likelihood: ["log-likelihood, held out", "machine-held-out"],
  held_out_standard_error: ["its standard error", "machine-held-out-error"],
  train_log_likelihood: ["log-likelihood, training", "machine-train"],
  independent_held_out: ["independent units, held out", "machine-independent"],
  pseudolikelihood_held_out: ["log-pseudolikelihood a site, held out", "machine-pseudolikelihood"],
  log_partition: ["log Z", "machine-log-partition"],
};

/** What evaluation found, and how many data there are. */
export class MachineRunPanel {
  constructor() {
    this.note = element("p", { class: "note" });
    this.facts = element("dl", { class: "facts" });
    this.element = element("section", { class: "card", "aria-label": "Evaluation" },
      element("h2", {}, "Run"), this.note, this.facts);
  }

  show(run) {
    if (!run || run === this.run) return;
    this.run = run;
    const { counts, used, note } = run.data;
    const count = (number) => number.toLocaleString("en");
    const measured = counts && used < counts[0] ? `; features are measured on ${count(used)} of them` : "";
    const data = counts
      ? `${count(counts[0])} training and ${count(counts[1])} held-out samples${measured}`
      : `${note}; ${count(used)} samples of the machine stand in for them`;
    setText(this.note, `${run.source}, ${count(run.updates)} updates; ${data}.`);
    const known = Object.entries(MACHINE_EVALUATION_ROWS).filter(([key]) => typeof run.evaluation?.[key] === "number");
    this.facts.replaceChildren(...known.map(([key, [name, id]]) => {
      const { node, row } = machineFactRow(name, id);
      machineShowNumber(node, run.evaluation[key], 5);
      return row;
    }));
    const unit = known.length ? "nats a sample" : "Not evaluated yet: halfwave evaluate RUN";
    this.facts.append(element("p", { class: "note" }, unit));
  }
}
