/** Numbers with all their digits behind those that are read. */

import { element, setText } from "./dom.js";
import { shown } from "./numerals.js";

/** Show a number in a `data` element; null and undefined as a dash. */
export function machineShowNumber(node, value, digits = 4) {
  const known = value !== null && value !== undefined;
  setText(node, known ? shown(value, digits) : "–");
  const full = known ? String(value) : "";
  if (node.value !== full) node.value = full;
}

/** A name, its number and the unit of it, as a row of a list of facts. */
export function machineFactRow(name, id, unit) {
  const node = element("data", { id });
  return { node, row: element("div", {}, element("dt", {}, name), element("dd", {}, node, element("span", { class: "unit" }, ` ${unit}`))) };
}
