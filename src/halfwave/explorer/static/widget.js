/** The widget of a notebook: one room in a cell, its function in step with the one that Python holds. */

import { Connection } from "./basics/connection.js";
import { element } from "./basics/dom.js";
import { mount } from "./explorer.js";
import { functionsRoom } from "./functions/room.js";
import { startingWith, termOf } from "./functions/state.js";

/** A line over the messages of a widget's model; it is open as long as the cell is. */
const modelLine = (model) => ({ opened, received }) => {
  // a widget shown twice has two views on one model: each takes its own answers
  const view = crypto.getRandomValues(new Uint32Array(1))[0];
  model.on("msg:custom", (message) => {
    if (message.view === view) received(message.text);
  });
  queueMicrotask(opened);
  return (text) => model.send({ view, text });
};

/** The sum of the room as the model holds it: [w, m, b, on] of each term. */
function modelSumOf({ terms, slope, offset, leak }) {
  return { terms: terms.map(({ w, m, b, on }) => [w, m, b, on]), slope, offset, leak };
}

function fromModelSum({ terms, slope, offset, leak }) {
  return { terms: terms.map(([w, m, b, on]) => termOf([w, m, b], on)), slope, offset, leak };
}

function renderWidget({ model, el }) {
  const home = element("div", { class: "widget" });
  const root = el.attachShadow({ mode: "open" });
  root.append(element("style", {}, model.get("_style")), home);
  const initial = functionsRoom.initial().document;
  const documents = { functions: startingWith(initial, fromModelSum(model.get("sum"))) };
  const connection = new Connection(modelLine(model));
  const { store } = mount(home, { rooms: [functionsRoom], connection, address: false, documents });
  // what came from Python is not sent back
  let shared = JSON.stringify(modelSumOf(store.document));
  const told = () => {
    const sum = model.get("sum");
    if (JSON.stringify(sum) === shared) return;
    shared = JSON.stringify(sum);
    const { document, looks } = startingWith(store.document, fromModelSum(sum));
    store.replace(document, looks);
  };
  let sending = null;
  store.subscribe(() => {
    sending ??= setTimeout(() => {
      sending = null;
      const sum = modelSumOf(store.document);
      if (JSON.stringify(sum) === shared) return;
      shared = JSON.stringify(sum);
      model.set("sum", sum);
      model.save_changes();
    }, 50);
  });
  model.on("change:sum", told);
  return () => model.off("change:sum", told);
}

export default { render: renderWidget };
