/** The card of a run: its data, and what evaluation found. */

import { element, setSentence } from "../basics/dom.js";
import { machineFactRow, machineShowNumber } from "./numbers.js";

const MACHINE_EVALUATION_ROWS = {
  held_out_log_likelihood: ["log-likelihood, held out", "machine-held-out", "nats a sample"],
  held_out_standard_error: ["its standard error", "machine-held-out-error", "nats a sample"],
  train_log_likelihood: ["log-likelihood, training", "machine-train", "nats a sample"],
  independent_held_out: ["independent units, held out", "machine-independent", "nats a sample"],
  pseudolikelihood_held_out: ["log-pseudolikelihood, held out", "machine-pseudolikelihood", "nats a site"],
  log_partition: ["log Z", "machine-log-partition", "nats"],
};

/** What evaluation found, and how many data there are. */
export class MachineRunPanel {
  constructor() {
    this.note = element("p", { class: "note" });
    this.facts = element("dl", { class: "facts" });
    this.element = element("section", { class: "card", "aria-label": "Evaluation" },
      element("h2", {}, "Run"), this.note, this.facts);
  }

  show(run) {
    if (!run || run === this.run) return;
    this.run = run;
    const { counts, used, note } = run.data;
    const count = (number) => number.toLocaleString("en");
    const measured = counts && used < counts[0] ? `; features are measured on ${count(used)} of them` : "";
    const data = counts
      ? `${count(counts[0])} training and ${count(counts[1])} held-out samples${measured}`
      : `${note}; ${count(used)} samples of the machine stand in for them`;
    setSentence(this.note, `${run.source}, ${count(run.updates)} updates; ${data}.`);
    const known = Object.entries(MACHINE_EVALUATION_ROWS).filter(([key]) => typeof run.evaluation?.[key] === "number");
    this.facts.replaceChildren(...known.map(([key, [name, id, unit]]) => {
      const { node, row } = machineFactRow(name, id, unit);
      machineShowNumber(node, run.evaluation[key], 5);
      return row;
    }));
    if (known.length) return;
    const lack = element("p", { class: "note" });
    setSentence(lack, "Not evaluated yet: `halfwave evaluate RUN`");
    this.facts.append(lack);
  }
}
