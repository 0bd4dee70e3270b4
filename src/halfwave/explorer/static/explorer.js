/**
 * The explorer: rooms in which rectified units are taken in hand. `mount` puts it into an element of any page.
 *
 * A room is { name, title, initial(), encode(document, looks), decode(text), open(context) }; what it opens has an
 * `element`, a `plot` to save, `show()`, which is called once a frame after the store has changed, and perhaps
 * `enter()` and `leave()`.
 */

import { Colours } from "./plot/colours.js";
import { button, copyText, download, element, setText } from "./basics/dom.js";
import { unreadEntries } from "./basics/links.js";
import { Store } from "./basics/store.js";

const SETTLED = 250; // milliseconds without a change, after which the address follows

const THEMES = ["auto", "light", "dark"];
const STATES = { none: "without Python", opening: "calling Python…", open: "with Python", lost: "Python is away" };

/** The room that an address names, and the text of its state; null where it names no state. */
function readAddress(rooms) {
  const [name, text = null] = location.hash.slice(1).split("?");
  return { entry: rooms.find((candidate) => candidate.name === name) ?? rooms[0], text };
}

/** The explorer with its bar of buttons, in this element. */
class Explorer {
  #frame = null;
  #settling = null;
  #open = new Map();

  constructor(home, { rooms, connection, address, documents = {} }) {
    Object.assign(this, { home, rooms, connection, hasAddress: address, documents });
    home.classList.add("explorer");
    this.#setTheme("auto");
    this.colours = new Colours(home);
    this.main = element("main");
    this.notice = element("p", { class: "link-notice", role: "status", hidden: true });
    home.replaceChildren(this.#bar(), this.notice, this.main);
    const { entry, text } = address ? readAddress(rooms) : { entry: rooms[0], text: null };
    this.#enter(entry, text);
    this.#listen();
  }

  get store() {
    return this.current.store;
  }

  /** Go to a room; with the text of a state, to that state. A room that is open keeps the state it has. */
  #enter(entry, text) {
    const before = this.current;
    const known = this.#open.get(entry.name);
    const state = text === null ? null : entry.decode(text);
    this.current = known ?? this.#openRoom(entry, state ?? { ...entry.initial(), ...this.documents[entry.name] });
    if (known && state) known.store.replace(state.document, state.looks);
    this.#judgeLink(entry, text, state);
    if (before && before !== this.current) {
      before.room.leave?.();
      before.room.element.hidden = true;
    }
    this.current.room.element.hidden = false;
    for (const [name, tab] of this.tabs) tab.setAttribute("aria-current", name === entry.name ? "page" : "false");
    if (before !== this.current) this.current.room.enter?.();
    this.#show();
  }

