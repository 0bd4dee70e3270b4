"""The page in a real browser: its numbers are the library's, and hand, keys and links do what they should."""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from browser_cases import Open, drag, read, saved_pictures, settle, swipe, until
from explorer_cases import port_of, running, sum_of
from PIL import Image

import halfwave as hw
import halfwave.functions as hf
from halfwave.explorer import export

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

TRIPLE = [(1.0, 1.0, 2.0), (-2.5, 1.0, 0.0), (2.0, 1.0, -1.5)]
TRIPLE_LINK = "#functions?t=1,1,2;-2.5,1,0;2,1,-1.5"


def wait_for_python(page: Page, name: str = "library-formula") -> None:
    until(page, f"!['…', ''].includes(document.getElementById('{name}').textContent)")


def terms_of(page: Page) -> list[tuple[float, ...]]:
    """m, b and w of each card, as its boxes say."""
    boxes = page.locator(".term input[type=number]").evaluate_all("nodes => nodes.map(node => +node.value)")
    return [tuple(boxes[i : i + 3]) for i in range(0, len(boxes), 3)]


def kink(page: Page, term: int) -> float:
    return float(page.get_by_label(f"Kink of term {term}").get_attribute("aria-valuenow") or "nan")


SUMS = {
    "triple": ("t=1,1,2;-2.5,1,0;2,1,-1.5", sum_of(TRIPLE)),
    "muted": ("t=1,1,2;-2.5,1,0,off;2,1,-1.5", sum_of([TRIPLE[0], TRIPLE[2]])),
    "leaky": ("t=1,-1.2,-1.2;3,0.5,1&leak=0.1", sum_of([(1, -1.2, -1.2), (3, 0.5, 1)], leak=0.1)),
    "line": ("t=2,1,-0.3;1.5,0,4&line=-0.7,0.2", sum_of([(2, 1, -0.3), (1.5, 0, 4)], slope=-0.7, offset=0.2)),
    "nothing": ("t=", sum_of([])),
}


@pytest.mark.parametrize("name", SUMS)
def test_numbers_equal_the_library(open_page: Open, name: str) -> None:
    link, f = SUMS[name]
    page = open_page(f"#functions?{link}&show=input&input=0.4,1.5")
    for x in (-3.3, -2.0, 0.0, 0.4, 1.5, 2.75):
        page.get_by_label("x at which to read the values").fill(str(x))
        settle(page)
        got = [read(page, f"read-{what}") for what in ("value", "slope", "integral")]
        want = [f(x), f.derivative()(x), f.antiderivative()(x)]
        assert got == pytest.approx(want, rel=1e-12, abs=1e-12)
    wait_for_python(page, "gaussian-mean")
    assert read(page, "gaussian-mean") == pytest.approx(f.gaussian_mean(0.4, 1.5), rel=1e-12)
    assert page.locator("#library-formula").inner_text() == typeset(f.formula(digits=6))


def typeset(text: str) -> str:
    return text.replace("relu(", "max(0, ").replace("*", "·").replace("-", "−")


def test_kink_and_slope_follow_the_hand(open_page: Open) -> None:
    page = open_page()
    before = terms_of(page)
    drag(page, "Kink of term 2", 200)
    assert kink(page, 2) == pytest.approx(-2 + 200 / 858 * 7, abs=0.02)
    (m, b, w), other = terms_of(page)[1], terms_of(page)[0]
    assert (m, w, other) == (0.5, 1.0, before[0])
    assert b == pytest.approx(-0.5 * kink(page, 2))
    drag(page, "Slope of term 2", 0, -60)
    steeper = terms_of(page)[1]
    assert steeper[0] > 0.5
    assert -steeper[1] / steeper[0] == pytest.approx(-b / m, abs=1e-9)
    drag(page, "Slope of term 2", 0, 240)
    assert terms_of(page)[1][2] == -1.0, "an arm below the axis has a negative weight"
    # each drag is one step of undo
    for _ in range(3):
        page.get_by_role("button", name="Undo").click()
    settle(page)
    assert terms_of(page) == before
    assert page.get_by_role("button", name="Undo").is_disabled()
    page.keyboard.press("Control+Shift+Z")
    settle(page)
    assert terms_of(page)[1][1] == pytest.approx(b)
    page.keyboard.press("Control+z")
    settle(page)
    assert terms_of(page) == before


