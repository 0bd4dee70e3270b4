/** The room "Fit": a sum of rectified terms fitted to data, live. */

import { CopiesPanel } from "../sums/copies_panel.js";
import { button, element, setAttributes, setText } from "../basics/dom.js";
import { fitActionsOn } from "./actions.js";
import { FitBench } from "./bench.js";
import { FitDataPanel } from "./data_panel.js";
import { GradientPanel } from "./gradient_panel.js";
import { FitHandles } from "./handles.js";
import { FitReadout, KinksPanel } from "./numbers_panel.js";
import { FitLayer, cornersOfFit, drawFit, sumFromTerms } from "./picture.js";
import { FitSettingsPanel } from "./settings_panel.js";
import { CriterionPlot, ResidualsPlot } from "./small_plots.js";
import { decodeFit, encodeFit, fitQuestion, initialFit, whyFitIsEmpty } from "./state.js";
import { fitPointTools, listenForTables } from "./tools.js";
import { arrowOf, makePannable, zoomedByStep } from "../plot/gestures.js";
import { shown } from "../plot/numerals.js";
import { Plot } from "../plot/plot.js";

const PATIENT = 300; // milliseconds after which the page says that a fit is running
const FIT_EMPTY = [0, 10, 0, 10];

class FitRoom {
  #frame = null;

  constructor({ store, connection, colours }) {
    Object.assign(this, { store, connection, colours });
    this.bench = new FitBench(connection, () => this.#request());
    const { bench } = this;
    const view = {
      get fit() {
        return bench.fit;
      },
      get data() {
        return bench.data;
      },
      window: () => this.#window(),
    };
    this.actions = fitActionsOn(store, view);
    this.layer = new FitLayer();
    const scene = (pen, plot) => drawFit(pen, plot, this.#picture());
    this.plot = new Plot({ label: "Data and fit", colours, scene, afterwards: () => this.#placeHandles() });
    this.handles = new FitHandles(this.plot, this.actions);
    this.residuals = new ResidualsPlot(colours);
    this.criterion = new CriterionPlot(colours, this.actions);
    this.data = new FitDataPanel(bench, this.actions);
    this.settings = new FitSettingsPanel(this.actions);
    this.readout = new FitReadout();
    this.kinks = new KinksPanel(this.actions);
    this.gradient = new GradientPanel(bench, colours, () => this.#request());
    this.copies = new CopiesPanel(connection, "halfwave-fit");
    this.element = this.#layout();
    this.#listen();
  }

  enter() {
    this.clock = setInterval(() => this.#showRunning(), 100);
  }

  leave() {
    clearInterval(this.clock);
    this.gradient.pause();
  }

  /** Show the store as it is now. */
  show() {
    const { document, looks } = this.store;
    const { bench } = this;
    if (document.source.unasked && bench.files.length && !bench.reading) {
      this.actions.choose({ file: bench.files[0] });
      return;
    }
    bench.ask(document, looks.held);
    const fit = bench.fit;
    this.gradient.count = bench.data?.count ?? 0;
    this.gradient.show(fitQuestion(document, null), fit ? fit.kinks.length : document.kinks === "auto" ? 1 : document.kinks);
    this.plot.window = this.#window();
    setAttributes(this.plot.canvas, { "aria-label": this.#inWords() });
    this.plot.element.dataset.tool = looks.tool;
    this.plot.draw();
    this.residuals.show(bench.data, fit, this.plot.window);
    this.data.show(document, looks);
    this.settings.show(document, fit);
    this.criterion.show(bench, document, fit?.kinks.length);
    this.readout.show(bench, document);
    // numbers follow the hand; the table waits until it rests
    if (!looks.held) this.kinks.show(bench, document);
    if (fit !== this.taken) this.copies.show(fit && sumFromTerms(fit.function));
    this.taken = fit;
    this.element.dataset.fit = !bench.isCurrent ? "asked" : bench.details ? "sure" : "fitted";
    this.#showRunning();
  }

  #request() {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null;
      if (!this.element.hidden) this.show();
    });
  }

  /** Where held kinks are while Python still fits the heights to them; null where its answer shows them. */
  #held() {
    const { document: { kinks, pins }, looks } = this.store;
    const ahead = !this.bench.isCurrent && kinks === pins.length && kinks === this.bench.fit?.kinks.length;
    return looks.held ?? (ahead ? pins : null);
  }

  #picture() {
    const { data, fit, details } = this.bench;
    return { data, fit, details, held: this.#held(), layer: this.layer, gradient: this.gradient.shown };
  }

  #placeHandles() {
    const { selected, tool } = this.store.looks;
    const { fit } = this.bench;
    const shows = fit && !this.gradient.shown && tool === "look";
    this.handles.show(shows ? cornersOfFit(fit, this.#held()).slice(1, -1) : [], selected);
  }

  /** The window of the looks, or one around the data. */
  #window() {
    const { window } = this.store.looks;
    if (window) return window;
    const ends = this.bench.data?.ends;
    // while other data are on their way the axes stay
    if (!ends) return whyFitIsEmpty(this.store.document.source) ? FIT_EMPTY : this.around ?? FIT_EMPTY;
    const [left, right, bottom, top] = ends;
    const [across, up] = [0.07 * (right - left) || 1, 0.12 * (top - bottom) || 1];
    this.around = [left - across, right + across, bottom - up, top + up].map((end) => Number(end.toPrecision(8)));
    return this.around;
  }

  #inWords() {
    const { data, fit } = this.bench;
    if (!data) return "Plot without data";
    const kinks = fit ? `; fit with kinks ${fit.kinks.map((kink) => shown(kink, 5)).join(", ") || "none"}` : "";
    return `Plot of ${data.count} points, ${data.names[1]} against ${data.names[0]}${kinks}`;
  }

  /** What is wrong, or what is under way and for how long. */
  #showRunning() {
    const { since, error, held, stopped } = this.bench;
    const waited = since === null ? 0 : performance.now() - since;
    const runs = since !== null && (this.bench.reading?.large || waited > PATIENT);
    const text = runs ? `${this.#underWay()} ${(waited / 1000).toFixed(1)} s` : this.#emptiness() ?? error?.message ?? "";
    setText(this.notice, text);
    this.banner.hidden = !text;
    this.banner.dataset.kind = runs ? "running" : held || stopped ? "soft" : "trouble";
    this.cancel.hidden = !runs;
    this.again.hidden = runs || !stopped || this.connection.state !== "open";
  }

  #underWay() {
    const { reading, data } = this.bench;
    const { file, name } = this.store.document.source;
    if (reading) return `reading ${reading.name}…`;
    return data ? "fitting…" : `reading ${file ?? name ?? "the data"}…`;
  }

  #emptiness() {
    const { source } = this.store.document;
    return source.points?.length === 0 ? "no points yet" : whyFitIsEmpty(source);
  }

