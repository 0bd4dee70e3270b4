/** The state of the room "Units": a dReLU unit, its input and temperature, and how they stand in the address. */

import { numbersIn, numbersInLink } from "../basics/links.js";

/** Names of the parameters as Python knows them. */
export const UNIT_PARAMETERS = ["theta_pos", "theta_neg", "gamma_pos", "gamma_neg"];

/** What numbers may be on the page; Python takes a little more. */
export const UNIT_LIMITS = {
  theta_pos: [-1e4, 1e4], theta_neg: [-1e4, 1e4], gamma_pos: [0.001, 1e4], gamma_neg: [0.001, 1e4],
  input: [-1e4, 1e4], temperature: [0.001, 100],
};

/** Inputs for which a page without Python has answers: whole numbers between these. */
export const RECORDED_UNIT_INPUTS = [-6, 6];

/** Starting points: θ⁺, θ⁻, γ⁺, γ⁻, an input to look at, and what to see there. */
export const UNIT_PRESETS = {
  ReLU: {
    values: [0, -1000, 1, 1], input: 1,
    words: "The negative side is shut: θ⁻ → −∞ is the ReLU unit, whose mode is max(0, I).",
  },
  Gaussian: {
    values: [0, 0, 1, 1], input: 1,
    words: "Both sides alike: mean and mode are the straight line (I − θ)/γ, the variance is 1/γ.",
  },
  "Dead zone": {
    values: [2, -2, 1, 1], input: 1,
    words: "θ⁻ < θ⁺: between the thresholds the mode is 0, a soft threshold; the mean stays smooth.",
  },
  "Double well": {
    values: [-2, 2, 1, 1], input: 0,
    words: "θ⁺ < θ⁻: two peaks. The mode jumps where they are equally high; the mean is steep there.",
  },
  Asymmetric: {
    values: [0, 0, 0.5, 2], input: 1,
    words: "γ⁺ < γ⁻: each side has its own slope 1/γ, a leaky ReLU; the steeper side is the wider one.",
  },
};

const asUnitParameters = (values) => Object.fromEntries(UNIT_PARAMETERS.map((name, index) => [name, values[index]]));

/** The document of a preset. */
export function presetUnit(name) {
  const { values, input } = UNIT_PRESETS[name];
  return { ...asUnitParameters(values), input, temperature: 1 };
}

/** The preset whose parameters these are, or null. */
export function presetOf(document) {
  const same = ({ values }) => UNIT_PARAMETERS.every((name, index) => document[name] === values[index]);
  return Object.keys(UNIT_PRESETS).find((name) => same(UNIT_PRESETS[name])) ?? null;
}

/** The unit of −x: what it does at an input, the mirrored unit does to the other side at minus this input. */
export function mirroredUnit({ theta_pos, theta_neg, gamma_pos, gamma_neg, input }) {
  return {
    theta_pos: 0 - theta_neg, theta_neg: 0 - theta_pos, gamma_pos: gamma_neg, gamma_neg: gamma_pos, input: 0 - input,
  };
}

/** Windows are null where Python chooses them: [low, high] of the values, and those of inputs and values. */
const UNIT_LOOKS = { values: null, transfer: null };

/** The room as it first opens. */
export function initialUnit() {
  return { document: presetUnit("Dead zone"), looks: UNIT_LOOKS };
}

/** The state as the part of an address behind its #. */
export function encodeUnit(document, looks) {
  const { theta_pos, theta_neg, gamma_pos, gamma_neg, input, temperature } = document;
  const parts = {
    theta: [theta_pos, theta_neg], gamma: [gamma_pos, gamma_neg], I: [input], T: [temperature],
    x: looks.values, view: looks.transfer,
  };
  const kept = Object.entries(parts).filter(([, values]) => values);
  return kept.map(([key, values]) => `${key}=${numbersInLink(values)}`).join("&");
}

/** The state that an address holds; what it lacks, or says wrongly, is as the room first opens. */
export function decodeUnit(text) {
  const { document: first } = initialUnit();
  const parts = new URLSearchParams(text);
  const numbers = (key, names) => {
    const values = numbersIn(parts.get(key), names.length);
    const sound = values?.every((value, index) => withinUnitLimits(value, UNIT_LIMITS[names[index]]));
    return Object.fromEntries(names.map((name, index) => [name, sound ? values[index] : first[name]]));
  };
  const document = {
    ...numbers("theta", ["theta_pos", "theta_neg"]), ...numbers("gamma", ["gamma_pos", "gamma_neg"]),
    ...numbers("I", ["input"]), ...numbers("T", ["temperature"]),
  };
  return { document, looks: { values: unitWindowIn(parts.get("x"), 2), transfer: unitWindowIn(parts.get("view"), 4) } };
}

const withinUnitLimits = (value, [low, high]) => value >= low && value <= high;

/** Ends that increase, two by two; null otherwise. */
function unitWindowIn(text, count) {
  const ends = numbersIn(text, count);
  const sound = ends?.every((end, index) => Math.abs(end) <= 1e6 && (index % 2 === 0 || end > ends[index - 1]));
  return sound ? ends : null;
}
