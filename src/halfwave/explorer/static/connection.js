/** The line to the library: a websocket that comes back by itself, and one answer for each question. */

const FIRST_WAIT = 400;
const LONGEST_WAIT = 5000;

/** Questions to Python. Its `state` is "none" (a page from disk), "opening", "open" or "lost". */
export class Connection {
  #socket = null;
  #waiting = new Map();
  #next = 1;
  #wait = FIRST_WAIT;
  #listeners = new Set();

  constructor(address) {
    this.state = address ? "opening" : "none";
    this.address = address;
    if (address) this.#open();
  }

  /** Call the listener whenever the state changes. */
  subscribe(listener) {
    this.#listeners.add(listener);
  }

  /** The payload of the answer; fails with one sentence, and perhaps a `place` in what was asked. */
  ask(kind, payload) {
    if (this.state !== "open") return Promise.reject(new Error(this.whyNot()));
    const id = this.#next++;
    this.#socket.send(JSON.stringify({ id, kind, payload }));
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  /** Why nothing can be asked just now. */
  whyNot() {
    return this.state === "none"
      ? "this needs Python: open the page with `halfwave explore`"
      : "Python does not answer just now; the page keeps trying";
  }

  #open() {
    this.#socket = new WebSocket(this.address);
    this.#socket.onopen = () => {
      this.#wait = FIRST_WAIT;
      this.#become("open");
    };
    this.#socket.onmessage = (event) => this.#receive(JSON.parse(event.data));
    this.#socket.onclose = () => this.#lose();
  }

  #receive(reply) {
    const question = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (!question) return;
    if (reply.error === undefined) question.resolve(reply.payload);
    else question.reject(Object.assign(new Error(reply.error), { place: reply.place }));
  }

  #lose() {
    this.#become("lost");
    for (const question of this.#waiting.values()) question.reject(new Error(this.whyNot()));
    this.#waiting.clear();
    setTimeout(() => this.#open(), this.#wait);
    this.#wait = Math.min(2 * this.#wait, LONGEST_WAIT);
  }

  #become(state) {
    this.state = state;
    for (const listener of this.#listeners) listener();
  }
}

/**
 * Asks a question again whenever it changes, but never a second one before the first is answered: while a
 * slider moves, only the newest question waits.
 */
export class Latest {
  #busy = false;
  #newest = null;
  #answered = null;

  constructor(connection, kind, onAnswer) {
    this.connection = connection;
    this.kind = kind;
    this.onAnswer = onAnswer;
  }

  /** Ask this; the answer goes to `onAnswer(payload, error)`. */
  ask(payload) {
    this.#newest = payload;
    if (!this.#busy) this.#send();
  }

  /** The last answer belongs to a connection that is gone. */
  forget() {
    this.#answered = null;
  }

  async #send() {
    const text = JSON.stringify(this.#newest);
    if (text === this.#answered) return;
    this.#busy = true;
    try {
      const payload = await this.connection.ask(this.kind, JSON.parse(text));
      this.#answered = text;
      this.onAnswer(payload, null);
    } catch (error) {
      // the same question would fail again, unless it was the line that failed
      if (this.connection.state === "open") this.#answered = text;
      this.onAnswer(null, error);
    }
    this.#busy = false;
    if (this.connection.state === "open") this.#send();
  }
}
