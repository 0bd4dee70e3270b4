"""The room "Units" in a real browser: numbers are the library's, links reopen it, and it works without a line."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser_cases import Open, drag, read, saved_pictures, settle, until
from PIL import Image
from units_cases import INPUT, LINKS, assert_numbers, link, unit_of

from halfwave.explorer import export
from halfwave.explorer.server import page as pages
from halfwave.explorer.units.answers import RECORDED
from halfwave.functions import two_sided_relu

if TYPE_CHECKING:
    from playwright.sync_api import WebSocketRoute


@pytest.mark.parametrize("name", LINKS)
def test_numbers_equal_the_library(open_page: Open, name: str) -> None:
    page = open_page(link(*LINKS[name]))
    assert unit_of(page) == LINKS[name]
    assert_numbers(page)
    mode = two_sided_relu(*LINKS[name][0])
    rows = page.get_by_label("Mode, piece by piece").locator("tr").all_inner_texts()
    assert len(rows) == len(mode.slopes)


def test_equal_wells_show_both_modes(open_page: Open) -> None:
    page = open_page("#units?theta=-2,2&gamma=1,1&I=0&T=1")
    until(page, "document.getElementById('unit-mode').textContent === '−2 and 2'")


def test_samples_gather_pause_and_start_anew(open_page: Open) -> None:
    page = open_page("#units")
    until(page, "+document.getElementById('unit-samples').value > 20000")
    button = page.get_by_role("button", name="Pause the samples")
    button.click()
    settle(page)
    assert button.inner_text() == "Go on"
    page.wait_for_timeout(200)
    paused = read(page, "unit-samples")
    page.wait_for_timeout(300)
    assert read(page, "unit-samples") == paused
    page.get_by_label("input I, as a number").fill("0.7")
    until(page, "document.getElementById('unit-samples').value === '1000'")
    page.wait_for_timeout(300)
    assert read(page, "unit-samples") == 1000
    button.click()
    until(page, "+document.getElementById('unit-samples').value > 4000")
    page.get_by_role("button", name="Functions", exact=True).click()
    page.wait_for_timeout(200)
    away = read(page, "unit-samples")
    page.wait_for_timeout(300)
    assert read(page, "unit-samples") == away, "nothing is drawn for a room that is not looked at"
    page.get_by_role("button", name="Units", exact=True).click()
    until(page, f"+document.getElementById('unit-samples').value > {away}")


def test_sixteen_units_are_taken_by_one_press(open_page: Open) -> None:
    page = open_page("#units?theta=1,0&gamma=1,1&I=0.5&T=1&x=0,1")
    cells = page.get_by_role("button", name="Take the unit")
    cells.first.wait_for()
    assert cells.count() == 16
    cell = page.get_by_role("button", name="Take the unit θ⁺ = −3, θ⁻ = 3, γ⁺ = 0.5, γ⁻ = 1")
    cell.click()
    settle(page)
    assert unit_of(page) == ((-3, 3, 0.5, 1), 0.5, 1)
    assert cell.get_attribute("aria-pressed") == "true"
    assert_numbers(page)
    painted = cells.locator("canvas").evaluate_all(
        "nodes => nodes.map(node => new Set(new Uint32Array(node.getContext('2d')"
        ".getImageData(0, 0, node.width, node.height).data.buffer)).size)"
    )
    assert min(painted) > 5


def test_link_reopens_the_picture(open_page: Open) -> None:
    first = open_page(f"{link(*LINKS['wells'])}&x=-4,7&view=-3,3,-4,6")
    assert_numbers(first)
    drag(first, INPUT, 31)
    first.get_by_role("button", name="Copy a link to this picture").click()
    second = open_page("#" + first.url.partition("#")[2])
    for page in (first, second):
        page.get_by_role("button", name="Pause the samples").click()
        assert_numbers(page)
        page.mouse.move(2, 2)
        settle(page)
    for plot in (1, 2):  # the density has samples of its own
        picture = f"document.querySelectorAll('.room.units .plot canvas')[{plot}].toDataURL()"
        assert first.evaluate(picture) == second.evaluate(picture)
    assert unit_of(first) == unit_of(second)
    second.goto(second.url.partition("#")[0] + "#units?theta=1,0&gamma=2,3&I=-1&T=0.5")
    settle(second)
    assert unit_of(second) == ((1, 0, 2, 3), -1, 0.5)


def test_broken_links_open_the_first_picture(open_page: Open) -> None:
    page = open_page("#units?theta=1&gamma=1,1,1")
    first = ((2, -2, 1, 1), 1, 1)
    assert unit_of(page) == first
    for text in ("?theta=<b>,1&gamma=0,1", "?gamma=-1,1&T=0&I=1e9", "?x=2,1&view=1,2,3", "?I=&theta=,"):
        page.goto(f"{page.url.partition('#')[0]}#units?theta=1,1&gamma=1,1&I=0&T=1")
        until(
            page, "location.hash.includes('theta=1,1') && document.getElementById('unit-input').value === '0'"
        )
        page.goto(f"{page.url.partition('#')[0]}#units{text}")
        settle(page)
        assert unit_of(page) == first, text
    assert_numbers(page)


def test_downloads(open_page: Open) -> None:
    page = open_page("#units")
    assert_numbers(page)
    files = saved_pictures(page, "units")
    assert Image.open(io.BytesIO(files["PNG"])).size[0] > 800
    drawing = ElementTree.fromstring(files["SVG"])
    assert "Density of a dReLU unit at input 1" in (drawing[0].text or "")
    assert "exact density  p(x | I)" in [node.text for node in drawing.iter() if node.tag.endswith("text")]


def test_exported_page_works_from_disk(
    open_page: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "halfwave.explorer.server.answers.recorded", lambda: RECORDED
    )  # spares the other rooms
    monkeypatch.setattr(pages, "_recorded", pages._recorded.__wrapped__)  # leaves no such page behind
    page = open_page("#units", address=export(tmp_path / "page.html").as_uri())
    assert_numbers(page)
    assert read(page, "unit-samples") == 5000
    page.get_by_role("button", name="Preset: Asymmetric").click()
    assert_numbers(page)
    page.get_by_label("input I, as a number").fill("2.7")
    settle(page)
    assert unit_of(page)[1] == 3
    assert_numbers(page)
    drag(page, INPUT, -60)
    assert unit_of(page)[1] == round(unit_of(page)[1]) < 3
    page.get_by_label(INPUT).press("ArrowLeft")
    assert_numbers(page)
    page.locator(".plot").first.hover()
    page.mouse.wheel(0, -100)
    assert page.get_by_label("temperature T", exact=True).is_disabled()
    assert page.get_by_role("button", name="Mirror").is_disabled()
    parameters = page.locator("section[aria-label=Parameters]").inner_text()
    assert "all else needs Python: open the page with halfwave explore." in parameters
    assert page.get_by_role("button", name="Take the unit").count() == 16
    page.goto(page.url.partition("#")[0] + "#units?theta=1,2&gamma=1,1&I=0&T=1")
    page.locator("[aria-label=Numbers] .notice").get_by_text("this needs Python").wait_for()
    assert page.locator("#unit-mean").inner_text() == "…"


def test_room_comes_back_after_a_lost_line(open_page: Open) -> None:
    page = open_page("#units")
    lines: list[WebSocketRoute] = []
    page.route_web_socket(re.compile("/ws$"), lambda line: (line.connect_to_server(), lines.append(line)))
    page.reload()
    assert_numbers(page)
    lines[-1].close()
    page.wait_for_selector("[data-connection=lost]")
    page.get_by_role("button", name="Preset: Double well").click()
    page.locator("[aria-label=Numbers] .notice").get_by_text("Python does not answer just now").wait_for()
    page.wait_for_selector("[data-connection=open]")
    assert_numbers(page)
    samples = read(page, "unit-samples")
    until(page, f"+document.getElementById('unit-samples').value > {samples}")
    assert len(lines) == 2
