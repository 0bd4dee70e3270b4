/** What a person can do in the room "Machine": each action is one change of the store. */

import { bytesOf } from "../basics/dom.js";
import { machineLevelOfByte } from "./editor.js";
import { machineClampsFor } from "./state.js";

/** The actions on this store; `model` is what Python has answered, `live` keeps the chains walking. */
export function machineActions(store, model, live) {
  const visible = () => model.run?.visible;
  const clamp = (levels, gesture = null) => {
    store.change({ clamped: levels.some((level) => level >= 0) ? levels : null }, gesture);
  };
  const clamps = () => machineClampsFor(store.document, visible());
  let example = 0;

  return {
    rest: () => store.rest(),
    choose: (name) => {
      store.look({ unit: null, value: null });
      store.change({ name, clamped: null, held: false, letters: "" });
    },
    set: (key, value) => {
      if (key === "rate") store.look({ rate: value });
      else store.change({ [key]: value }, key === "start" ? null : key);
    },
    play: () => store.look({ playing: !store.looks.playing }),
    once: () => live.once(),
    restart: () => store.look({ round: store.looks.round + 1 }),
    select: (unit) => {
      if (unit === store.looks.unit) return;
      store.look({ unit, value: null });
      if (store.document.held) store.change({ held: false });
    },
    move: (value) => {
      const [low, high] = model.unit?.range ?? [value, value];
      store.look({ value: Math.min(Math.max(value, low), high) });
    },
    hold: (held) => {
      const { unit, move } = model;
      if (!unit) return;
      const value = store.looks.value ?? (unit.discrete ? unit.range[1] : move?.value ?? null);
      if (value !== store.looks.value) store.look({ value });
      store.change({ held });
    },
    brush: (level) => store.look({ level }),
    paint: (site, level) => {
      const levels = clamps();
      if (levels[site] === level) return;
      clamp(levels.map((old, at) => (at === site ? level : old)), "paint");
    },
    takeExample: (index = null) => {
      if (!model.data) return;
      const bytes = bytesOf(model.data.pictures);
      const { sites } = visible();
      const chosen = index ?? example++ % (bytes.length / sites);
      const own = bytes.subarray(chosen * sites, (chosen + 1) * sites);
      clamp(Array.from(own, (byte) => machineLevelOfByte(byte, visible())));
    },
    freeHalf: () => clamp(clamps().map((level, site, all) => (site >= all.length / 2 ? -1 : level))),
    freeAll: () => clamp(clamps().map(() => -1)),
    spell: (letters) => store.change({ letters }, "letters"),
  };
}
