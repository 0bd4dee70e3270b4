/** What the pointer does to points, and how tables come in: by paste and by drop. */

import { snapped } from "../plot/numerals.js";

const APART = 12; // pixels between points of one stroke
const ERASER = 14;

/** Tools of the plot: `grab(x, y)` takes a press while points are drawn or removed. */
export function fitPointTools(store, plot, actions) {
  const stepOf = (low, high, pixels) => 10 ** Math.floor(Math.log10((1.5 * (high - low)) / Math.max(1, pixels)));
  const placeOf = (x, y) => {
    const [left, right, bottom, top] = plot.window;
    return [
      snapped(plot.abscissa(x), stepOf(left, right, plot.width)),
      snapped(plot.ordinate(y), stepOf(bottom, top, plot.height)),
    ];
  };
  let last = null;

  const draw = (x, y) => {
    if (last && Math.hypot(x - last[0], y - last[1]) < APART) return;
    last = [x, y];
    actions.addPoint(placeOf(x, y), "draw");
  };
  const erase = (x, y) => {
    const far = (point) => {
      const [across, down] = plot.point(point);
      return Math.hypot(across - x, down - y) > ERASER;
    };
    actions.removePoints(far, "erase");
  };

  return {
    grab: (x, y) => {
      const { tool } = store.looks;
      if (tool === "look") return null;
      last = null;
      const use = tool === "draw" ? draw : erase;
      use(x, y);
      return { move: use, release: () => store.rest() };
    },
  };
}

/** Take tables that are dropped on the room, or pasted while it is shown. */
export function listenForTables(room, panel) {
  const over = (on) => room.classList.toggle("fit-drop", on);
  room.addEventListener("dragover", (event) => {
    event.preventDefault();
    over(true);
  });
  room.addEventListener("dragleave", () => over(false));
  room.addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    const file = event.dataTransfer.files[0];
    if (file) panel.take(file);
    else panel.takeText(event.dataTransfer.getData("text/plain"), "dropped table");
  });
  document.addEventListener("paste", (event) => {
    // a path of events goes through shadows, whose inside a document does not name
    const [target] = event.composedPath();
    const text = event.clipboardData.getData("text/plain");
    if (room.hidden || !room.isConnected || /^(input|textarea)$/i.test(target.localName) || !text.trim()) return;
    event.preventDefault();
    panel.takeText(text, "pasted table");
  });
}