def test_kink_of_the_sum_can_be_dragged_and_the_ground_pans(open_page: Open) -> None:
    page = open_page("#functions?t=1,1,-1&window=-4,4,-2,6")
    canvas = page.locator(".plot canvas").first.bounding_box()
    assert canvas is not None
    x = canvas["x"] + canvas["width"] * 5 / 8
    y = canvas["y"] + canvas["height"] * 6 / 8 - 14  # beside the handle, within reach of the dot
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + canvas["width"] / 8, y, steps=4)
    page.mouse.up()
    settle(page)
    assert kink(page, 1) == pytest.approx(2.0, abs=0.02)
    page.mouse.move(x, canvas["y"] + 100)
    page.mouse.down()
    page.mouse.move(x + canvas["width"] / 8, canvas["y"] + 100, steps=4)
    page.mouse.up()
    page.mouse.wheel(0, -200)
    until(page, "location.hash.includes('window=') && !location.hash.includes('-4,4')")
    assert kink(page, 1) == pytest.approx(2.0, abs=0.02), "panning moves the window only"


def test_keys(open_page: Open) -> None:
    page = open_page()
    page.get_by_label("Kink of term 1").focus()
    for key, place in (
        ("ArrowRight", -0.9),
        ("Shift+ArrowRight", -0.89),
        ("ArrowLeft", -0.99),
        ("Shift+ArrowLeft", -1.0),
    ):
        page.keyboard.press(key)
        settle(page)
        assert kink(page, 1) == pytest.approx(place, abs=1e-9)
    page.get_by_label("Slope of term 1").focus()
    page.keyboard.press("ArrowUp")
    settle(page)
    assert terms_of(page)[0][0] == pytest.approx(-1.3)
    assert kink(page, 1) == pytest.approx(-1.0)
    page.locator(".plot").first.focus()
    page.keyboard.press("ArrowRight")
    settle(page)
    assert kink(page, 1) == pytest.approx(-0.9)
    page.get_by_label("Kink of term 2").focus()
    page.keyboard.press("Delete")
    settle(page)
    assert len(terms_of(page)) == 1
    page.keyboard.press("ArrowRight")
    settle(page)
    assert kink(page, 1) == pytest.approx(-0.8), "the focus goes to the kink that is left"
    page.get_by_role("button", name="Duplicate term 1").click()
    settle(page)
    page.get_by_role("button", name="Remove term 2").press("Enter")
    settle(page)
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Mute term 1"


def test_tab_reaches_everything_in_order(open_page: Open) -> None:
    page = open_page()
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        settle(page)
        seen.append(
            page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.id")
        )
    places = [seen.index(label) for label in (
        "Kink of term 1", "Slope of term 1", "Kink of term 2", "Slope of term 2", "Zoom in", "Single ReLU",
        "Mute term 1",
        "slope m of term 1", "Add a term", "Show the derivative", "Copy as Python",
    )]  # fmt: skip
    assert places == sorted(places)
    unnamed = page.evaluate(
        "[...document.querySelectorAll('button, input, [role]')].filter(node => !node.textContent.trim()"
        " && !node.getAttribute('aria-label') && node.getAttribute('role') !== 'status'"
        " && node.getAttribute('role') !== 'alert').map(node => node.outerHTML)"
    )
    assert unnamed == []


def test_terms_come_and_go(open_page: Open) -> None:
    page = open_page()
    page.get_by_role("button", name="Single ReLU").click()
    settle(page)
    assert terms_of(page) == [(1, 0, 1)]
    page.get_by_role("button", name="Add a term").click()
    page.get_by_role("button", name="Duplicate term 2").click()
    settle(page)
    assert terms_of(page) == [(1, 0, 1), (1, -1, 1), (1, -1.5, 1)]
    page.get_by_role("button", name="Mute term 1").click()
    page.get_by_role("button", name="Remove term 3").click()
    settle(page)  # the cards are made anew
    page.get_by_label("weight w of term 2, as a number").fill("-2.5")
    page.get_by_label("slope m of term 2", exact=True).evaluate(
        "node => { node.value = 3; node.dispatchEvent(new Event('input', { bubbles: true })); }"
    )
    page.get_by_label("x at which to read the values").fill("4")
    settle(page)
    assert read(page, "read-value") == sum_of([(-2.5, 3, -1)])(4.0)
    for _ in range(2):
        page.get_by_role("button", name="Remove term 1").click()
    settle(page)
    assert terms_of(page) == []
    assert read(page, "read-value") == 0.0
    assert page.locator("#formula").inner_text() == "f(x) = 0"


