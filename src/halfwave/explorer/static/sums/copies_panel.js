/** A function to take along: copied as text, saved as a file, or as an ONNX model. */

import { COPIES } from "./copies.js";
import { button, bytesOf, copyText, download, element } from "../basics/dom.js";

const COPY_ENDINGS = { Python: "py", NumPy: "py", torch: "py", LaTeX: "tex", JSON: "json" };

/** One button for each form, for the sum that was shown last: { terms, slope, offset, leak }; null for none. */
export class CopiesPanel {
  constructor(connection, file) {
    Object.assign(this, { connection, file });
    this.text = element("pre", { class: "copied", "aria-live": "polite", tabindex: "0", hidden: true });
    this.complaint = element("p", { class: "complaint", role: "alert", hidden: true });
    this.save = button("Save as a file", "Save this text as a file", () => this.#save(), { hidden: true });
    this.buttons = [
      ...Object.keys(COPIES).map((name) => button(name, `Copy as ${name}`, () => this.#copy(name))),
      button("ONNX", "Save the function as an ONNX model", () => this.#saveModel()),
    ];
    const label = element("span", { class: "label" }, "Copy as");
    this.elements = [element("div", { class: "row" }, label, this.buttons, this.save), this.text, this.complaint];
  }

  show(sum) {
    if (sum === this.sum) return;
    this.sum = sum;
    for (const node of this.buttons) node.disabled = !sum;
    for (const node of [this.text, this.save, this.complaint]) node.hidden = true;
  }

  async #copy(name) {
    const text = COPIES[name](this.sum);
    this.name = name;
    this.text.textContent = text;
    this.text.dataset.text = text;
    this.text.hidden = this.save.hidden = false;
    this.complaint.hidden = true;
    const done = await copyText(text, this.text);
    this.text.setAttribute("aria-label", done ? `Copied as ${name}` : "Select and copy this text");
    this.text.dataset.note = done ? "copied" : "select and copy";
  }

  #save() {
    const ending = COPY_ENDINGS[this.name];
    download(new Blob([this.text.dataset.text], { type: "text/plain" }), `${this.file}-${this.name.toLowerCase()}.${ending}`);
  }

  async #saveModel() {
    const { terms, slope, offset, leak } = this.sum;
    const rows = terms.filter((term) => term.on).map(({ w, m, b }) => [w, m, b]);
    this.complaint.hidden = true;
    try {
      const { base64 } = await this.connection.ask("functions.onnx", { terms: rows, slope, offset, leak });
      download(new Blob([bytesOf(base64)], { type: "application/octet-stream" }), `${this.file}.onnx`);
    } catch (error) {
      this.complaint.textContent = error.message;
      this.complaint.hidden = false;
    }
  }
}
