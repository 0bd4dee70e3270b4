/** The state of the room "Fit": where it starts, and how it is written into the address. */

import { numbersIn, numbersInLink } from "../basics/links.js";

/** Choices by the name of a setting, as [value, text on the page]. */
export const FIT_CHOICES = {
  criterion: [["bic", "BIC"], ["bic3", "BIC3"], ["wbic", "weighted BIC"], ["cross_validation", "cross-validation"]],
  loss: [["squares", "least squares"], ["huber", "Huber (robust)"], ["tukey", "Tukey (robust)"], ["quantile", "quantile"]],
};
export const MOST_FIT_KINKS = 12;
/** Points that an address holds, and that a page sends one by one. */
export const LINKED_POINTS = 200;
export const DRAWN_POINTS = 1000;

const LONGEST_FIT_NAME = 100;
const LARGEST_FIT_NUMBER = 1e15;

const FIT_SETTINGS = { kinks: "auto", criterion: "bic", loss: "squares", quantile: 0.5, correct: false, pins: [] };
const FIT_LOOKS = { window: null, held: null, selected: 0, tool: "look" };

/** The room as it first opens. */
export function initialFit() {
  // until something is chosen, a file of the command line takes the place of the bundled set
  return { document: { source: { set: "nile", unasked: true }, ...FIT_SETTINGS }, looks: FIT_LOOKS };
}

/** The settings of a document as Python takes them; while kinks are held by hand, all of them are fixed. */
export function fitQuestion(document, held) {
  const { source, kinks, criterion, loss, quantile, correct, pins } = document;
  const rest = { source: bareSource(source), criterion, loss, quantile, correct };
  return held ? { ...rest, kinks: held.length, fixed: held } : { ...rest, kinks, fixed: pins };
}

const bareSource = ({ set, file, text, points, x, y }) =>
  set ? { set } : points ? { points } : { ...(file ? { file } : { text }), ...(x ? { x } : {}), ...(y ? { y } : {}) };

/** Which data a source stands for: points that are drawn stay the same data while they grow. */
export function dataOfSource(source) {
  return source.points ? "points" : JSON.stringify(source.lost ?? source.drawn ?? bareSource(source));
}

/** Why there are no data, where the address names some that it could not hold; null elsewhere. */
export function whyFitIsEmpty({ lost, drawn }) {
  if (lost) return `the table ${lost} was pasted and is not part of the link: paste it again`;
  return drawn ? `the ${drawn} points were drawn and are not part of the link, which holds ${LINKED_POINTS}: draw them again` : null;
}

/** The state as the part of an address behind its #; settings as the room first has them are left out. */
export function encodeFit(document, looks) {
  const { source, kinks, criterion, loss, quantile, correct, pins } = document;
  const parts = {
    ...encodeSource(source),
    k: String(kinks),
    criterion: criterion === FIT_SETTINGS.criterion ? "" : criterion,
    loss: loss === FIT_SETTINGS.loss ? "" : loss,
    q: loss === "quantile" ? String(quantile) : "",
    correct: correct ? "1" : "",
    pins: numbersInLink(pins),
    window: looks.window ? numbersInLink(looks.window) : "",
  };
  return Object.entries(parts).filter(([, value]) => value !== "").map(([key, value]) => `${key}=${value}`).join("&");
}

function encodeSource(source) {
  if (source.set) return { set: source.set };
  if (source.file) {
    const columns = source.x && source.y ? [source.x, source.y].map(encodeURIComponent).join(",") : "";
    return { file: encodeURIComponent(source.file), columns };
  }
  // what a link cannot hold is named there, so that it does not open other data
  const table = source.text ? source.name : source.lost;
  if (table) return { table: encodeURIComponent(table) };
  const many = source.drawn ?? (source.points.length > LINKED_POINTS ? source.points.length : 0);
  if (many) return { drawn: String(many) };
  return { p: source.points.map(numbersInLink).join(";") || "none", names: (source.names ?? []).map(encodeURIComponent).join(",") };
}

/** The state that an address holds; what it lacks, or says wrongly, is as the room first opens. */
export function decodeFit(text) {
  const { document, looks } = initialFit();
  const parts = new URLSearchParams(text);
  const choice = (name) => FIT_CHOICES[name].find(([value]) => value === parts.get(name))?.[0] ?? document[name];
  const [quantile] = numbersIn(parts.get("q"), 1, LARGEST_FIT_NUMBER) ?? [document.quantile];
  const [kinks] = numbersIn(parts.get("k"), 1, LARGEST_FIT_NUMBER) ?? [];
  const pins = numbersIn(parts.get("pins"), null, LARGEST_FIT_NUMBER) ?? [];
  const window = numbersIn(parts.get("window"), 4, LARGEST_FIT_NUMBER);
  return {
    document: {
      source: decodeSource(parts) ?? document.source,
      kinks: Number.isInteger(kinks) && kinks >= 0 && kinks <= MOST_FIT_KINKS ? kinks : document.kinks,
      criterion: choice("criterion"),
      loss: choice("loss"),
      quantile: quantile > 0 && quantile < 1 ? quantile : document.quantile,
      correct: parts.get("correct") === "1",
      pins: pins.length <= MOST_FIT_KINKS ? pins.sort((a, b) => a - b) : [],
    },
    looks: { ...looks, window: window && window[0] < window[1] && window[2] < window[3] ? window : null },
  };
}

function decodeSource(parts) {
  if (parts.has("p")) return decodePoints(parts);
  if (parts.get("table")) return { lost: decoded(parts.get("table")).slice(0, LONGEST_FIT_NAME) };
  const [drawn] = numbersIn(parts.get("drawn"), 1, LARGEST_FIT_NUMBER) ?? [];
  if (Number.isInteger(drawn) && drawn > LINKED_POINTS && drawn <= DRAWN_POINTS) return { drawn };
  if (parts.has("file")) {
    const [x, y] = (parts.get("columns") ?? "").split(",").map(decoded);
    return { file: decoded(parts.get("file")), ...(x && y ? { x, y } : {}) };
  }
  return /^[a-z0-9]{1,20}$/.test(parts.get("set") ?? "") ? { set: parts.get("set") } : null;
}

function decodePoints(parts) {
  if (parts.get("p") === "none") return { points: [] };
  const points = parts.get("p").split(";").map((row) => numbersIn(row, 2, LARGEST_FIT_NUMBER));
  if (points.length > LINKED_POINTS || !points.every(Boolean)) return null;
  const names = (parts.get("names") ?? "").split(",").map(decoded);
  return { points, ...(names.length === 2 && names.every(Boolean) ? { names } : {}) };
}

/** What was written with encodeURIComponent; URLSearchParams has undone one layer already. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
