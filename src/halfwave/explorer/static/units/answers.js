/** What Python says about the unit: its density and transfer curve, and samples that go on being drawn. */

import { Latest } from "../basics/connection.js";
import { UNIT_PARAMETERS } from "./state.js";

const FIRST_UNIT_SAMPLES = 1000;
const RECORDED_UNIT_SAMPLES = 5000;
const MOST_UNIT_SAMPLES_AT_ONCE = 20000;
const MOST_UNIT_SAMPLES = 5e6; // more would move no pixel
const UNIT_QUIET = 120; // milliseconds without a change, after which more samples are asked for
const UNIT_APART = 60; // milliseconds between two questions for samples

const unitAsked = (document, names) => Object.fromEntries(names.map((name) => [name, document[name]]));

/** Which distribution it is, whatever part of it is looked at. */
const unitDistributionOf = (asked) => [...UNIT_PARAMETERS, "temperature", "input"].map((name) => asked[name]).join();

/**
 * Asks about the unit whenever it changes. `density` and `transfer` are { answer, asked } or null, `samples` the
 * histogram so far, `error` why there is nothing new; `onNews()` is called when any of them changes.
 */
export class UnitAnswers {
  #timer = null;
  #awake = false;
  #drawing = false;

  constructor(connection, onNews) {
    Object.assign(this, { connection, onNews, paused: false });
    Object.assign(this, { density: null, transfer: null, samples: null, error: null });
    // answers come with their question: by the time they are here, the page may be further on
    const line = {
      get state() {
        return connection.state;
      },
      ask: async (kind, asked) => ({ answer: await connection.ask(kind, asked), asked }),
    };
    this.latest = {
      density: new Latest(line, "units.density", (news, error) => this.#receive("density", news, error)),
      transfer: new Latest(line, "units.transfer", (news, error) => this.#receive("transfer", news, error)),
    };
  }

  /** Ask about this unit in these windows; null leaves the choice of a window to Python. */
  ask(document, { values, transfer }) {
    const recorded = this.connection.state === "none";
    const unit = unitAsked(document, [...UNIT_PARAMETERS, "temperature"]);
    // the first answer of all is the one that is looked at first
    const samples = recorded ? RECORDED_UNIT_SAMPLES : FIRST_UNIT_SAMPLES;
    this.latest.density.ask({ ...unit, input: document.input, window: recorded ? null : values, samples });
    this.latest.transfer.ask({ ...unit, window: recorded ? null : transfer });
  }

  /** The line is another one now: what it answered has to be asked again. */
  forget() {
    this.latest.density.forget();
    this.latest.transfer.forget();
  }

  /** Draw samples, or stop; a hidden page draws none. */
  wake(awake) {
    this.#awake = awake;
    this.#later(UNIT_APART);
  }

  pause(paused) {
    this.paused = paused;
    this.#later(UNIT_APART);
    this.onNews();
  }

  #receive(name, news, error) {
    this.error = error?.message ?? null;
    this[name] = news ?? (this.connection.state === "none" ? null : this[name]);
    if (name === "density") {
      this.#restart();
      this.#later(UNIT_QUIET);
    }
    this.onNews();
  }

  /** Another distribution begins with the samples that came with its density. */
  #restart() {
    if (!this.density) {
      this.samples = null;
      return;
    }
    const { answer, asked } = this.density;
    const distribution = unitDistributionOf(asked);
    if (this.samples?.distribution === distribution) return;
    this.samples = { distribution, asked, bins: answer.bins, counts: answer.counts, count: asked.samples };
  }

  #later(wait) {
    clearTimeout(this.#timer);
    if (this.#wanted()) this.#timer = setTimeout(() => this.#draw(), wait);
  }

  #wanted() {
    const going = this.#awake && !this.paused && !document.hidden && this.connection.state === "open";
    return going && this.samples !== null && this.samples.count < MOST_UNIT_SAMPLES;
  }

  /** Ask for as many samples as there are already, so that the histogram settles at an even pace. */
  async #draw() {
    if (!this.#wanted() || this.#drawing) return;
    const { distribution, asked, count } = this.samples;
    const samples = Math.min(count, MOST_UNIT_SAMPLES_AT_ONCE);
    this.#drawing = true;
    try {
      const { counts } = await this.connection.ask("units.sample", { ...asked, samples });
      const now = this.samples;
      if (now?.distribution === distribution) {
        this.samples = { ...now, counts: now.counts.map((old, bin) => old + counts[bin]), count: now.count + samples };
        this.onNews();
      }
      this.#drawing = false;
      this.#later(UNIT_APART);
    } catch {
      // the line is down: samples go on when the density has been asked for anew
      this.#drawing = false;
    }
  }
}
