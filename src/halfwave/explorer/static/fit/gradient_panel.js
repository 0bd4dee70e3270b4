/** "Watch gradient descent": its path from random terms, played beside the optimum. */

import { button, element, setAttributes, setNumber, setText } from "../basics/dom.js";
import { sumFromTerms } from "./picture.js";
import { fitSelect } from "./settings_panel.js";
import { shown } from "../plot/numerals.js";
import { Plot } from "../plot/plot.js";

const SECONDS = 9; // of the whole path at speed 1
const STEPS = { adam: 2000, lbfgs: 300 };
const OPTIMIZERS = [["adam", "Adam"], ["lbfgs", "L-BFGS"]];
const SPEEDS = [["0.25", "¼×"], ["1", "1×"], ["3", "3×"]];

/** Controls, the loss against the step, and the frame that the plot of the room shows. */
export class GradientPanel {
  #frame = null;

  constructor(bench, colours, changed) {
    Object.assign(this, { bench, descends: false, changed, path: null, at: 0, seed: 0, speed: 1, optimizer: "adam" });
    this.plot = new Plot({ label: "Loss against step", colours, scene: (pen, plot) => this.#draw(pen, plot), small: true });
    this.watch = button("Watch gradient descent", "Fit by gradient descent from random terms, and watch", () => this.#start());
    this.play = button("Pause", "Play or pause", () => this.#toggle());
    this.scrub = element("input", {
      type: "range", min: 0, step: 1, "aria-label": "Step of the gradient",
      oninput: () => this.#seek(Number(this.scrub.value)),
    });
    this.words = element("p", { class: "fit-words", role: "status" });
    this.step = element("data", { id: "fit-step" });
    this.loss = element("data", { id: "fit-path-loss" });
    this.optimum = element("data", { id: "fit-optimum-loss" });
    this.element = this.#layout();
  }

  /** What the plot of the room shows of it; null where it is closed. */
  get shown() {
    if (!this.path) return null;
    const [step, , slopes, intercepts, weights, slope, offset] = this.path.frames[this.at];
    const terms = weights.map((w, index) => ({ w, m: slopes[index], b: intercepts[index], on: true }));
    return { frame: { terms, slope, offset, leak: 0 }, optimum: this.best, name: `${this.name}, step ${step}` };
  }

  /** Another question closes the film: its points and its optimum were others. */
  show(question, terms) {
    this.watch.disabled = this.descends || !this.count;
    const key = JSON.stringify([question.source, terms]);
    this.terms = Math.max(1, terms);
    this.source = question.source;
    if (key === this.key) return;
    this.key = key;
    this.close();
  }

  close() {
    this.pause();
    this.path = null;
    this.#show();
  }

  pause() {
    cancelAnimationFrame(this.#frame);
    this.#frame = null;
    setText(this.play, "Play");
  }

  async #start() {
    const key = this.key;
    this.#showDescent(true);
    try {
      const question = { source: this.source, terms: this.terms, optimizer: this.optimizer, steps: STEPS[this.optimizer], seed: this.seed };
      const path = await this.bench.question("fit.gradient", question);
      this.#showDescent(false);
      if (key !== this.key) return;
      Object.assign(this, { path, at: 0, best: sumFromTerms(path.optimum.function), name: OPTIMIZERS.find(([name]) => name === path.optimizer)[1] });
      this.seed += 1; // the next one starts elsewhere
      this.#setWindow();
      this.#play();
    } catch (error) {
      this.#showDescent(false);
      if (key === this.key) setText(this.words, error.message);
    }
  }

  /** The button says at once that it was pressed. */
  #showDescent(descends) {
    this.descends = descends;
    this.watch.disabled = descends;
    setText(this.watch, descends ? "descending…" : this.path ? "From another start" : "Watch gradient descent");
    if (descends) setText(this.words, "following the gradient…");
  }

  #toggle() {
    if (this.#frame !== null) {
      this.pause();
      return;
    }
    if (this.at === this.path.frames.length - 1) this.at = 0;
    this.#play();
  }

  #seek(at) {
    this.pause();
    this.at = at;
    this.#show();
  }

  #play() {
    setText(this.play, "Pause");
    const perSecond = this.path.frames.length / SECONDS;
    let [before, place] = [performance.now(), this.at];
    const tick = (now) => {
      if (!this.element.isConnected || document.hidden) {
        this.pause();
        return;
      }
      place += Math.max(0, now - before) / 1000 * perSecond * this.speed;
      before = now;
      const last = this.path.frames.length - 1;
      this.at = Math.min(last, Math.floor(place));
      this.#show();
      if (this.at === last) this.pause();
      else this.#frame = requestAnimationFrame(tick);
    };
    this.#frame = requestAnimationFrame(tick);
  }

