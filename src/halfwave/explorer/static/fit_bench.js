/** What the room "Fit" knows from Python: data, fit, intervals and criteria, each for the newest question. */

import { Latest } from "./connection.js";

const FIT_REST = 200; // milliseconds after a fit, before its intervals are asked for
const FIT_LOOK_AGAIN = 80;
const FIT_PATIENCE = 60000; // what an exported page's recorded questions say; see fit_answers.py

/** The settings of a document as Python takes them; while kinks are held by hand, all of them are fixed. */
export function fitQuestion(document, held) {
  const { source, kinks, criterion, loss, quantile, correct, pins } = document;
  const rest = { source: bareSource(source), criterion, loss, quantile, correct };
  return held ? { ...rest, kinks: held.length, fixed: held } : { ...rest, kinks, fixed: pins };
}

const bareSource = ({ set, file, text, points, x, y }) =>
  set ? { set } : points ? { points } : { ...(file ? { file } : { text }), ...(x ? { x } : {}), ...(y ? { y } : {}) };

/** Asks what must be asked; `changed()` is called after every answer. */
export class FitBench {
  #texts = new Map(); // pasted tables by their key: after a lost connection they are sent again
  #sent = new Set();
  #detailsOf = null;
  #asked = null;

  constructor(connection, changed) {
    Object.assign(this, { connection, changed, sets: [], files: [], data: null, fit: null, details: null, table: null });
    // when the fit that runs was asked for; which one; which one is shown
    Object.assign(this, { since: null, running: null, fitted: null });
    const watched = (watch) => ({
      get state() {
        return connection.state;
      },
      ask: (kind, payload) => watch(payload, connection.ask(kind, payload)),
    });
    const noted = (payload, answer) => {
      this.dataRunning = JSON.stringify(payload.source);
      return answer;
    };
    this.latestData = new Latest(watched(noted), "fit.data", (answer, error) => this.#receiveData(answer, error));
    this.latestFit = new Latest(watched((...asked) => this.#watch(...asked)), "fit.fit", (answer, error) => this.#receiveFit(answer, error));
  }

  /** Ask for what this document needs. */
  ask(document, held) {
    this.document = document;
    const { source } = document;
    if (this.connection.state === "opening") return;
    if (!this.opened) this.#open();
    if (source.points?.length === 0) {
      Object.assign(this, { data: null, fit: null, details: null, table: null, error: null, dataError: null });
      return;
    }
    if (source.text && !this.#sent.has(source.text)) {
      this.#send(source.text);
      return;
    }
    const question = fitQuestion(document, held);
    this.held = held;
    this.latestData.ask({ source: question.source });
    this.dataAsked = JSON.stringify(question.source);
    this.latestFit.ask(question);
    this.#asked = JSON.stringify(question);
    const choice = JSON.stringify({ ...question, kinks: "auto" });
    if (!held && choice !== this.choice) Object.assign(this, { choice, table: null });
    if (!held && this.#asked === this.fitted) this.#askDetails(question);
  }

  /** The page has another connection, or none: nothing that was sent is there any more. */
  forget() {
    this.#sent.clear();
    this.opened = false;
    this.latestData.forget();
    this.latestFit.forget();
    this.#detailsOf = null;
  }

  /** Have Python read a table; its key. */
  async read(text) {
    const { key, columns } = await this.connection.ask("fit.read", { text });
    this.#texts.clear();
    this.#texts.set(key, text);
    this.#sent.add(key);
    return { key, columns };
  }

  /** End the fit that runs. */
  cancel() {
    this.connection.ask("fit.cancel", {}).catch(() => {});
    this.#detailsOf = null;
  }

  /** Ask the same once more, after it was cancelled. */
  again() {
    this.latestFit.forget();
    this.changed();
  }

  /** Whether what is shown answers what was asked last. */
  get isCurrent() {
    return this.#asked !== null && this.#asked === this.fitted && this.dataAsked === this.dataShown;
  }

  async #open() {
    this.opened = true;
    try {
      Object.assign(this, await this.connection.ask("fit.open", {}));
    } catch {
      this.opened = false;
    }
    this.changed();
  }

  async #send(key) {
    const text = this.#texts.get(key);
    if (text === undefined) {
      this.dataError = new Error("the pasted table is no longer here; paste it again");
      return;
    }
    this.#sent.add(key);
    try {
      await this.connection.ask("fit.read", { text });
    } catch (error) {
      this.#sent.delete(key);
      this.dataError = error;
      return;
    }
    this.changed();
  }

  async #watch(payload, answer) {
    this.running = JSON.stringify(payload);
    this.since = performance.now();
    this.changed();
    try {
      return await answer;
    } finally {
      this.since = null;
    }
  }

  #receiveData(answer, error) {
    if (answer) this.data = { ...answer, points: answer.x.map((x, index) => [x, answer.y[index]]) };
    else if (this.connection.state !== "lost") this.data = null;
    this.dataShown = this.dataRunning;
    this.dataError = error;
    this.changed();
  }

  #receiveFit(answer, error) {
    this.error = error;
    if (answer) {
      this.fit = answer;
      this.fitted = this.running;
      if (answer.table) this.table = answer.table;
    } else if (!this.held && this.connection.state !== "lost") {
      // a kink that is held may pass where no fit is possible: the one before stays
      Object.assign(this, { fit: null, fitted: null });
    }
    this.changed();
  }

  /** Intervals and criteria of the fit that rests; asked again until they are there. */
  async #askDetails(question) {
    const text = JSON.stringify(question);
    if (text === this.#detailsOf) return;
    this.#detailsOf = text;
    this.details = null;
    const alone = this.connection.state === "none";
    for (let wait = alone ? 0 : FIT_REST; ; wait = FIT_LOOK_AGAIN) {
      await new Promise((resolve) => setTimeout(resolve, wait));
      if (text !== this.#detailsOf) return;
      if (text !== this.#asked) {
        this.#detailsOf = null;
        return;
      }
      let answer;
      try {
        answer = await this.connection.ask("fit.details", alone ? { ...question, patience: FIT_PATIENCE } : question);
      } catch (error) {
        answer = { intervals: null, error };
      }
      if (text !== this.#detailsOf || answer.pending) continue;
      this.details = answer;
      if (answer.table) Object.assign(this, { table: answer.table, chosen: answer.chosen });
      this.changed();
      return;
    }
  }
}
