/** What a person can do to the terms: each action is one change of the store. */

import { withKink } from "./handles.js";
import { STARTS, startingWith, termOf } from "./state.js";
import { roundedWindow } from "../plot/gestures.js";
import { tidy } from "../plot/numerals.js";
import { kinkOf, windowOf } from "../sums/sums.js";

const NUDGE = 0.1;

/** The actions on this store. */
export function actionsOn(store) {
  const terms = () => store.document.terms;
  const replaceTerm = (index, patch, gesture) => {
    store.change({ terms: terms().map((term, at) => (at === index ? { ...term, ...patch } : term)) }, gesture);
  };
  const select = (selected) => {
    if (selected !== store.looks.selected) store.look({ selected });
  };
  const insert = (index, term) => {
    store.change({ terms: [...terms().slice(0, index), term, ...terms().slice(index)] });
    select(index);
  };

  return {
    select,
    rest: () => store.rest(),
    set: replaceTerm,
    change: (patch, gesture) => store.change(patch, gesture),
    mute: (index) => replaceTerm(index, { on: !terms()[index].on }, null),
    add: () => insert(terms().length, termOf([1, 1, tidy(0 - freePlace(terms()))])),
    duplicate: (index) => {
      const term = terms()[index];
      insert(index + 1, { ...term, b: tidy(term.b - term.m * 0.5) });
    },
    remove: (index) => {
      store.change({ terms: terms().filter((_, at) => at !== index) });
      select(Math.max(0, Math.min(store.looks.selected, terms().length - 1)));
    },
    moveKink: (index, kink) => replaceTerm(index, withKink(terms()[index], kink), `kink ${index}`),
    nudgeKink: (index, steps) => {
      const kink = terms()[index] && kinkOf(terms()[index]);
      if (kink === null || kink === undefined) return;
      replaceTerm(index, withKink(terms()[index], tidy(kink + steps * NUDGE)), `nudge ${index}`);
      store.restLater();
    },
    start: (name) => {
      const { document, looks } = startingWith(store.document, { terms: STARTS[name].map((row) => termOf(row)) });
      store.replace(document, looks);
    },
    take: ({ terms: rows, slope, offset }) => {
      const sum = { terms: rows.map((row) => termOf(row)), slope, offset };
      const { document, looks } = startingWith(store.document, sum);
      store.replace(document, looks);
    },
    showDerivative: (derivative) => {
      store.change({ derivative });
      // it is a surprise to switch a curve on and not to see it
      const [left, right, bottom, top] = store.looks.window;
      const [, , low, high] = windowOf(store.document);
      if (derivative) store.look({ window: [left, right, Math.min(bottom, low), Math.max(top, high)] });
    },
    fit: () => store.look({ window: windowOf(store.document) }),
    setWindow: (window) => store.look({ window: roundedWindow(window) }),
    probe: (probe) => store.look({ probe }),
  };
}

/** A whole number, near zero, at which no term has its kink yet. */
function freePlace(terms) {
  const taken = new Set(terms.map(kinkOf));
  const places = Array.from({ length: 2 * terms.length + 1 }, (_, index) => (index % 2 ? (index + 1) / 2 : -index / 2) + 0);
  return places.find((place) => !taken.has(place));
}
