/** What a person can do to a unit: each action is one change of the store. */

import { roundedWindow } from "../plot/gestures.js";
import { tidy } from "../plot/numerals.js";
import { RECORDED_UNIT_INPUTS, UNIT_LIMITS, mirroredUnit, presetUnit } from "./state.js";

const UNIT_INPUT_STEP = 0.1;

/** The actions on this store; a page without Python keeps to the inputs that were recorded. */
export function unitActions(store, recorded) {
  const allowed = (name, value) => {
    const [low, high] = recorded && name === "input" ? RECORDED_UNIT_INPUTS : UNIT_LIMITS[name];
    const kept = Math.min(Math.max(value, low), high);
    return recorded && name === "input" ? Math.round(kept) + 0 : kept + 0;
  };
  const set = (name, value, gesture = name) => {
    const next = allowed(name, value);
    if (next !== store.document[name]) store.change({ [name]: next }, gesture);
  };
  const nudge = (name, change) => {
    const whole = recorded && name === "input";
    set(name, tidy(store.document[name] + (whole ? Math.sign(change) : change)), `nudge ${name}`);
    store.restLater();
  };

  return {
    rest: () => store.rest(),
    set,
    nudge,
    nudgeInput: (steps) => nudge("input", steps * UNIT_INPUT_STEP),
    preset: (name) => store.replace(presetUnit(name), { ...store.looks, values: null, transfer: null }),
    take: (parameters) =>
      store.replace({ ...store.document, ...parameters }, { ...store.looks, values: null, transfer: null }),
    mirror: () => {
      const { values, transfer } = store.looks;
      const turned = (window) => window && window.map((_, index) => 0 - window[index + (index % 2 ? -1 : 1)]);
      const looks = { ...store.looks, values: turned(values), transfer: turned(transfer) };
      store.replace({ ...store.document, ...mirroredUnit(store.document) }, looks);
    },
    showValues: ([low, high]) => store.look({ values: roundedWindow([low, high]) }),
    showTransfer: (window) => store.look({ transfer: roundedWindow(window) }),
    fitValues: () => store.look({ values: null }),
    fitTransfer: () => store.look({ transfer: null }),
  };
}
