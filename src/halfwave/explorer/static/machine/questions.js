/** What the room "Machine" asks of Python, and the answers as the room shows them. */

import { Latest } from "../basics/connection.js";
import { machineLettersOf } from "./palette.js";
import { MACHINE_SHEET_COUNT, machineClampsFor } from "./state.js";

const MACHINE_RECORDED_STEPS = 500; // what a page without Python can show of the chains

/** Asks for what the document needs; `changed()` is called after every answer. */
export class MachineQuestions {
  constructor(connection, store, changed) {
    Object.assign(this, { connection, store, changed, model: { letters: [], broken: new Map() } });
    // an error comes with its question: by then, another run may be wanted
    const line = {
      get state() {
        return connection.state;
      },
      ask: (kind, asked) => connection.ask(kind, asked).catch((error) => {
        throw Object.assign(error, { asked });
      }),
    };
    const asks = (kind, take) => new Latest(line, `machine.${kind}`, (answer, error) => {
      take(answer, error);
      changed();
    });
    this.latest = {
      list: asks("list", (answer, error) => this.#take("runs", answer?.runs ?? null, error, "error")),
      open: asks("open", (answer, error) => this.#opened(answer, error)),
      data: asks("data", (answer, error) => this.#take("data", answer, error, "error")),
      unit: asks("unit", (answer, error) => this.#take("unit", answer, error, "unitError")),
      move: asks("move", (answer, error) => this.#take("move", answer, error, "moveError")),
    };
  }

  /** The connection is another one: everything must be asked anew. */
  forget() {
    for (const latest of Object.values(this.latest)) latest.forget();
  }

  /** Ask for all that stands still; what has been answered is not asked again. */
  ask() {
    const { model, latest, connection } = this;
    const { document, looks } = this.store;
    if (connection.state === "lost") model.error = connection.whyNot();
    // a question that cannot be sent would be asked again in every frame
    if (connection.state !== "open" && connection.state !== "none") return;
    latest.list.ask({});
    const name = document.name ?? this.#firstSound();
    if (name !== model.wanted) Object.assign(model, { wanted: name, error: model.broken.get(name) ?? null });
    if (!name) return;
    latest.open.ask({ name });
    if (!this.ready) return;
    const { run } = model;
    model.letters = machineLettersOf(document.letters, run.visible.colours);
    latest.data.ask({ name, seed: document.seed, count: MACHINE_SHEET_COUNT });
    const rank = this.rank;
    latest.unit.ask({ name, rank });
    if (this.unit || looks.value === null) latest.move.ask({ name, rank, value: this.value });
  }

  /** Whether the machine that is wanted is there. */
  get ready() {
    const { run, wanted } = this.model;
    return Boolean(run) && run.name === wanted;
  }

  /** The first run that has not turned out to be broken. */
  #firstSound() {
    const { runs, broken } = this.model;
    return runs?.find((name) => !broken.has(name)) ?? runs?.[0];
  }

  /** The rank of the chosen unit; the first one where none is chosen. */
  get rank() {
    return Math.max(0, this.model.run.order.indexOf(this.store.looks.unit));
  }

  /** What Python said of the chosen unit, or null as long as it has not. */
  get unit() {
    const { unit } = this.model;
    return unit?.rank === this.rank ? unit : null;
  }

  /** Where the chosen unit has been moved, within what it can be; null at its mean. */
  get value() {
    const { value } = this.store.looks;
    const { unit } = this;
    if (!unit || value === null) return null;
    const [low, high] = unit.range;
    if (unit.discrete) return 2 * value > low + high ? high : low;
    return Math.min(Math.max(value, low), high);
  }

  /** Move the chains by some steps, and those that fill in. */
  async walk(steps) {
    const { model, connection } = this;
    const { document } = this.store;
    const { run } = model;
    if (!this.ready) return;
    const { temperature, seed } = document;
    const alone = connection.state === "none";
    const question = {
      name: run.name, seed, count: MACHINE_SHEET_COUNT, start: document.start, round: this.store.looks.round,
      temperature, steps: alone ? MACHINE_RECORDED_STEPS : steps, held: this.held,
    };
    const filling = { name: run.name, seed, temperature, steps, clamped: machineClampsFor(document, run.visible) };
    await Promise.all([
      this.#answer("step", question, "error"),
      this.#answer("fill", filling, "fillError"),
    ]);
    this.changed();
  }

  /** The unit that is held at a value in the chains, or null. */
  get held() {
    const { value, rank } = this;
    return this.store.document.held && value !== null ? { rank, value } : null;
  }

  async #answer(key, question, errorKey) {
    const { model } = this;
    const { run } = model;
    try {
      const answer = await this.connection.ask(`machine.${key}`, question);
      // another run may have been opened meanwhile
      if (model.run === run) Object.assign(model, { [key]: answer, [errorKey]: null });
    } catch (error) {
      model[errorKey] = error.message;
    }
  }

  #opened(answer, error) {
    const { model } = this;
    if (error) {
      this.#failed(error);
      return;
    }
    // a late answer may be about a run that is no longer wanted
    if (answer.name !== model.wanted) return;
    const other = model.run?.name !== answer.name;
    if (other) Object.assign(model, { data: null, step: null, fill: null, unit: null, move: null });
    model.broken.delete(answer.name);
    Object.assign(model, { run: answer, error: null, unitError: null, moveError: null, fillError: null });
  }

  #failed({ unheard, asked, message }) {
    const { model } = this;
    // what was open stays in sight where it was the line that failed
    if (!unheard) model.broken.set(asked.name, message);
    if (asked.name !== model.wanted) return;
    if (!unheard) Object.assign(model, { run: null, step: null, fill: null, data: null });
    model.error = message;
  }

  #take(key, answer, error, errorKey) {
    const { model } = this;
    // a late answer may be about the run that was open before
    if (answer?.name && answer.name !== model.run?.name) return;
    if (answer !== null) model[key] = answer;
    model[errorKey] = error ? error.message : key === "runs" ? model[errorKey] : null;
  }
}
