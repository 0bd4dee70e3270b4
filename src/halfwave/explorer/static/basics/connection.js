/** The line to the library: it comes back by itself, and there is one answer for each question. */

const FIRST_WAIT = 400;
const LONGEST_WAIT = 5000;

/** A line over a websocket: a function that opens it once and returns how to send. */
export function socketLine(address) {
  return ({ opened, received, lost }) => {
    const socket = new WebSocket(address);
    socket.onopen = opened;
    socket.onmessage = (event) => received(event.data);
    socket.onclose = lost;
    return (text) => socket.send(text);
  };
}

/**
 * Questions to Python. Its `state` is "none" (a page from disk), "opening", "open" or "lost". Without a line, only
 * what was recorded when the page was written can be answered: [kind, payload, answer] each.
 */
export class Connection {
  #send = null;
  #waiting = new Map();
  #next = 1;
  #wait = FIRST_WAIT;
  #listeners = new Set();
  #recorded = new Map();
  #early = [];

  constructor(line, recorded = []) {
    this.state = line ? "opening" : "none";
    this.line = line;
    for (const [kind, payload, answer] of recorded) this.#recorded.set(questionKey(kind, payload), answer);
    if (line) this.#open();
  }

  /** Call the listener whenever the state changes. */
  subscribe(listener) {
    this.#listeners.add(listener);
  }

  /** The payload of the answer; fails with one sentence, and perhaps a `place` in what was asked. */
  ask(kind, payload) {
    if (this.state === "none") {
      const answer = this.#recorded.get(questionKey(kind, payload));
      if (answer !== undefined) return Promise.resolve(answer);
    }
    if (this.state !== "open" && this.state !== "opening") return Promise.reject(this.#unheard());
    const id = this.#next++;
    const answered = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    const text = JSON.stringify({ id, kind, payload });
    // the first questions are asked before the line is there
    if (this.state === "opening") this.#early.push(text);
    else this.#send(text);
    return answered;
  }

  /** Why nothing can be asked just now. */
  whyNot() {
    return this.state === "none"
      ? "this needs Python: open the page with `halfwave explore`"
      : "Python does not answer just now; the page keeps trying";
  }

  /** The error of a question that did not reach Python, and may be asked again. */
  #unheard() {
    return Object.assign(new Error(this.whyNot()), { unheard: this.state !== "none" });
  }

  #open() {
    this.#send = this.line({
      opened: () => {
        this.#wait = FIRST_WAIT;
        for (const text of this.#early.splice(0)) this.#send(text);
        this.#become("open");
      },
      received: (text) => this.#receive(JSON.parse(text)),
      lost: () => this.#lose(),
    });
  }

  #receive(reply) {
    const question = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (!question) return;
    if (reply.error === undefined) question.resolve(reply.payload);
    else question.reject(Object.assign(new Error(reply.error), { place: reply.place }));
  }

  #lose() {
    this.#early = [];
    this.#become("lost");
    for (const question of this.#waiting.values()) question.reject(this.#unheard());
    this.#waiting.clear();
    setTimeout(() => this.#open(), this.#wait);
    this.#wait = Math.min(2 * this.#wait, LONGEST_WAIT);
  }

  #become(state) {
    this.state = state;
    for (const listener of this.#listeners) listener();
  }
}

/** A question as text, the same for every order of its keys. */
function questionKey(kind, payload) {
  const sorted = (key, value) =>
    value && typeof value === "object" && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value;
  return `${kind} ${JSON.stringify(payload, sorted)}`;
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
      if (!error.unheard) this.#answered = text;
      this.onAnswer(null, error);
    }
    this.#busy = false;
    if (this.connection.state === "open" || this.connection.state === "none") this.#send();
  }
}
