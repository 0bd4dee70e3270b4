/** The state of the room "Machine": where it starts, and how it is written into the address. */

/** Ends of what can be asked of Python, too. */
export const MACHINE_LIMITS = { temperature: [0.05, 20], steps: [1, 200], rate: [1, 20], seed: [0, 2147483647] };

/** How many samples are shown at a time. */
export const MACHINE_SHEET_COUNT = 36;

const MACHINE_MOST_SITES = 20000;

/** The room as it first opens; `name` null is the first run there is. */
export function initialMachine() {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  return {
    document: {
      name: null, temperature: 1, steps: 1, start: "noise", seed: 1, held: false, clamped: null, letters: "",
    },
    looks: { unit: null, value: null, playing: !still, rate: 12, level: 1, round: 0 },
  };
}

/** The levels of clamped sites as text: runs such as 12 (free) or 3.1 (three sites at level 1), joined by "-". */
export function machineClampText(levels) {
  const runs = [];
  for (const level of levels) {
    const last = runs.at(-1);
    if (last?.level === level) last.count += 1;
    else runs.push({ level, count: 1 });
  }
  return runs.map(({ level, count }) => (level < 0 ? String(count) : `${count}.${level}`)).join("-");
}

/** The levels that such a text holds, or null where it holds none. */
export function machineClampsOfText(text) {
  if (!/^\d+(\.\d+)?(-\d+(\.\d+)?)*$/.test(text ?? "")) return null;
  const runs = text.split("-").map((run) => run.split(".").map(Number));
  const total = runs.reduce((sum, [count]) => sum + count, 0);
  if (!(total > 0 && total <= MACHINE_MOST_SITES) || runs.some(([, level = 0]) => level > 255)) return null;
  return runs.flatMap(([count, level = -1]) => Array(count).fill(level));
}

/** The clamps of a document if they fit a machine with so many sites and levels, else nothing clamped. */
export function machineClampsFor({ clamped }, { sites, levels }) {
  const fits = clamped?.length === sites && clamped.every((level) => level < levels);
  return fits ? clamped : Array(sites).fill(-1);
}

/** The state as the part of an address behind its #. */
export function encodeMachine(document, looks) {
  const first = initialMachine();
  const parts = { run: document.name ?? "", unit: looks.unit ?? "", h: looks.value ?? "" };
  for (const key of ["temperature", "steps", "start", "seed", "letters"]) {
    parts[key] = document[key] === first.document[key] ? "" : document[key];
  }
  Object.assign(parts, { rate: looks.rate === first.looks.rate ? "" : looks.rate, held: document.held ? 1 : "" });
  if (document.clamped?.some((level) => level >= 0)) parts.clamp = machineClampText(document.clamped);
  const kept = Object.entries(parts).filter(([, value]) => value !== "");
  return kept.map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join("&");
}

/** The state that an address holds; what it lacks, or says wrongly, is as the room first opens. */
export function decodeMachine(text) {
  const { document, looks } = initialMachine();
  const parts = new URLSearchParams(text);
  const numberOf = (key, fallback, [low, high] = [-1e6, 1e6], whole = false) => {
    const value = Number(parts.get(key) || NaN);
    return value >= low && value <= high && (!whole || Number.isInteger(value)) ? value : fallback;
  };
  const { temperature, steps, rate, seed } = MACHINE_LIMITS;
  return {
    document: {
      ...document,
      name: (parts.get("run") || "").slice(0, 200) || null,
      temperature: numberOf("temperature", document.temperature, temperature),
      steps: numberOf("steps", document.steps, steps, true),
      seed: numberOf("seed", document.seed, seed, true),
      start: parts.get("start") === "data" ? "data" : "noise",
      held: parts.get("held") === "1",
      clamped: machineClampsOfText(parts.get("clamp")),
      letters: (parts.get("letters") ?? "").slice(0, 256),
    },
    looks: {
      ...looks,
      unit: numberOf("unit", null, [0, 1e6], true),
      value: numberOf("h", null),
      rate: numberOf("rate", looks.rate, rate),
    },
  };
}