  #listen() {
    const tools = fitPointTools(this.store, this.plot, this.actions);
    makePannable(this.plot, { setWindow: this.actions.setWindow, grab: (x, y) => tools.grab(x, y), hover: () => {} });
    listenForTables(this.element, this.data);
    this.plot.element.addEventListener("keydown", (event) => {
      const here = event.target === this.plot.element;
      const zoom = { "+": -1, "=": -1, "-": 1 }[event.key];
      const arrow = here && arrowOf(event);
      const { selected } = this.store.looks;
      const corner = this.handles.corners?.[Math.min(selected, this.handles.corners.length - 1)];
      if (arrow && corner) this.actions.nudgeKink(this.handles.corners.indexOf(corner), corner[0] + (arrow[0] || arrow[1]) * this.handles.keyStep);
      else if (zoom && !event.ctrlKey && !event.metaKey) this.#zoom(zoom);
      else if (event.key === "Escape") this.actions.setTool("look");
      else return;
      event.preventDefault();
    });
    this.connection.subscribe(() => {
      if (this.connection.state !== "open") this.bench.forget();
      this.#request();
    });
  }

  #zoom(direction) {
    this.actions.setWindow(zoomedByStep(this.plot.window, direction));
  }

  #layout() {
    const { plot } = this;
    const label = "Data and fit; arrow keys move the selected kink, plus and minus zoom";
    setAttributes(plot.element, { tabindex: "0", role: "group", "aria-label": label });
    this.notice = element("span", { role: "status" });
    this.cancel = button("Cancel", "Cancel the fit that is running", () => this.bench.cancel());
    this.again = button("Fit again", "Fit again", () => this.bench.again());
    this.banner = element("div", { class: "fit-banner", hidden: true }, this.notice, this.cancel, this.again);
    plot.element.append(this.banner, element("div", { class: "zoom" },
      button("+", "Zoom in", () => this.#zoom(-1)),
      button("−", "Zoom out", () => this.#zoom(1)),
      button("All", "Show all points", this.actions.fitWindow)));
    const stage = element("div", { class: "stage" }, plot.element, this.residuals.element, this.readout.element);
    const panels = element("div", { class: "panels" }, this.data.element, this.settings.element, this.criterion.element, this.gradient.element);
    const copies = element("section", { class: "card", "aria-label": "Take the function along" }, this.copies.elements);
    const below = element("div", { class: "below" }, this.kinks.element, copies);
    return element("div", { class: "room fit-room" }, stage, panels, below);
  }
}

/** The entry of this room in the registry. */
export const fitRoom = {
  name: "fit",
  title: "Fit",
  initial: initialFit,
  encode: encodeFit,
  decode: decodeFit,
  open: (context) => new FitRoom(context),
};
