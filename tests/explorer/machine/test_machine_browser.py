"""The room "Machine" in a real browser: live chains, features, clamps and moved units, with the library's numbers."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from browser_cases import Open, read, settle, until
from explorer_machines import BUNDLED
from machine_page import LINK, opened, pause, pixels
from PIL import Image

from halfwave.explorer import export
from halfwave.explorer.machine.answers import RECORDED
from halfwave.explorer.machine.opening import OpenRun, open_run
from halfwave.explorer.server import page as pages
from halfwave.explorer.session.shelf import Shelf

if TYPE_CHECKING:
    from playwright.sync_api import Page

MOVED = "+(/[&?]h=([^&]*)/.exec(location.hash)?.[1] ?? NaN)"


@pytest.fixture(scope="module")
def run() -> OpenRun:
    return open_run(Shelf(), BUNDLED)


def clamp_cells(page: Page) -> Any:
    editor = page.get_by_label("Sample with clamped sites")
    editor.scroll_into_view_if_needed()
    box = editor.bounding_box()
    assert box is not None
    return lambda row, column: (
        box["x"] + (column + 0.5) * box["width"] / 8,
        box["y"] + (row + 0.5) * box["height"] / 8,
    )


def clamps_in(page: Page, text: str) -> None:
    until(page, f"location.hash.includes('clamp={text}')")


def test_numbers_equal_the_library(open_page: Open, run: OpenRun) -> None:
    page = opened(open_page)
    unit = run.order[0]
    parameters = {"theta-pos": run.rbm.hidden.theta_pos, "gamma-neg": run.rbm.hidden.gamma_neg}
    for name, values in parameters.items():
        assert read(page, f"machine-{name}") == values[unit].item()
    assert read(page, "machine-importance") == pytest.approx(float(run.importance[unit]), rel=1e-6)
    assert run.evaluation is not None
    assert read(page, "machine-held-out") == run.evaluation["held_out_log_likelihood"]
    assert read(page, "machine-log-partition") == run.evaluation["log_partition"]
    assert "8 × 8 Binary × 64 DReLU, 4,416 parameters" in page.locator("#machine-words").inner_text()
    # the data on the sheet are those of the seed
    chosen = run.data[torch.randperm(len(run.data), generator=torch.Generator().manual_seed(1))[:36]]
    assert read(page, "machine-data-free-energy") == pytest.approx(
        float(run.rbm.free_energy(chosen).mean()), rel=1e-5
    )
    assert page.locator(".feature").count() == 64
    assert page.locator("dl.facts div").all_inner_texts()[-2:] == [
        "log-pseudolikelihood, held out\n−0.20066 nats a site",
        "log Z\n28.306 nats",
    ]


def test_chains_play_pause_and_repeat(open_page: Open, run: OpenRun) -> None:
    page = opened(open_page)
    before = read(page, "machine-steps")
    until(page, f"+document.getElementById('machine-steps').value > {before + 5}")
    pause(page)
    still, picture = read(page, "machine-steps"), pixels(page, "Fantasy particles")
    page.wait_for_timeout(300)
    assert (read(page, "machine-steps"), pixels(page, "Fantasy particles")) == (still, picture)
    page.get_by_role("button", name="Restart the chains from the seed").click()
    until(page, "document.getElementById('machine-steps').value === '0'")
    page.get_by_label("Gibbs steps for each picture, as a number").fill("7")
    settle(page)
    page.get_by_role("button", name="One round of Gibbs steps").click()
    until(page, "document.getElementById('machine-steps').value === '7'")
    generator = torch.Generator().manual_seed(1)
    v = run.rbm.visible.sample_from_inputs(torch.zeros(36, 8, 8), generator)
    v = run.rbm.sample_v_from_v(v, 7, generator)
    assert read(page, "machine-free-energy") == pytest.approx(float(run.rbm.free_energy(v).mean()), rel=1e-5)
    page.get_by_label("Seed of the chains").fill("5")
    until(page, "document.getElementById('machine-steps').value === '0'")
    page.get_by_role("button", name="Chains start from data").click()
    until(
        page,
        f"document.getElementById('machine-free-energy').value === '{read(page, 'machine-data-free-energy')!r}'",
    )
    assert pixels(page, "Fantasy particles") == pixels(
        page, "Data; press one to clamp all of its sites below"
    )


def test_chains_rest_in_another_room(open_page: Open) -> None:
    page = opened(open_page)
    page.get_by_role("button", name="Functions", exact=True).click()
    page.wait_for_timeout(250)
    before = read(page, "machine-steps")
    page.wait_for_timeout(300)
    assert read(page, "machine-steps") == before
    page.get_by_role("button", name="Machine", exact=True).click()
    until(page, f"+document.getElementById('machine-steps').value > {before}")


def test_clamps_by_hand_keys_undo_and_link(open_page: Open) -> None:
    page = opened(open_page)
    pause(page)
    cell = clamp_cells(page)
    page.mouse.move(*cell(1, 0))
    page.mouse.down()
    page.mouse.move(*cell(1, 7), steps=2)
    page.mouse.up()
    clamps_in(page, "8-8.1-48")
    until(page, "document.getElementById('machine-clamped').value === '8'")
    page.get_by_role("button", name="Brush: clamp to 0").click()
    page.mouse.click(*clamp_cells(page)(7, 7))
    page.keyboard.press("ArrowLeft")
    page.keyboard.press(" ")
    clamps_in(page, "8-8.1-46-2.0")
    page.keyboard.press("Delete")
    clamps_in(page, "8-8.1-47-1.0")
    assert page.locator("#clamp-cursor").inner_text() == "site 62: free"
    for _ in range(3):
        page.get_by_role("button", name="Undo").click()
    clamps_in(page, "8-8.1-48")
    page.keyboard.press("Control+Shift+Z")
    clamps_in(page, "8-8.1-47-1.0")
    page.get_by_role("button", name="Clamp all sites to the next example").click()
    until(page, "document.getElementById('machine-clamped').value === '64'")
    page.get_by_role("button", name="Free the second half").click()
    until(page, "document.getElementById('machine-clamped').value === '32'")
    until(page, "location.hash.endsWith('-32')")
    second = opened(open_page, "#" + page.url.partition("#")[2])
    assert read(second, "machine-clamped") == 32
    # what is clamped is as in the data on the sheet, whatever the chains do
    top = "node => [...node.getContext('2d').getImageData(0, 0, node.width, node.height / 2).data].join()"
    pause(second)
    pictures = [page_.get_by_label("Sample with clamped sites").evaluate(top) for page_ in (page, second)]
    assert pictures[0] == pictures[1]


def test_what_fills_in_comes_near_the_rest_of_the_example(open_page: Open) -> None:
    page = opened(open_page)
    page.get_by_label("Data; press one to clamp all of its sites below", exact=True).click(
        position={"x": 20, "y": 20}
    )
    until(page, "document.getElementById('machine-clamped').value === '64'")
    free = read(page, "machine-fill-free-energy")
    page.get_by_role("button", name="Free all").click()
    until(page, "document.getElementById('machine-clamped').value === '0'")
    until(page, f"+document.getElementById('machine-fill-free-energy').value !== {free}")
    until(page, "+document.getElementById('machine-averaged').value > 3")


def test_features_and_the_moved_unit(open_page: Open, run: OpenRun) -> None:
    page = opened(open_page)
    page.locator(".feature").nth(0).focus()
    for key in ("ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    until(page, "document.querySelectorAll('.feature')[9].ariaSelected === 'true'")
    unit = run.order[9]
    theta = run.rbm.hidden.theta_pos[unit].item()
    until(page, f"+document.getElementById('machine-theta-pos').value === {theta}")
    until(page, f"location.hash.includes('unit={unit}')")
    # at its mean, until it is moved
    mean = float(run.activities.mean(0)[unit])
    box = "+document.querySelector('[aria-label^=\"value of the hidden unit, as\"]').value"
    until(page, f"Math.abs({box} - {mean}) < 1e-3 * Math.abs({mean})")
    label = "What the machine expects to see with the unit at this value"
    still = pixels(page, label)
    slider = page.get_by_label("value of the hidden unit", exact=True)
    slider.focus()
    page.keyboard.press("End")
    low, high = (float(slider.get_attribute(name) or "nan") for name in ("min", "max"))
    until(page, f"{MOVED} === {high}")
    until(page, f"document.querySelector('[aria-label=\"{label}\"]').toDataURL() !== '{still}'")
    # the same by hand, in the panel of the densities and beyond its edge
    page.locator(".unit-figure").scroll_into_view_if_needed()
    figure = page.locator(".unit-figure").bounding_box()
    assert figure is not None
    page.mouse.move(figure["x"] + 0.58 * figure["width"], figure["y"] + 0.5 * figure["height"])
    page.mouse.down()
    page.mouse.move(figure["x"] + 5, figure["y"] + 0.5 * figure["height"], steps=3)
    page.mouse.up()
    until(page, f"Math.abs({MOVED} - {low}) < 0.02 * {high - low}")
    page.get_by_role("button", name="Hold the hidden unit").click()
    page.get_by_text(f"h of unit {unit} held").wait_for()
    until(page, "location.hash.includes('held=1')")
    page.locator(".feature").nth(0).click()
    until(page, "document.querySelector('.held').textContent === ''")
    until(page, "!location.hash.includes('held=1')")


def test_less_motion_begins_at_rest(open_page: Open) -> None:
    page = opened(open_page, reduced_motion="reduce")
    assert page.get_by_role("button", name="Pause or play the chains").inner_text() == "Play"
    assert read(page, "machine-steps") == 0


def test_temperature_is_in_the_link(open_page: Open) -> None:
    page = opened(open_page, f"{LINK}&temperature=0.3&seed=12&steps=4&start=data")
    assert page.get_by_label("temperature T, as a number").input_value() == "0.3"
    assert page.get_by_label("Seed of the chains").input_value() == "12"
    box = page.get_by_label("temperature T, as a number")
    box.fill("0")
    note = page.locator(".chains .limits").first
    note.get_by_text("T must be between 0.05 and 20").wait_for()
    box.blur()
    assert box.input_value() == "0.05"
    seed = page.get_by_label("Seed of the chains")
    seed.fill("")
    page.wait_for_timeout(100)
    assert seed.input_value() == "", "an empty box waits for what is typed"
    seed.blur()
    assert seed.input_value() == "12"
    box.fill("2.5")
    until(page, "location.hash.includes('temperature=2.5')")
    assert note.inner_text() == ""
    # hot chains lie high
    until(
        page,
        f"+document.getElementById('machine-free-energy').value > {read(page, 'machine-data-free-energy') + 5}",
    )


def test_downloads(open_page: Open, run: OpenRun) -> None:
    page = opened(open_page)
    files = {}
    for kind in ("PNG", "SVG"):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Save the plot as {kind}").click()
        files[kind] = Path(download.value.path()).read_bytes()
    assert Image.open(io.BytesIO(files["PNG"])).size[0] > 1500
    words = "".join(ElementTree.fromstring(files["SVG"]).itertext())
    assert f"Hidden unit {run.order[0]} (DReLU)" in words
    assert "potential U(h)" in words


def test_phone(open_page: Open) -> None:
    page = opened(
        open_page, viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True, color_scheme="dark"
    )
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    x, y = clamp_cells(page)(3, 3)
    page.touchscreen.tap(x, y)
    clamps_in(page, "27-1.1-36")


def test_exported_page_works_from_disk(
    open_page: Open, tmp_path: Path, run: OpenRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    # spares the other rooms, and leaves no page of this room alone behind
    monkeypatch.setattr("halfwave.explorer.server.answers.recorded", lambda: RECORDED)
    monkeypatch.setattr(pages, "_recorded", pages._recorded.__wrapped__)
    address = export(tmp_path / "page.html").as_uri()
    page = open_page("#machine", address=address)
    until(page, "(document.getElementById('machine-importance')?.value ?? '') !== ''")
    until(page, "document.getElementById('machine-steps').value === '500'")
    assert read(page, "machine-theta-pos") == run.rbm.hidden.theta_pos[run.order[0]].item()
    page.locator(".feature").nth(23).click()
    until(
        page,
        f"+document.getElementById('machine-theta-pos').value === {run.rbm.hidden.theta_pos[run.order[23]].item()}",
    )
    assert "live chains need Python" in page.locator("#machine-notice").inner_text()
    used = page.locator(".machine").locator("button:not(.feature), input")
    assert used.evaluate_all("nodes => nodes.filter(node => !node.disabled && node.offsetParent).length") == 0
    assert "`" not in page.locator(".machine").inner_text()
    page.locator(".feature").nth(40).click()
    page.get_by_label("Hidden unit", exact=True).get_by_text("this needs Python").wait_for()