  #show() {
    this.player.hidden = !this.path;
    if (!this.descends) this.#showDescent(false);
    if (this.path) {
      const [step, loss] = this.path.frames[this.at];
      this.scrub.max = this.path.frames.length - 1;
      this.scrub.value = this.at;
      setAttributes(this.scrub, { "aria-valuetext": `step ${step}` });
      const numbers = [[this.step, step], [this.loss, loss], [this.optimum, this.path.optimum.loss]];
      for (const [node, value] of numbers) setNumber(node, value, shown(value, 4));
      const times = loss / this.path.optimum.loss;
      setText(this.words, this.path.optimum.loss > 0 ? `${shown(times, 3)} times the loss of the optimum${this.#some()}` : "");
      this.plot.draw();
    } else setText(this.words, "From random terms, step by step, beside the exact optimum.");
    this.changed();
  }

  #some() {
    return this.path.points < this.count ? `, on ${this.path.points} of the points` : "";
  }

  #setWindow() {
    const { losses: [steps, values], optimum } = this.path;
    const [low, high] = [Math.min(...values, optimum.loss), Math.max(...values)].map((value) => Math.log10(Math.max(value, 1e-300)));
    const margin = 0.12 * (high - low) || 0.5;
    const last = Math.log10(steps.at(-1) + 1);
    this.plot.window = [-0.14 * last, 1.03 * last, low - 2 * margin, high + margin];
  }

  #draw(pen, plot) {
    if (!this.path) return;
    const { derivative, sum, card, soft } = plot.colours;
    const { losses: [steps, values], optimum, frames } = this.path;
    const place = (step, loss) => plot.point([Math.log10(step + 1), Math.log10(Math.max(loss, 1e-300))]);
    const level = place(0, optimum.loss)[1];
    pen.line([[0, level], [plot.width, level]], { stroke: sum, width: 1.75, dash: [7, 4] });
    pen.line(steps.map((step, index) => place(step, values[index])), { stroke: derivative, width: 1.75 });
    pen.dot(place(...frames[this.at].slice(0, 2)), 5, { fill: derivative, stroke: card });
    pen.text(plot.width - 8, 12, "log₁₀ loss against log₁₀ step", { fill: soft, halo: card, align: "end", size: 11 });
  }

  #layout() {
    const optimizer = fitSelect("Optimizer", OPTIMIZERS, (value) => Object.assign(this, { optimizer: value }));
    const speed = fitSelect("Speed", SPEEDS, (value) => Object.assign(this, { speed: Number(value) }));
    speed.value = "1";
    const fact = (name, node) => element("span", {}, `${name} `, node);
    this.player = element("div", { class: "fit-player", hidden: true },
      element("div", { class: "row" }, this.play, speed, button("Close", "Back to the fit", () => this.close())),
      this.scrub,
      element("div", { class: "fit-facts" }, fact("step", this.step), fact("loss", this.loss), fact("optimum", this.optimum)),
      this.plot.element);
    return element("section", { class: "card fit-gradient", "aria-label": "Gradient descent" },
      element("h2", {}, "Gradient descent"), element("div", { class: "row" }, this.watch, optimizer), this.words, this.player);
  }
}
