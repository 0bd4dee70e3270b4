/** Numbers with all their digits behind those that are read. */

import { element, setNumber } from "../basics/dom.js";
import { shown } from "../plot/numerals.js";

/** Show a number in a `data` element; null and undefined as a dash. */
export function machineShowNumber(node, value, digits = 4) {
  const known = value !== null && value !== undefined;
  setNumber(node, value, known ? shown(value, digits) : "–");
}

/** A name, its number and the unit of it, as a row of a list of facts. */
export function machineFactRow(name, id, unit) {
  const node = element("data", { id });
  return { node, row: element("div", {}, element("dt", {}, name), element("dd", {}, node, element("span", { class: "unit" }, ` ${unit}`))) };
}