def test_copies_are_the_same_function(open_page: Open) -> None:
    page = open_page(f"{TRIPLE_LINK}&line=0.5,-1&leak=0.2", permissions=["clipboard-read", "clipboard-write"])
    f = sum_of(TRIPLE, leak=0.2, slope=0.5, offset=-1.0)
    x = np.linspace(-4, 4, 81)
    texts = {}
    for name in ("Python", "NumPy", "torch", "LaTeX", "JSON"):
        page.get_by_role("button", name=f"Copy as {name}").click()
        until(page, "document.querySelector('.copied').dataset.note === 'copied'")
        texts[name] = page.evaluate("navigator.clipboard.readText()")
    for name in ("Python", "NumPy"):
        names: dict[str, Any] = {}
        exec(texts[name], names)
        np.testing.assert_allclose(names["f"](x), f(x), atol=1e-12)
    names = {}
    exec(texts["torch"], names)
    np.testing.assert_allclose(names["SumOfReLUs"]()(torch.from_numpy(x)).detach().numpy(), f(x), atol=1e-12)
    again = hw.functions.relu_sum(**json.loads(texts["JSON"]))
    np.testing.assert_allclose(again(x), f(x), atol=1e-12)
    assert texts["LaTeX"].startswith(
        r"f(x) = \max\left(0, x + 2\right) - 2.5 \max\left(0, x\right) + 2 \max\left(0, x - 1.5\right)"
    )


def test_function_is_saved_as_text_and_as_onnx(open_page: Open) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="needs the extra `onnx`")
    page = open_page(f"{TRIPLE_LINK}&line=0.5,-1&leak=0.2")
    wait_for_python(page)
    files = {}
    page.get_by_role("button", name="Copy as NumPy").click()
    for name in ("Save the function as an ONNX model", "Save this text as a file"):
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        files[download.value.suggested_filename] = Path(download.value.path()).read_bytes()
    x = np.linspace(-4, 4, 81)
    want = sum_of(TRIPLE, leak=0.2, slope=0.5, offset=-1.0)(x)
    names: dict[str, Any] = {}
    exec(files["halfwave-function-numpy.py"], names)
    np.testing.assert_allclose(names["f"](x), want, atol=1e-12)
    model = runtime.InferenceSession(files["halfwave-function.onnx"])
    np.testing.assert_allclose(model.run(None, {"x": x[:, None]})[0][:, 0], want, atol=1e-12)


def test_typed_formula_is_read_by_the_library(open_page: Open) -> None:
    page = open_page()
    wait_for_python(page)
    box = page.get_by_label("Formula to read")
    box.fill("clip(x, -1, 2) + 0.5x")
    box.press("Enter")
    f = hf.parse("clip(x, -1, 2) + 0.5x")
    page.locator("#library-formula").get_by_text(typeset(f.formula(digits=6)), exact=True).wait_for()
    for x in (-2.0, 0.5, 3.0):
        page.get_by_label("x at which to read the values").fill(str(x))
        settle(page)
        assert read(page, "read-value") == pytest.approx(f(x))
    box.fill("relu(x) + sin(x)")
    box.press("Enter")
    error = page.get_by_role("alert")
    error.get_by_text("`sin` is no known name").wait_for()
    assert "relu(x) + sin(x)\n" in error.inner_text()
    assert len(terms_of(page)) == 2


