/** The state of the room "Functions": where it starts, and how it is written into the address. */

import { numbersIn, numbersInLink } from "../basics/links.js";
import { windowOf } from "../sums/sums.js";

const MOST_TERMS = 200;
const LARGEST = 1e6;

/** A term from three numbers. */
export function termOf([w, m, b], on = true) {
  return { w, m, b, on };
}

/** Starting points by the name on their button, as [w, m, b] of each term. */
export const STARTS = {
  Single: [[1, 1, 0]],
  Double: [[1, -1.2, -1.2], [1, 0.5, 1]],
  Triple: [[1, 1, 2], [-2.5, 1, 0], [2, 1, -1.5]],
};

const PLAIN = { slope: 0, offset: 0, leak: 0 };

/** The document and the looks that a sum starts with. */
export function startingWith(document, sum) {
  const fresh = { ...document, ...PLAIN, ...sum };
  return { document: fresh, looks: { selected: 0, probe: 1, window: windowOf(fresh) } };
}

/** The room as it first opens. */
export function initialState() {
  const rest = { derivative: false, integral: false, gaussian: { on: false, mu: 0, sigma: 1 }, threshold: 1 };
  return startingWith(rest, { terms: STARTS.Double.map((row) => termOf(row)) });
}

/** The state as the part of an address behind its #. */
export function encodeState(document, looks) {
  const { terms, slope, offset, leak, derivative, integral, gaussian, threshold } = document;
  const parts = {
    t: terms.map(({ w, m, b, on }) => numbersInLink([w, m, b]) + (on ? "" : ",off")).join(";"),
    line: slope || offset ? numbersInLink([slope, offset]) : "",
    leak: leak ? String(leak) : "",
    show: [derivative && "derivative", integral && "integral", gaussian.on && "input"].filter(Boolean).join(","),
    input: numbersInLink([gaussian.mu, gaussian.sigma]),
    T: String(threshold),
    window: numbersInLink(looks.window),
  };
  const kept = Object.entries(parts).filter(([key, value]) => value !== "" || key === "t");
  return kept.map(([key, value]) => `${key}=${value}`).join("&");
}

/** The state that an address holds; what it lacks, or says wrongly, is as the room first opens. */
export function decodeState(text) {
  const initial = initialState();
  const parts = new URLSearchParams(text);
  const numbers = (key, fallback) => numbersIn(parts.get(key), fallback.length, LARGEST) ?? fallback;
  const terms = termsIn(parts.get("t"));
  if (!terms) return initial;
  const [slope, offset] = numbers("line", [0, 0]);
  const shown = (parts.get("show") ?? "").split(",");
  const [mu, sigma] = numbers("input", [0, 1]);
  const document = {
    terms, slope, offset,
    leak: Math.min(1, Math.max(0, numbers("leak", [0])[0])),
    derivative: shown.includes("derivative"),
    integral: shown.includes("integral"),
    gaussian: { on: shown.includes("input"), mu, sigma: Math.max(0, sigma) },
    threshold: numbers("T", [initial.document.threshold])[0],
  };
  const looks = startingWith(document, document).looks;
  const window = numbers("window", looks.window);
  const sane = window[0] < window[1] && window[2] < window[3];
  return { document, looks: { ...looks, window: sane ? window : looks.window } };
}

function termsIn(text) {
  if (text === null) return null;
  if (text === "") return [];
  const terms = text.split(";").map((row) => {
    const values = numbersIn(row.replace(/,off$/, ""), 3, LARGEST);
    return values && termOf(values, !row.endsWith(",off"));
  });
  return terms.length <= MOST_TERMS && terms.every(Boolean) ? terms : null;
}
