/** What a person can do in the room "Fit": each action is one change of the store. */

import { DRAWN_POINTS, LINKED_POINTS } from "./state.js";
import { roundedWindow } from "../plot/gestures.js";
import { tidy } from "../plot/numerals.js";

const SAME_KINK = 1e-9; // of the range of the data: kinks so near are the same

/** The actions on this store; `view` tells what is shown: `fit` (or null), `data` (or null) and `window()`. */
export function fitActionsOn(store, view) {
  const change = (patch, gesture) => store.change(patch, gesture);
  const points = () => store.document.source.points ?? [];
  const setPoints = (next, gesture = null) =>
    change({ source: { ...store.document.source, points: next } }, gesture);
  const kinks = () => store.looks.held ?? view.fit?.kinks ?? [];
  const isPinned = (kink) => {
    const reach = SAME_KINK * (view.data ? view.data.ends[1] - view.data.ends[0] : 1);
    return store.document.pins.some((pin) => Math.abs(pin - kink) <= reach);
  };

  /** Hold all kinks where they are, with one of them moved, but not past its neighbours. */
  const hold = (index, kink, gesture) => {
    const before = kinks();
    if (before[index] === undefined || !view.data) return;
    const [start, end] = view.data.ends;
    const gap = (end - start) / 200;
    const low = (before[index - 1] ?? start) + gap;
    const high = (before[index + 1] ?? end) - gap;
    if (low > high) return;
    const held = before.map((place, at) => (at === index ? tidy(Math.min(Math.max(kink, low), high)) : place));
    store.look({ held, selected: index });
    // all of them stay where they are until they are given back: nothing jumps when the hand lets go
    change({ pins: held, kinks: held.length }, gesture);
  };
  const letGo = () => {
    if (store.looks.held) store.look({ held: null });
  };
  const rest = () => {
    store.rest();
    letGo();
  };

  return {
    isPinned,
    rest,
    change,
    select: (selected) => {
      if (selected !== store.looks.selected) store.look({ selected });
    },
    moveKink: (index, kink) => hold(index, kink, `kink ${index}`),
    nudgeKink: (index, kink) => {
      hold(index, kink, `nudge ${index}`);
      store.restLater(rest);
    },
    free: (index) => {
      letGo();
      const kink = kinks()[index];
      if (kink === undefined || !isPinned(kink)) return;
      const reach = SAME_KINK * (view.data.ends[1] - view.data.ends[0]);
      change({ pins: store.document.pins.filter((pin) => Math.abs(pin - kink) > reach) });
    },
    freeAll: () => {
      letGo();
      change({ pins: [] });
    },
    setKinks: (count, gesture) => {
      letGo();
      // more kinks may be held than are asked for now
      change({ kinks: count, ...(count !== "auto" && count < store.document.pins.length ? { pins: [] } : {}) }, gesture);
    },
    choose: (source) => store.replace({ ...store.document, source, pins: [] }, { ...store.looks, window: null, held: null, tool: "look" }),
    begin: () => {
      const fresh = { ...store.document, source: { points: [] }, kinks: "auto", pins: [] };
      store.replace(fresh, { ...store.looks, window: [0, 10, 0, 10], held: null, tool: "draw" });
    },
    columns: (x, y) => store.replace({ ...store.document, source: { ...store.document.source, x, y }, pins: [] }, { ...store.looks, window: null }),
    setTool: (tool) => {
      const { source } = store.document;
      store.look({ tool, window: view.window() });
      if (tool === "look" || source.points) return;
      // a few points are drawn into; instead of many a new picture begins
      const known = view.data && view.data.count <= LINKED_POINTS ? view.data.points : [];
      const names = known.length ? { names: view.data.names } : {};
      if (!known.length) store.look({ window: [0, 10, 0, 10] });
      change({ source: { points: known, ...names }, pins: [], ...(known.length ? {} : { kinks: "auto" }) });
    },
    addPoint: (point, gesture = null) => {
      if (points().length < DRAWN_POINTS) setPoints([...points(), point], gesture);
    },
    removePoints: (far, gesture = null) => {
      const kept = points().filter(far);
      if (kept.length < points().length) setPoints(kept, gesture);
    },
    clear: () => {
      store.look({ window: view.window() });
      change({ source: { points: [] }, pins: [] });
    },
    fitWindow: () => store.look({ window: null }),
    setWindow: (window) => store.look({ window: roundedWindow(window) }),
  };
}