@pytest.mark.parametrize("threshold", [1.0, -0.75])
def test_thresholded_forms(open_page: Open, threshold: float) -> None:
    page = open_page()
    page.get_by_label("threshold T, as a number").fill(str(threshold))
    for x in (-2.0, threshold, 0.3, 2.5):
        page.get_by_label("x at which to read the values").fill(str(x))
        settle(page)
        for form in ("subtract", "keep", "floor"):
            assert read(page, f"threshold-{form}") == hf.thresholded_relu(threshold, form)(x), (form, x)


def test_threshold_follows_the_hand(open_page: Open) -> None:
    page = open_page()
    plot = page.get_by_label("Thresholded ReLU, form keep")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 60, steps=5)
    page.mouse.up()
    settle(page)
    assert float(page.get_by_label("threshold T, as a number").input_value()) == pytest.approx(1.5, abs=0.03)


def test_handles_at_one_place_are_all_in_reach(open_page: Open) -> None:
    page = open_page("#functions?t=1,1,0;1,-1,0;1,2,0")
    drag(page, "Kink of term 3", 120)
    drag(page, "Kink of term 2", -120)
    assert kink(page, 1) == 0
    assert kink(page, 2) < 0 < kink(page, 3)


def test_two_pages_do_not_disturb_each_other(open_page: Open) -> None:
    first, second = open_page(), open_page()
    drag(first, "Kink of term 1", 50)
    assert kink(second, 1) == -1.0
    assert kink(first, 1) > -1.0


def test_curves_on_switches(open_page: Open) -> None:
    page = open_page(TRIPLE_LINK)
    wait_for_python(page)
    shots = [page.locator(".plot").first.screenshot()]
    for name in ("Show the derivative", "Show the antiderivative", "Show a Gaussian input"):
        page.get_by_role("button", name=name).click()
        settle(page)
        assert page.get_by_role("button", name=name).get_attribute("aria-pressed") == "true"
        shots.append(page.locator(".plot").first.screenshot())
    assert len(set(shots)) == 4
    f = sum_of(TRIPLE)
    rows = page.get_by_label("Derivative, piece by piece", exact=True).locator("tr").count()
    assert rows == len(f.slopes)
    assert "0.5·x² + 2·x" in page.get_by_label("Antiderivative, piece by piece").inner_text()
    until(page, "document.getElementById('gaussian-zeros').value !== ''")
    # f is zero left of its first kink only
    assert read(page, "gaussian-zeros") == pytest.approx(1 - hf.step(-2.0).gaussian_mean(0, 1), rel=1e-9)


def test_link_reopens_the_picture(open_page: Open) -> None:
    first = open_page("#functions?t=1,1,2;-2.5,1,0,off;2,1,-1.5&show=derivative,input&input=0.5,2&T=-0.5")
    wait_for_python(first)
    drag(first, "Kink of term 1", 37)
    first.mouse.wheel(0, 120)
    first.get_by_label("x at which to read the values").fill("1")
    first.get_by_role("button", name="Copy a link to this picture").click()
    second = open_page("#" + first.url.partition("#")[2])
    wait_for_python(second)
    picture = "document.querySelector('.plot canvas').toDataURL()"
    same_looks = "Kink of term 1"
    for page in (first, second):
        page.get_by_label(same_looks).focus()
        page.get_by_label("x at which to read the values").fill("1")
        settle(page)
    assert first.evaluate(picture) == second.evaluate(picture)
    assert terms_of(first) == terms_of(second)
    # and in the page that is open already
    second.goto(second.url.partition("#")[0] + TRIPLE_LINK)
    until(second, "document.querySelector('.term .formula').textContent === 'max(0, x + 2)'")


@pytest.mark.parametrize(
    "link", ["#functions?t=1,1", "#functions?t=<b>,1,1", "#nowhere?x", "#functions?t=1,1,1e999", "#%"]
)
def test_broken_links_open_the_first_picture(open_page: Open, link: str) -> None:
    assert terms_of(open_page(link)) == [(-1.2, -1.2, 1), (0.5, 1, 1)]