  /** Say what of a link was not understood: another picture than the one that was meant would be believed. */
  #judgeLink(entry, text, state) {
    const unread = state ? unreadEntries(text, entry.encode(state.document, state.looks)).slice(0, 5) : [];
    setText(this.notice, unread.length ? `Not everything in this link could be read: see ${unread.join(", ")}` : "");
    this.notice.hidden = !unread.length;
    this.judged = this.store.document;
  }

  #openRoom(entry, { document, looks }) {
    const store = new Store(document, looks);
    const { connection, colours } = this;
    const opened = { entry, store, room: entry.open({ store, connection, colours }) };
    store.subscribe(() => this.#request());
    this.#open.set(entry.name, opened);
    this.main.append(opened.room.element);
    return opened;
  }

  #bar() {
    const go = (entry) => () => {
      if (entry === this.current.entry) return;
      this.#enter(entry, null);
      if (this.hasAddress) history.pushState(null, "", `#${this.#address()}`);
    };
    this.tabs = new Map(this.rooms.map((entry) => [entry.name,
      element("button", { type: "button", class: "tab", onclick: go(entry) }, entry.title)]));
    this.undo = button("Undo", "Undo (Ctrl+Z)", () => this.store.undo());
    this.redo = button("Redo", "Redo (Ctrl+Shift+Z)", () => this.store.redo());
    this.link = button("Link", "Copy a link to this picture", () => this.#copyLink());
    this.theme = button("", "Theme: change between light and dark", () => this.#nextTheme());
    this.#nameTheme("auto");
    this.status = element("span", { class: "status", role: "status" });
    const save = ["PNG", "SVG"].map((kind) => button(kind, `Save the plot as ${kind}`, () => this.#save(kind)));
    const buttons = [this.undo, this.redo, ...(this.hasAddress ? [this.link] : []), ...save, this.theme];
    const rooms = this.rooms.length > 1 ? [element("nav", { "aria-label": "Rooms" }, [...this.tabs.values()])] : [];
    return element("header", {}, element("h1", {}, "Halfwave"), ...rooms, this.status,
      element("div", { class: "row", role: "toolbar", "aria-label": "Page" }, buttons));
  }

  #listen() {
    this.connection.subscribe(() => this.#request());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#recolour());
    // on a page of its own, keys are for it wherever the focus is
    (this.hasAddress ? window : this.home).addEventListener("keydown", (event) => this.#key(event));
    if (!this.hasAddress) return;
    const follow = () => {
      if (location.hash.slice(1) === this.#address()) return;
      const { entry, text } = readAddress(this.rooms);
      this.#enter(entry, text);
    };
    addEventListener("hashchange", follow);
    addEventListener("popstate", follow);
  }

  #key(event) {
    if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
    const key = event.key.toLowerCase();
    // in a line of text, undo is for the text
    if ((key !== "z" && key !== "y") || ["text", "textarea"].includes(event.target.type)) return;
    event.preventDefault();
    if (key === "y" || event.shiftKey) this.store.redo();
    else this.store.undo();
  }

  #request() {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null;
      this.#show();
    });
  }

  #show() {
    this.current.room.show();
    if (this.store.document !== this.judged) this.notice.hidden = true;
    this.undo.disabled = !this.store.canUndo;
    this.redo.disabled = !this.store.canRedo;
    this.home.dataset.connection = this.connection.state;
    setText(this.status, STATES[this.connection.state]);
    if (!this.hasAddress) return;
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => history.replaceState(null, "", `#${this.#address()}`), SETTLED);
  }

  #address() {
    const { entry, store } = this.current;
    return `${entry.name}?${entry.encode(store.document, store.looks)}`;
  }

  async #copyLink() {
    history.replaceState(null, "", `#${this.#address()}`);
    const done = await copyText(location.href, element("span"));
    setText(this.link, done ? "Copied" : "See the address");
    setTimeout(() => setText(this.link, "Link"), 1500);
  }

  async #save(kind) {
    const { room: { plot }, entry } = this.current;
    const blob = kind === "PNG" ? await plot.png() : plot.svg(plot.canvas.getAttribute("aria-label"));
    download(blob, `halfwave-${entry.name}.${kind.toLowerCase()}`);
  }

  #nextTheme() {
    const next = THEMES[(THEMES.indexOf(this.home.dataset.theme) + 1) % THEMES.length];
    this.#setTheme(next);
    this.#nameTheme(next);
    this.#recolour();
  }

  #nameTheme(theme) {
    this.theme.replaceChildren(element("span", { class: "wide" }, "Theme: "), theme);
  }

  #setTheme(theme) {
    this.home.dataset.theme = theme;
    const scheme = theme === "auto" ? "light dark" : theme;
    this.home.style.colorScheme = scheme;
    if (this.hasAddress) document.documentElement.style.colorScheme = scheme;
  }

  #recolour() {
    this.colours.refresh();
    this.#request();
  }
}

/**
 * The explorer in this element, with these rooms, asking over this connection. With `address` the page is its own:
 * its state stands in the address bar. `documents` are states by the name of a room, in place of its first one.
 */
export function mount(home, options) {
  return new Explorer(home, options);
}
