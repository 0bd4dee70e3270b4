/** What the room "Fit" knows from Python: data, fit, intervals and criteria, each for the newest question. */

import { dataOfSource, fitQuestion } from "./state.js";
import { FitTurns, afterNextFrame } from "./turns.js";

const FIT_REST = 200; // milliseconds after a fit, before its intervals are asked for
const FIT_LOOK_AGAIN = 80;
const FIT_PATIENCE = 60000; // what an exported page's recorded questions say; see fit_answers.py
const LARGE_FIT_TEXT = 200000; // characters, which take longer than a frame to send

const FIT_UNKNOWN = { data: null, fit: null, details: null, table: null, fitted: null, columns: null };

/** Asks what must be asked; `changed()` is called after every answer. */
export class FitBench {
  #texts = new Map(); // pasted tables by their key: after a lost connection they are sent again
  #sent = new Set();
  #detailsOf = null;
  #asked = null;

  constructor(connection, changed) {
    Object.assign(this, { connection, changed, sets: [], files: [], ...FIT_UNKNOWN, reading: null, stopped: null });
    // when the fit that runs was asked for; which one
    Object.assign(this, { since: null, running: null, turns: new FitTurns(connection) });
    this.#prepare();
  }

  /** Ask Python about the data of now. */
  question(kind, payload) {
    return this.turns.ask(kind, payload);
  }

  /** Ask for what this document needs. */
  ask(document, held) {
    const { source } = document;
    if (this.connection.state === "opening") return;
    if (!this.opened) this.#open();
    this.#turnTo(source);
    if (source.lost || source.drawn || source.points?.length === 0) {
      Object.assign(this, FIT_UNKNOWN, { error: null, dataError: null });
      this.#asked = null;
      return;
    }
    if (this.reading) return;
    if (source.text && !this.#sent.has(source.text)) {
      this.#send(source.text);
      return;
    }
    const question = fitQuestion(document, held);
    const asked = JSON.stringify(question);
    if (this.stopped === asked) return;
    if (asked !== this.#asked && !held) this.error = null;
    Object.assign(this, { stopped: null, held });
    this.#asked = asked;
    this.dataAsked = JSON.stringify(question.source);
    // what is shown already is not asked again, unless something else is on its way
    if (this.dataAsked !== this.dataShown || this.dataRunning !== this.dataShown) this.latestData.ask({ source: question.source });
    if (asked !== this.fitted || this.since !== null) this.latestFit.ask(question);
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

  /** Have Python read a table: its key, and what fit.data tells of it. */
  async read(text, name) {
    const reading = this.begin(name, text.length);
    const given = new Promise((_, reject) => {
      reading.giveUp = () => reject(new Error("cancelled"));
    });
    const unlessGivenUp = (answer) => Promise.race([given, answer]);
    try {
      if (reading.large) await unlessGivenUp(afterNextFrame());
      const { key } = await unlessGivenUp(this.question("fit.read", { text }));
      const data = await unlessGivenUp(this.question("fit.data", { source: { text: key } }));
      this.#texts.clear();
      this.#texts.set(key, text);
      this.#sent.add(key);
      return { key, data };
    } finally {
      if (this.reading === reading) this.reading = null;
    }
  }

  /** A table of this name is on its way: what runs is of no use any more. */
  begin(name, size) {
    this.#leave();
    this.reading = { name, large: size > LARGE_FIT_TEXT };
    this.since = performance.now();
    this.changed();
    return this.reading;
  }

  /** End everything that was asked, whether it runs or waits. */
  cancel() {
    const wasReading = this.reading;
    this.#leave();
    // a table that does not come leaves the data as they were
    if (!wasReading) Object.assign(this, { stopped: this.#asked, error: new Error("cancelled"), fit: null, fitted: null, details: null });
    this.changed();
  }

  /** Ask the same once more, after it was cancelled. */
  again() {
    Object.assign(this, { stopped: null, error: null });
    this.changed();
  }

  /** Whether what is shown answers what was asked last. */
  get isCurrent() {
    return this.#asked !== null && this.#asked === this.fitted && this.dataAsked === this.dataShown;
  }

  /** Whether a fit is still to come: neither is there trouble, nor was it cancelled. */
  get isComing() {
    return this.#asked !== null && !this.error && !this.dataError && !this.stopped && this.connection.state !== "none";
  }

  /** Other data: nothing of the ones before stays, and nothing waits for them. */
  #turnTo(source) {
    const data = dataOfSource(source);
    if (data === this.dataOf) return;
    if (this.dataOf !== undefined) this.#leave();
    // the lists of columns stay while others of the same table are on their way
    const table = source.file ?? source.text;
    const columns = table && table === this.tableOf ? this.data?.columns ?? this.columns : null;
    Object.assign(this, FIT_UNKNOWN, { dataShown: null, dataOf: data, tableOf: table, columns, error: null, dataError: null, stopped: null });
  }

  #leave() {
    this.reading?.giveUp?.();
    this.turns.leave();
    this.#detailsOf = null;
    Object.assign(this, { since: null, reading: null });
    this.#prepare();
  }

  #prepare() {
    const data = (kind, payload) => {
      this.dataRunning = JSON.stringify(payload.source);
      return this.question(kind, payload);
    };
    this.latestData = this.turns.latest("fit.data", data, (answer, error) => this.#receiveData(answer, error));
    this.latestFit = this.turns.latest("fit.fit", (...asked) => this.#watch(...asked), (answer, error) => this.#receiveFit(answer, error));
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

  async #watch(kind, payload) {
    const turn = this.turns.now;
    this.running = JSON.stringify(payload);
    this.since = performance.now();
    this.changed();
    try {
      return await this.question(kind, payload);
    } finally {
      if (turn === this.turns.now) this.since = null;
    }
  }

  #receiveData(answer, error) {
    if (answer) this.data = { ...answer, points: answer.x.map((x, index) => [x, answer.y[index]]) };
    else if (this.connection.state !== "lost") Object.assign(this, FIT_UNKNOWN, { columns: this.columns });
    this.dataShown = answer ? this.dataRunning : null;
    this.dataError = error;
    if (error) this.#askColumns(JSON.parse(this.dataRunning));
    this.changed();
  }

  /** Which columns there are to choose from, where those that were chosen do not do. */
  async #askColumns(source) {
    if (!source.file && !source.text) return;
    const turn = this.turns.now;
    try {
      const { columns } = await this.question("fit.columns", { source });
      if (turn === this.turns.now && !this.data) this.columns = columns;
    } catch {
      return; // no table at all, as the page says already
    }
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
      Object.assign(this, { fit: null, fitted: null, details: null });
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