@pytest.mark.parametrize(
    ("link", "entries"),
    [
        ("#functions?t=1,1&T=2", "t, T"),
        ("#functions?t=1,1,2&leak=7", "leak"),
        ("#units?gamma=-1,1&input=3", "gamma, input"),
        ("#fit?k=-3", "k"),
        (f"{TRIPLE_LINK}&window=-4,4,-2,6&show=input,derivative&leak=0", None),
        ("#functions", None),
        ("#fit?set=nile&k=3", None),
        ("#nowhere", None),
    ],
)
def test_links_that_are_not_understood_say_so(open_page: Open, link: str, entries: str | None) -> None:
    page = open_page(link)
    notice = page.locator(".link-notice")
    if entries is None:
        assert notice.is_hidden()
    else:
        assert notice.inner_text() == f"Not everything in this link could be read: see {entries}"


def test_every_room_reads_what_it_writes(open_page: Open) -> None:
    page = open_page()
    for room in ("Units", "Fit", "Machine", "Functions"):
        page.get_by_role("button", name=room, exact=True).first.click()
        page.wait_for_timeout(400)
        again = open_page("#" + page.url.partition("#")[2])
        assert again.locator(".link-notice").is_hidden(), again.url
        assert again.locator(".tab[aria-current=page]").inner_text() == room
    page.go_back()
    until(page, "document.querySelector('.tab[aria-current=page]').textContent === 'Machine'")


def test_downloads(open_page: Open) -> None:
    page = open_page(TRIPLE_LINK)
    files = saved_pictures(page, "functions")
    assert Image.open(io.BytesIO(files["PNG"])).size[0] > 1500
    drawing = ElementTree.fromstring(files["SVG"])
    assert len(drawing.findall(".//{http://www.w3.org/2000/svg}polyline")) > 10


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone(open_page: Open, scheme: Any) -> None:
    page = open_page(
        f"{TRIPLE_LINK}&show=derivative,integral,input",
        viewport={"width": 390, "height": 844},
        is_mobile=True,
        has_touch=True,
        color_scheme=scheme,
    )
    wait_for_python(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == {"light": "rgb(251, 251, 250)", "dark": "rgb(22, 25, 30)"}[scheme]
    swipe(page, "Kink of term 3", 40)
    assert kink(page, 3) == pytest.approx(1.5 + 40 / 390 * 8.5, abs=0.05)
    assert page.evaluate("scrollY") == 0


def test_theme_and_motion(open_page: Open) -> None:
    page = open_page(reduced_motion="reduce")
    assert (
        page.get_by_role("button", name="Undo").evaluate("n => getComputedStyle(n).transitionDuration")
        == "0s"
    )
    colours = []
    for _ in range(3):
        page.get_by_role("button", name="Theme").click()
        settle(page)
        colours.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert colours[0] == colours[2] == "rgb(251, 251, 250)"
    assert colours[1] == "rgb(22, 25, 30)"


def test_exported_page_works_from_disk(open_page: Open, tmp_path: Path) -> None:
    address = export(tmp_path / "page.html").as_uri()
    page = open_page(TRIPLE_LINK, address=address)
    drag(page, "Kink of term 3", 60)
    page.get_by_label("x at which to read the values").fill("3")
    settle(page)
    m, b, w = terms_of(page)[2]
    assert read(page, "read-value") == pytest.approx(sum_of([*TRIPLE[:2], (w, m, b)])(3.0))
    assert "this needs Python: open the page with `halfwave explore`" in page.locator(".notice").inner_text()
    page.get_by_label("Formula to read").fill("relu(x)")
    page.get_by_role("button", name="Read").click()
    page.get_by_role("alert").get_by_text("this needs Python").wait_for()
    until(page, "!location.hash.endsWith('-1.5')")
    assert re.search(r"page\.html#functions\?t=1,1,2;", page.url)


def test_page_comes_back_after_its_server(browser: Browser) -> None:
    with running() as address:
        port = port_of(address)
        page = browser.new_page()
        page.goto(address)
        page.wait_for_selector("[data-connection=open]")
    page.wait_for_selector("[data-connection=lost]")
    page.get_by_role("button", name="Single ReLU").click()
    with running("--port", str(port)):
        page.wait_for_selector("[data-connection=open]", timeout=15_000)
        until(page, "document.getElementById('library-formula').textContent === 'max(0, x)'")
        page.close()
