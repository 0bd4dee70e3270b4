/** The state of the room "Fit": where it starts, and how it is written into the address. */

/** Choices by the name of a setting, as [value, text on the page]. */
export const FIT_CHOICES = {
  criterion: [["bic", "BIC"], ["bic3", "BIC3"], ["wbic", "weighted BIC"], ["cross_validation", "cross-validation"]],
  loss: [["squares", "least squares"], ["huber", "Huber (robust)"], ["tukey", "Tukey (robust)"], ["quantile", "quantile"]],
};
export const MOST_FIT_KINKS = 12;
/** Points that an address holds, and that a page sends one by one. */
export const LINKED_POINTS = 200;
export const DRAWN_POINTS = 1000;

const FIT_SETTINGS = { kinks: "auto", criterion: "bic", loss: "squares", quantile: 0.5, correct: false, pins: [] };
const FIT_LOOKS = { window: null, held: null, selected: 0, tool: "look" };

/** The room as it first opens. */
export function initialFit() {
  // until something is chosen, a file of the command line takes the place of the bundled set
  return { document: { source: { set: "nile", unasked: true }, ...FIT_SETTINGS }, looks: FIT_LOOKS };
}

const commas = (values) => values.join(",").replaceAll("+", "");

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
    pins: commas(pins),
    window: looks.window ? commas(looks.window) : "",
  };
  return Object.entries(parts).filter(([, value]) => value !== "").map(([key, value]) => `${key}=${value}`).join("&");
}

function encodeSource(source) {
  if (source.set) return { set: source.set };
  if (source.file) {
    const columns = source.x && source.y ? [source.x, source.y].map(encodeURIComponent).join(",") : "";
    return { file: encodeURIComponent(source.file), columns };
  }
  // a table that was pasted cannot be opened again from a link
  if (!source.points || source.points.length > LINKED_POINTS) return {};
  return { p: source.points.map(commas).join(";") || "none", names: (source.names ?? []).map(encodeURIComponent).join(",") };
}

/** The state that an address holds; what it lacks, or says wrongly, is as the room first opens. */
export function decodeFit(text) {
  const { document, looks } = initialFit();
  const parts = new URLSearchParams(text);
  const choice = (name) => FIT_CHOICES[name].find(([value]) => value === parts.get(name))?.[0] ?? document[name];
  const [quantile] = fitNumbers(parts.get("q"), 1) ?? [document.quantile];
  const [kinks] = fitNumbers(parts.get("k"), 1) ?? [];
  const pins = fitNumbers(parts.get("pins")) ?? [];
  const window = fitNumbers(parts.get("window"), 4);
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
  if (parts.has("file")) {
    const [x, y] = (parts.get("columns") ?? "").split(",").map(decoded);
    return { file: decoded(parts.get("file")), ...(x && y ? { x, y } : {}) };
  }
  return /^[a-z0-9]{1,20}$/.test(parts.get("set") ?? "") ? { set: parts.get("set") } : null;
}

function decodePoints(parts) {
  if (parts.get("p") === "none") return { points: [] };
  const points = parts.get("p").split(";").map((row) => fitNumbers(row, 2));
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

function fitNumbers(text, count = null) {
  if (!text) return null;
  const words = text.split(",");
  const values = words.map(Number);
  const sound = values.every((value, index) => words[index].trim() !== "" && Math.abs(value) <= 1e15);
  return sound && (count === null || words.length === count) ? values : null;
}
