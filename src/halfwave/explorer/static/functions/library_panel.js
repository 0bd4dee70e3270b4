/** What the library says about the function: formulas of f, f′ and ∫f, and the Gaussian mean. */

import { Latest } from "../basics/connection.js";
import { element, setNumber, setText } from "../basics/dom.js";
import { shown, typeset } from "../plot/numerals.js";
import { sounding } from "../sums/sums.js";

/** Asks Python about the function whenever it changes, and shows the newest answer. */
export class LibraryPanel {
  constructor(connection) {
    this.connection = connection;
    this.latest = new Latest(connection, "functions.describe", (answer, error) => this.#receive(answer, error));
    this.formula = element("code", { id: "library-formula" });
    this.derivative = element("table", { "aria-label": "Derivative, piece by piece" });
    this.integral = element("table", { "aria-label": "Antiderivative, piece by piece" });
    this.notice = element("p", { class: "notice", role: "status" });
    this.mean = element("data", { id: "gaussian-mean" });
    this.zeros = element("data", { id: "gaussian-zeros" });
    this.element = element(
      "section",
      { class: "card library", "aria-label": "From the library" },
      element("h2", {}, "In Python’s words"),
      element("p", { class: "formula-line" }, element("var", {}, "f(x)"), " = ", this.formula),
      element("div", { class: "pieces" }, this.derivative, this.integral),
      this.notice,
    );
    this.answer = null;
  }

  /** Ask about this document. */
  ask(document) {
    this.document = document;
    const { slope, offset, leak, gaussian } = document;
    const terms = sounding(document).map(({ w, m, b }) => [w, m, b]);
    this.latest.ask({ terms, slope, offset, leak, gaussian: gaussian.on ? gaussian : null });
    this.#render();
  }

  #receive(answer, error) {
    this.answer = answer;
    this.error = error;
    this.#render();
  }

  #render() {
    const { answer } = this;
    const { derivative, integral } = this.document;
    setText(this.formula, answer ? typeset(answer.formula) : "…");
    setText(this.notice, this.error ? this.error.message : "");
    showPieces(this.derivative, "f′(x)", derivative && answer ? answer.derivative : null);
    showPieces(this.integral, "∫ f", integral && answer ? answer.antiderivative : null);
    const gaussian = answer?.gaussian;
    setNumber(this.mean, gaussian?.mean, gaussian ? shown(gaussian.mean) : "…");
    setNumber(this.zeros, gaussian?.zeros, gaussian ? `${shown(100 * gaussian.zeros, 3)} %` : "…");
  }
}

/** Cases such as "0 if x <= 1, x if x > 1" as rows of a table. */
function showPieces(table, name, cases) {
  table.hidden = cases === null;
  if (cases === null || table.dataset.cases === cases) return;
  table.dataset.cases = cases;
  const rows = cases.split(", ").map((row) => row.split(" if "));
  table.replaceChildren(
    element("caption", {}, name),
    ...rows.map(([value, when]) =>
      element("tr", {}, element("td", {}, typeset(value)), element("td", {}, when ? typeset(when) : "everywhere"))),
  );
}
