/**
 * The explorer: rooms in which rectified units are taken in hand. `mount` puts it into an element of any page.
 *
 * A room is { name, title, initial(), encode(document, looks), decode(text), open(context) }; what it opens has
 * an `element`, a `plot` to save, and `show()`, which is called once a frame after the store has changed.
 */

import { Colours } from "./colours.js";
import { Connection } from "./connection.js";
import { button, copyText, download, element, setText } from "./dom.js";
import { functionsRoom } from "./functions_room.js";
import { Store } from "./store.js";

const ROOMS = [functionsRoom];
const SETTLED = 250; // milliseconds without a change, after which the address follows

const THEMES = ["auto", "light", "dark"];
const STATES = { none: "without Python", opening: "calling Python…", open: "with Python", lost: "Python is away" };

/** The room and its state that the address names. */
function stateOfAddress() {
  const [name, text] = location.hash.slice(1).split("?");
  const room = ROOMS.find((candidate) => candidate.name === name) ?? ROOMS[0];
  return { room, ...(text === undefined ? room.initial() : room.decode(text)) };
}

/** The explorer with its bar of buttons, in this element. */
class Explorer {
  #frame = null;
  #settling = null;

  constructor(home, connection) {
    this.home = home;
    this.connection = connection;
    home.classList.add("explorer");
    this.#setTheme("auto");
    this.colours = new Colours(home);
    const { room, document, looks } = stateOfAddress();
    this.entry = room;
    this.store = new Store(document, looks);
    this.room = room.open({ store: this.store, connection, colours: this.colours });
    home.replaceChildren(this.#bar(), element("main", {}, this.room.element));
    this.#listen();
    this.#show();
  }

  #bar() {
    this.undo = button("Undo", "Undo (Ctrl+Z)", () => this.store.undo());
    this.redo = button("Redo", "Redo (Ctrl+Shift+Z)", () => this.store.redo());
    this.link = button("Link", "Copy a link to this picture", () => this.#copyLink());
    this.theme = button("Auto", "Theme: change between light and dark", () => this.#nextTheme());
    this.status = element("span", { class: "status", role: "status" });
    const save = ["PNG", "SVG"].map((kind) => button(kind, `Save the plot as ${kind}`, () => this.#save(kind)));
    const buttons = [this.undo, this.redo, this.link, ...save, this.theme];
    return element("header", {}, element("h1", {}, "Halfwave ", element("span", {}, this.entry.title)), this.status,
      element("div", { class: "row", role: "toolbar", "aria-label": "Page" }, buttons));
  }

  #listen() {
    this.store.subscribe(() => this.#request());
    this.connection.subscribe(() => this.#request());
    addEventListener("hashchange", () => {
      if (location.hash.slice(1) === this.#address()) return;
      const { document, looks } = stateOfAddress();
      this.store.replace(document, looks);
    });
    addEventListener("keydown", (event) => this.#key(event));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#recolour());
  }

  #key(event) {
    if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
    const key = event.key.toLowerCase();
    // in a line of text, undo is for the text
    if ((key !== "z" && key !== "y") || event.target.type === "text") return;
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
    this.room.show();
    this.undo.disabled = !this.store.canUndo;
    this.redo.disabled = !this.store.canRedo;
    this.home.dataset.connection = this.connection.state;
    setText(this.status, STATES[this.connection.state]);
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => history.replaceState(null, "", `#${this.#address()}`), SETTLED);
  }

  #address() {
    return `${this.entry.name}?${this.entry.encode(this.store.document, this.store.looks)}`;
  }

  async #copyLink() {
    history.replaceState(null, "", `#${this.#address()}`);
    const done = await copyText(location.href, element("span"));
    setText(this.link, done ? "Copied" : "See the address");
    setTimeout(() => setText(this.link, "Link"), 1500);
  }

  async #save(kind) {
    const { plot } = this.room;
    const blob = kind === "PNG" ? await plot.png() : plot.svg(plot.canvas.getAttribute("aria-label"));
    download(blob, `halfwave-${this.entry.name}.${kind.toLowerCase()}`);
  }

  #nextTheme() {
    const next = THEMES[(THEMES.indexOf(this.home.dataset.theme) + 1) % THEMES.length];
    this.#setTheme(next);
    setText(this.theme, next[0].toUpperCase() + next.slice(1));
    this.#recolour();
  }

  #setTheme(theme) {
    this.home.dataset.theme = theme;
    document.documentElement.style.colorScheme = theme === "auto" ? "light dark" : theme;
  }

  #recolour() {
    this.colours.refresh();
    this.#request();
  }
}

/** The explorer in this element, talking to Python at this websocket address, or to nobody without one. */
export function mount(home, address = null) {
  return new Explorer(home, new Connection(address));
}

const home = document.getElementById("halfwave-explorer");
if (home) mount(home, location.protocol === "http:" ? `ws://${location.host}/ws` : null);
