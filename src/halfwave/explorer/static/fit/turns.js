/** Turns of the room "Fit": questions about other data, or after a cancel, do not wait for those before. */

import { Latest } from "../basics/connection.js";

/** When what has changed is on the screen. */
export function afterNextFrame() {
  return new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
}

/** Asks with the number of the turn; a turn that is left is over here and in Python, whatever still waits there. */
export class FitTurns {
  #pending = 0;

  constructor(connection) {
    Object.assign(this, { connection, now: 1 });
  }

  /** Whether an answer of this turn is still to come. */
  get isBusy() {
    return this.#pending > 0;
  }

  /** Ask Python in this turn. */
  async ask(kind, payload) {
    const turn = this.now;
    this.#pending += 1;
    try {
      // questions that were recorded know of no turns
      return await this.connection.ask(kind, this.connection.state === "none" ? payload : { ...payload, turn });
    } finally {
      if (turn === this.now) this.#pending -= 1;
    }
  }

  /** The newest question of a kind, in this turn only; `send(kind, payload)` asks it. */
  latest(kind, send, receive) {
    const turn = this.now;
    const { connection } = this;
    const line = {
      get state() {
        return connection.state;
      },
      ask: (...asked) => (turn === this.now ? send(...asked) : Promise.reject(new Error("cancelled"))),
    };
    return new Latest(line, kind, (answer, error) => {
      if (turn === this.now) receive(answer, error);
    });
  }

  /** Begin another turn; in Python, end what is left of this one. */
  leave() {
    if (this.isBusy) this.connection.ask("fit.cancel", { turn: this.now }).catch(() => {});
    this.now += 1;
    this.#pending = 0;
  }
}
