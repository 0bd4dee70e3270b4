/** Where the data come from: bundled sets, files of the command line, a pasted or dropped table, or the pointer. */

import { Switch } from "../basics/controls.js";
import { button, element, focusNear, setText } from "../basics/dom.js";
import { fitSelect } from "./settings_panel.js";
import { LINKED_POINTS } from "./state.js";
import { tidy } from "../plot/numerals.js";

const LARGEST_TABLE = 28 * 1024 * 1024; // characters: the protocol takes 32 million, and ends of lines count twice
const TEXT_TABLE = /\.(csv|tsv|txt|dat)$/i;
const OTHER_TABLE = /\.(npz|parquet|(csv|tsv|txt)\.gz)$/i;

/** How many rows were left out, and why. */
function rowsLeftOut({ missing, infinite }) {
  const rows = (count) => `${count.toLocaleString("en")} ${count === 1 ? "row" : "rows"}`;
  const parts = [
    ...(missing ? [`${rows(missing)} without a value`] : []),
    ...(infinite ? [`${rows(infinite)} with an infinite value`] : []),
  ];
  return parts.length ? `${parts.join(" and ")} left out` : "";
}

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
    this.#showColumns(source);
    const known = sets.find((set) => set.name === source.set);
    const hint = source.points ? this.#drawingHint(source.points.length, looks.tool) : source.text ? "The link does not hold this table." : "";
    const parts = [known?.source, hint, data ? rowsLeftOut(data) : ""];
    setText(this.source, parts.filter(Boolean).join("; ").replace(".; ", "; "));
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
        `a table may have at most 28 million characters here; ${name} has ${text.length.toLocaleString("en")}: give it on the command line`);
      const { key, data } = await this.bench.read(text, name);
      const { count, x, y, missing, infinite, names, columns } = data;
      // a few points become part of the address, and can be drawn into
      const few = count <= LINKED_POINTS && columns.length <= 2 && !missing && !infinite;
      const chosen = columns.length > 1 ? { x: names[0], y: names[1] } : {};
      this.actions.choose(few ? { points: x.map((value, index) => [value, y[index]]), names } : { text: key, name, ...chosen });
    } catch (error) {
      if (this.bench.reading) return; // another table took its place
      this.trouble = error.message === "cancelled" ? `cancelled: ${name} was not read` : error.message;
      this.bench.changed();
    }
  }

  /** Take a file that was opened or dropped. */
  async take(file) {
    if (!file) return;
    this.file.value = "";
    this.trouble = this.#whyNot(file);
    if (this.trouble) {
      this.bench.changed();
      return;
    }
    const reading = this.bench.begin(file.name, file.size);
    const text = await file.text();
    if (this.bench.reading === reading) await this.takeText(text, file.name);
  }

  #whyNot({ name, size }) {
    if (OTHER_TABLE.test(name)) return `${name} is no plain text; open such a table with halfwave explore ${name}`;
    if (name.includes(".") && !TEXT_TABLE.test(name)) return `${name} is no table; .csv, .tsv, .txt and .dat are read here`;
    return size > LARGEST_TABLE ? `${name} is larger than 28 MB; open it with halfwave explore ${name}` : null;
  }

  #choose(value) {
    this.trouble = null;
    const [kind, name] = [value.slice(0, value.indexOf(":")), value.slice(value.indexOf(":") + 1)];
    if (kind === "set" || kind === "file") this.actions.choose({ [kind]: name });
    else if (value === "new:") this.actions.begin();
  }

  #showChoice(sets, files, source) {
    const missing = source.lost ?? (source.drawn ? `${source.drawn} points` : null);
    const own = missing ? `${missing} (not in the link)` : source.points ? `Your points (${source.points.length})` : source.text ? source.name : null;
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

  /** Lists of the columns; where those of the address do not do, the lists are there to choose others. */
  #showColumns(source) {
    const { data } = this.bench;
    const columns = data?.columns ?? this.bench.columns ?? [];
    this.columns.hidden = !((source.file || source.text) && columns.length > 1);
    if (this.columns.hidden) return;
    const chosen = data?.names ?? [source.x ?? columns[0], source.y ?? columns[1]];
    const shows = JSON.stringify([columns, chosen]);
    if (shows === this.columnsShown) return;
    this.columnsShown = shows;
    const focused = [...this.columns.querySelectorAll("select")].indexOf(focusNear(this.columns));
    const lists = chosen.map((name, axis) => {
      const offered = columns.includes(name) || !name ? columns : [...columns, name];
      const list = fitSelect(`Column of ${"xy"[axis]}`, offered.map((column) => [column, column]), (value) => {
        const other = chosen[1 - axis];
        this.actions.columns(...(axis ? [other, value] : [value, other]));
      });
      list.value = name ?? "";
      return element("label", { class: "fit-choice" }, element("span", {}, "xy"[axis]), list);
    });
    this.columns.replaceChildren(...lists);
    lists[focused]?.querySelector("select").focus();
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
      element("p", { class: "note fit-limits" }, "Open, drop or paste a table of text: at most 28 MB, 2,000,000 rows."), paste, this.complaint);
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
