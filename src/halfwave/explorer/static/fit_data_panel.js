/** Where the data come from: bundled sets, files of the command line, a pasted or dropped table, or the pointer. */

import { Switch } from "./controls.js";
import { button, element, setText } from "./dom.js";
import { fitSelect } from "./fit_settings_panel.js";
import { LINKED_POINTS } from "./fit_state.js";
import { tidy } from "./numerals.js";

const LARGEST_TABLE = 28 * 1024 * 1024; // characters: the protocol takes 32 million, and ends of lines count twice
const TEXT_TABLE = /\.(csv|tsv|txt|dat)$/i;

/** The choice of data, and the tools that draw them. */
export class FitDataPanel {
  constructor(bench, actions) {
    Object.assign(this, { bench, actions });
    this.select = element("select", { "aria-label": "Data", onchange: () => this.#choose(this.select.value) });
    this.source = element("p", { class: "note" });
    this.complaint = element("p", { class: "fit-complaint", role: "alert", hidden: true });
    this.draw = new Switch("Draw points", "Draw points into the plot", (on) => actions.setTool(on ? "draw" : "look"));
    this.erase = new Switch("Erase", "Remove points from the plot", (on) => actions.setTool(on ? "erase" : "look"));
    this.clear = button("Clear", "Remove all points", actions.clear);
    this.file = element("input", {
      type: "file", accept: ".csv,.tsv,.txt,text/csv", class: "fit-file", "aria-label": "Open a table",
      onchange: () => this.take(this.file.files[0]),
    });
    this.element = this.#layout();
  }

  show(document, looks) {
    const { sets, files, data, dataError } = this.bench;
    const { source } = document;
    this.draw.show(looks.tool === "draw");
    this.erase.show(looks.tool === "erase");
    this.erase.element.disabled = !source.points;
    this.clear.hidden = !source.points?.length;
    this.#showChoice(sets, files, source);
    this.#showColumns(data, source);
    const known = sets.find((set) => set.name === source.set);
    const dropped = data?.dropped ? `; ${data.dropped} rows without a value left out` : "";
    const hint = source.points ? this.#drawingHint(source.points.length, looks.tool) : "";
    setText(this.source, (known ? known.source : hint) + dropped);
    const trouble = this.trouble ?? dataError?.message ?? "";
    setText(this.complaint, trouble);
    this.complaint.hidden = !trouble;
  }

  #drawingHint(count, tool) {
    if (tool === "draw") return count ? "Press or drag in the plot for more points." : "Press in the plot, or drag through it: each place becomes a point.";
    if (tool === "erase") return "Drag over points to remove them.";
    return count > LINKED_POINTS ? `More than ${LINKED_POINTS} points do not fit into a link.` : "";
  }

  /** Take a table that was pasted or dropped. */
  async takeText(text, name) {
    this.trouble = null;
    try {
      if (text.length > LARGEST_TABLE) throw new Error(
        `a table may have at most 28 million characters here; ${name} has ${text.length}: give it on the command line`);
      const { key, columns } = await this.bench.read(text);
      const source = { text: key, name };
      // a few points become part of the address, and can be drawn into
      const { count, x, y, dropped, names } = await this.bench.connection.ask("fit.data", { source: { text: key } });
      const few = count <= LINKED_POINTS && columns.length <= 2 && !dropped;
      this.actions.choose(few ? { points: x.map((value, index) => [value, y[index]]), names } : { ...source, x: names[0], y: names[1] });
    } catch (error) {
      this.trouble = error.message;
      this.bench.changed();
    }
  }

  /** Take a file that was opened or dropped. */
  async take(file) {
    if (!file) return;
    this.file.value = "";
    if (file.name.includes(".") && !TEXT_TABLE.test(file.name)) {
      this.trouble = `${file.name} is no text; open such a table with halfwave explore ${file.name}`;
      this.bench.changed();
      return;
    }
    if (file.size > LARGEST_TABLE) {
      this.trouble = `${file.name} is larger than 28 MB; open it with halfwave explore ${file.name}`;
      this.bench.changed();
      return;
    }
    await this.takeText(await file.text(), file.name);
  }

  #choose(value) {
    this.trouble = null;
    const [kind, name] = [value.slice(0, value.indexOf(":")), value.slice(value.indexOf(":") + 1)];
    if (kind === "set" || kind === "file") this.actions.choose({ [kind]: name });
    else if (value === "new:") this.actions.begin();
  }

  #showChoice(sets, files, source) {
    const own = source.points ? `Your points (${source.points.length})` : source.text ? source.name : null;
    const shows = JSON.stringify([sets.length, files, own, source.set, source.file]);
    if (shows === this.shows) return;
    this.shows = shows;
    const named = (kind, name, title) => element("option", { value: `${kind}:${name}` }, title);
    const group = (label, options) => (options.length ? [element("optgroup", { label }, options)] : []);
    this.select.replaceChildren(
      ...(own ? [element("option", { value: "own:" }, own)] : []),
      ...group("From the command line", files.map((name) => named("file", name, name))),
      ...group("Bundled", sets.map(({ name, title }) => named("set", name, title))),
      ...(sets.length || !source.set ? [] : [named("set", source.set, source.set)]),
      ...(source.points?.length === 0 ? [] : [element("option", { value: "new:" }, "New points, drawn by hand")]));
    this.select.value = source.set ? `set:${source.set}` : source.file ? `file:${source.file}` : "own:";
  }

  #showColumns(data, source) {
    const table = data && (source.file || source.text) && data.columns.length > 1;
    this.columns.hidden = !table;
    if (!table) return;
    const shows = JSON.stringify([data.columns, data.names]);
    if (shows === this.columnsShown) return;
    this.columnsShown = shows;
    const choices = data.columns.map((name) => [name, name]);
    const lists = data.names.map((name, axis) => {
      const list = fitSelect(`Column of ${"xy"[axis]}`, choices, (value) =>
        this.actions.columns(...(axis ? [data.names[0], value] : [value, data.names[1]])));
      list.value = name;
      return element("label", { class: "fit-choice" }, element("span", {}, "xy"[axis]), list);
    });
    this.columns.replaceChildren(...lists);
  }

  #layout() {
    this.columns = element("div", { hidden: true });
    const box = element("textarea", {
      rows: 4, spellcheck: "false", "aria-label": "Table to paste", placeholder: "x,y\n1,2.5\n2,3.1",
    });
    const paste = element("details", {}, element("summary", {}, "Paste a table, or type a point"), box,
      element("div", { class: "row" }, button("Use this table", "Use this table", () => this.takeText(box.value, "pasted table"))),
      this.#pointForm());
    return element("section", { class: "card fit-data", "aria-label": "Data" },
      element("h2", {}, "Data"), this.select, this.source, this.columns,
      element("div", { class: "row" }, this.draw.element, this.erase.element, this.clear,
        element("label", { class: "fit-open" }, "Open…", this.file)),
      paste, this.complaint);
  }

  /** The way to a point for those who do not point. */
  #pointForm() {
    const [x, y] = ["x", "y"].map((name) =>
      element("input", { type: "number", step: "any", required: true, "aria-label": `${name} of a new point`, placeholder: name }));
    const add = (event) => {
      event.preventDefault();
      this.actions.setTool("draw");
      this.actions.addPoint([tidy(Number(x.value)), tidy(Number(y.value))]);
      x.focus();
    };
    return element("form", { class: "fit-point", onsubmit: add }, x, y, element("button", { type: "submit" }, "Add the point"));
  }
}
