/** The state of the page with undo and redo. */

const MOST_STEPS = 200;
const KEY_PAUSE = 700; // milliseconds

/**
 * A state is { document, looks }: the document is what undo brings back, looks (window, selection) are not.
 * Both are replaced, never changed in place.
 */
export class Store {
  #listeners = new Set();
  #past = [];
  #future = [];
  #gesture = null;
  #pause = null;

  constructor(document, looks) {
    this.document = document;
    this.looks = looks;
  }

  /** Call the listener after every change. */
  subscribe(listener) {
    this.#listeners.add(listener);
  }

  /**
   * Change the document. Changes with the same gesture name, until `rest`, are one step of undo: a whole drag.
   */
  change(patch, gesture = null) {
    if (gesture === null || gesture !== this.#gesture) {
      this.#past = [...this.#past.slice(1 - MOST_STEPS), this.document];
      this.#future = [];
    }
    this.#gesture = gesture;
    this.document = { ...this.document, ...patch };
    this.#tell();
  }

  /** The gesture is over: the next change is a step of its own. */
  rest() {
    clearTimeout(this.#pause);
    this.#gesture = null;
  }

  /** The same after a pause without another key: keys that follow each other closely are one step. */
  restLater(rest = () => this.rest()) {
    clearTimeout(this.#pause);
    this.#pause = setTimeout(rest, KEY_PAUSE);
  }

  /** Change window or selection, which is no step of undo. */
  look(patch) {
    this.looks = { ...this.looks, ...patch };
    this.#tell();
  }

  /** Take another state whole, as one step. */
  replace(document, looks) {
    this.looks = looks;
    this.change(document);
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  undo() {
    this.#travel(this.#past, this.#future);
  }

  redo() {
    this.#travel(this.#future, this.#past);
  }

  #travel(from, to) {
    if (!from.length) return;
    to.push(this.document);
    this.document = from.pop();
    this.#gesture = null;
    this.#tell();
  }

  #tell() {
    for (const listener of this.#listeners) listener();
  }
}
