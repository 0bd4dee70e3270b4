"""The widget of a notebook: its function and the one in the cell are one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from browser_cases import Open, drag, settle, until
from explorer_cases import sum_of

import halfwave as hw
import halfwave.functions as hf

pytest.importorskip("anywidget", reason="the widget needs the extra `notebook`")

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# a notebook as the widget sees it: a model with traits and messages, whose other end is in Python
HOST = """
async ({ program, style, sum }) => {
  const heard = { "change:sum": [], "msg:custom": [] };
  const tell = (event, value) => heard[event].forEach((listener) => listener(value));
  const traits = { _style: style, sum };
  window.notebook = {
    get: (name) => traits[name],
    set: (name, value) => { traits[name] = value; },
    save_changes: () => window.toPython(traits.sum),
    send: async (message) => {
      for (const reply of await window.askPython(message)) tell("msg:custom", reply);
    },
    on: (event, listener) => heard[event].push(listener),
    off: (event, listener) => { heard[event] = heard[event].filter((other) => other !== listener); },
    fromPython: (value) => { traits.sum = value; tell("change:sum", value); },
  };
  const url = URL.createObjectURL(new Blob([program], { type: "text/javascript" }));
  const widget = (await import(url)).default;
  for (const name of ["one", "other"]) {
    const el = document.createElement("div");
    el.id = name;
    document.body.append(el);
    widget.render({ model: window.notebook, el });
  }
}
"""


def test_function_follows_the_cell_and_the_cell_the_function() -> None:
    explorer = hw.explorer.Explorer(hf.double_relu(-1.2, -1.2, 0.5, 1))
    seen: list[Any] = []
    explorer.observe(lambda change: seen.append(change["new"]), names="function")
    explorer.sum = {"terms": [[2, 1, -1, True], [5, 1, 0, False]], "slope": 0.5, "offset": 1, "leak": 0.25}
    x = np.linspace(-3, 3, 61)
    want = 2 * hf.leaky_relu(0.25).compose(hf.identity() - 1) + 0.5 * hf.identity() + 1
    np.testing.assert_allclose(explorer.function(x), want(x), atol=1e-12)
    assert len(seen) == 1
    explorer.function = hf.absolute()
    shown = explorer.sum
    assert sum_of([tuple(term[:3]) for term in shown["terms"]], slope=shown["slope"]) == hf.absolute()
    assert seen[-1](-2.0) == 2.0


def test_the_same_function_in_other_terms_is_left_as_written() -> None:
    explorer = hw.explorer.Explorer()
    written = {"terms": [[0.5, 2, 0, True]], "slope": 0, "offset": 0, "leak": 0}
    explorer.sum = written
    assert explorer.sum == written
    assert explorer.function == hf.relu()


@pytest.mark.parametrize(
    ("function", "words"),
    [(hf.step(1.0), "no jumps"), ("relu", "got a str"), (np.abs, "shows a PiecewiseLinear function")],
)
def test_functions_that_cannot_be_shown(function: Any, words: str) -> None:
    with pytest.raises(hw.HalfwaveError, match=words):
        hw.explorer.Explorer(function)


@pytest.mark.parametrize("terms", [None, [[1, 2]], [[1, 2, "x", True]], [[1, 1e400, 0, True]]])
def test_broken_sums_are_refused(terms: Any) -> None:
    explorer = hw.explorer.Explorer()
    with pytest.raises(hw.HalfwaveError):
        explorer.sum = {"terms": terms}
    assert explorer.function == hf.relu()


@pytest.fixture
def cell(browser: Browser) -> Iterator[tuple[Page, Any]]:
    """A page with the widget shown twice, and the widget."""
    from halfwave.explorer.server.page import WIDGET, script, style

    explorer = hw.explorer.Explorer(hf.double_relu(-1.2, -1.2, 0.5, 1))
    page = browser.new_page(viewport={"width": 900, "height": 1000})
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
    page.goto("about:blank")
    replies: list[Any] = []
    explorer.send = lambda content, buffers=None: replies.append(content)

    def ask(message: Any) -> list[Any]:
        replies.clear()
        explorer._receive(explorer, message, None)
        return list(replies)

    page.expose_function("askPython", ask)
    page.expose_function("toPython", lambda value: setattr(explorer, "sum", value))
    page.evaluate(HOST, {"program": script(WIDGET), "style": style(), "sum": explorer.sum})
    page.locator("#one .plot canvas").first.wait_for()
    yield page, explorer
    page.close()
    assert complaints == []


def test_widget_in_a_cell(cell: tuple[Page, Any]) -> None:
    page, explorer = cell
    formula = "document.querySelector('#one').shadowRoot.querySelector('#library-formula').textContent"
    until(page, f"{formula} !== '…'")
    box = page.locator("#one").get_by_label("Kink of term 2", exact=True).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 12, box["y"] + 12)
    page.mouse.down()
    page.mouse.move(box["x"] + 92, box["y"] + 12, steps=6)
    page.mouse.up()
    page.wait_for_timeout(150)
    moved = page.locator("#one").get_by_label("Kink of term 2", exact=True).get_attribute("aria-valuenow")
    assert float(moved or "nan") > -1.0
    assert max(explorer.function.kinks) == pytest.approx(float(moved or "nan"))
    page.evaluate("sum => window.notebook.fromPython(sum)", explorer.sum)
    explorer.function = hf.hard_tanh()
    page.evaluate("sum => window.notebook.fromPython(sum)", json.loads(json.dumps(explorer.sum)))
    settle(page)
    for view in ("one", "other"):
        places = page.locator(f"#{view} .handle.kink").evaluate_all("n => n.map(n => +n.ariaValueNow)")
        assert sorted(places) == [-1.0, 1.0]


def test_typing_in_a_cell_keeps_the_text(cell: tuple[Page, Any]) -> None:
    page, explorer = cell
    typed = page.locator("#one").get_by_label("weight w of term 1, as a number")
    typed.fill("")
    typed.press_sequentially("-2.50")
    page.wait_for_timeout(150)
    assert typed.input_value() == "-2.50"
    assert explorer.sum["terms"][0][0] == -2.5


def test_narrow_cells_stack(open_page: Open) -> None:
    page = open_page()
    page.set_viewport_size({"width": 700, "height": 900})
    settle(page)
    drag(page, "Kink of term 1", 40)
    stage, panels = (page.locator(f".{name}").first.bounding_box() for name in ("stage", "panels"))
    assert stage is not None
    assert panels is not None
    assert panels["y"] >= stage["y"] + stage["height"]
