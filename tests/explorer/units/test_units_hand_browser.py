"""The room "Units" in a real browser, taken by hand and by keys, also on a phone."""

from __future__ import annotations

from typing import Any

import pytest
from browser_cases import Open, drag, read, settle, swipe, until
from units_cases import INPUT, answered, assert_numbers, unit_of, until_close


def test_input_follows_the_hand_and_the_curve_is_not_asked_for_again(open_page: Open) -> None:
    page = open_page("#units?theta=2,-2&gamma=1,1&I=0&T=1")
    assert_numbers(page)
    sent: list[str] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda text: sent.append(str(text))))
    page.reload()
    assert_numbers(page)
    page.get_by_role("button", name="Take the unit").first.wait_for()
    before = len([text for text in sent if "units.transfer" in text])
    drag(page, INPUT, 66)
    width = page.locator(".plot").nth(2).bounding_box()
    assert width is not None
    assert unit_of(page)[1] == pytest.approx(66 / width["width"] * 12, abs=0.06)
    assert_numbers(page)
    assert len([text for text in sent if "units.transfer" in text]) == before
    assert any('"input"' in text for text in sent if "units.density" in text)
    page.get_by_role("button", name="Undo").click()
    settle(page)
    assert unit_of(page)[1] == 0.0, "a drag is one step of undo"
    page.keyboard.press("Control+Shift+Z")
    settle(page)
    assert unit_of(page)[1] > 1.0


def test_line_of_the_input_can_be_taken_and_the_ground_pans(open_page: Open) -> None:
    page = open_page("#units?theta=2,-2&gamma=1,1&I=0&T=1&view=-6,6,-6,6")
    assert_numbers(page)
    box = page.locator(".plot").nth(2).bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.8
    page.mouse.move(x + 5, y)
    page.mouse.down()
    page.mouse.move(x + box["width"] / 6, y, steps=5)
    page.mouse.up()
    settle(page)
    assert unit_of(page)[1] == pytest.approx(2.0, abs=0.06)
    page.mouse.move(x - 60, y)
    page.mouse.down()
    page.mouse.move(x - 60 + box["width"] / 12, y, steps=5)
    page.mouse.up()
    page.mouse.wheel(0, -200)
    until(page, "location.hash.includes('view=') && !location.hash.includes('-6,6,-6,6')")
    assert unit_of(page)[1] == pytest.approx(2.0, abs=0.06), "panning moves the window only"
    page.get_by_role("button", name="Transfer curves: show all").click()
    until(page, "!location.hash.includes('view=')")


def test_thresholds_and_slopes_follow_the_hand(open_page: Open) -> None:
    page = open_page("#units?theta=2,-2&gamma=1,1&I=0&T=1&view=-6,6,-6,6")
    assert_numbers(page)
    box = page.locator(".plot").nth(2).bounding_box()
    assert box is not None
    a_unit = box["width"] / 12
    drag(page, "Threshold θ⁺ on the axis", -a_unit)
    assert unit_of(page)[0][0] == pytest.approx(1.0, abs=0.06)
    drag(page, "Threshold θ⁻ on the axis", 4 * a_unit)
    assert unit_of(page)[0][1] == pytest.approx(2.0, abs=0.06)
    assert_numbers(page)
    drag(page, "Curvature γ⁺ on its arm", 0, -40)
    (_, _, gamma_pos, gamma_neg), _, _ = unit_of(page)
    assert gamma_pos < 0.9, "a steeper arm is a flatter side"
    assert gamma_neg == 1.0
    assert_numbers(page)
    for _ in range(3):
        page.get_by_role("button", name="Undo").click()
    settle(page)
    assert unit_of(page)[0] == (2.0, -2.0, 1.0, 1.0)


def test_keys(open_page: Open) -> None:
    page = open_page("#units?theta=2,-2&gamma=1,1&I=0&T=1")
    answered(page)
    page.get_by_label(INPUT).focus()
    for key, place in (("ArrowRight", 0.1), ("Shift+ArrowRight", 0.11), ("ArrowLeft", 0.01)):
        page.keyboard.press(key)
        settle(page)
        assert unit_of(page)[1] == pytest.approx(place, abs=1e-9)
    page.get_by_label("Threshold θ⁻ on the axis").focus()
    page.keyboard.press("ArrowLeft")
    page.get_by_label("Curvature γ⁻ on its arm").focus()
    page.keyboard.press("ArrowUp")
    settle(page)
    assert unit_of(page)[0] == pytest.approx((2.0, -2.1, 1.0, 1.1))
    for plot in range(3):
        page.locator(".plot").nth(plot).focus()
        page.keyboard.press("ArrowRight")
    settle(page)
    assert unit_of(page)[1] == pytest.approx(0.31)
    page.keyboard.press("+")
    until(page, "location.hash.includes('view=')")
    assert_numbers(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone(open_page: Open, scheme: Any) -> None:
    page = open_page(
        "#units?theta=2,-2&gamma=1,1&I=0&T=1",
        viewport={"width": 390, "height": 844},
        is_mobile=True,
        has_touch=True,
        color_scheme=scheme,
    )
    assert_numbers(page)
    page.get_by_role("button", name="Take the unit").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    wide = page.locator(".units .unit-cell, .units .card").evaluate_all(
        "nodes => nodes.filter(node => node.getBoundingClientRect().right > 390).length"
    )
    assert wide == 0
    swipe(page, INPUT, 40)
    assert unit_of(page)[1] == pytest.approx(40 / 390 * 12, abs=0.06)
    assert_numbers(page)


def test_sliders_presets_and_mirror(open_page: Open) -> None:
    page = open_page("#units")
    for name, values in (
        ("ReLU", (0, -1000, 1, 1)),
        ("Gaussian", (0, 0, 1, 1)),
        ("Double well", (-2, 2, 1, 1)),
        ("Asymmetric", (0, 0, 0.5, 2)),
    ):
        button = page.get_by_role("button", name=f"Preset: {name}")
        button.click()
        settle(page)
        assert unit_of(page)[0] == values
        assert button.get_attribute("aria-pressed") == "true"
        assert_numbers(page)
    straight = {key: read(page, f"unit-{key}") for key in ("mean", "variance", "prob_pos")}
    mirror = page.get_by_role("button", name="Mirror")
    mirror.click()
    settle(page)
    assert unit_of(page) == ((0, 0, 2, 0.5), -1, 1)
    assert_numbers(page)
    until_close(page, "unit-mean", -straight["mean"])
    until_close(page, "unit-prob_neg", straight["prob_pos"])
    mirror.click()
    settle(page)
    assert unit_of(page) == ((0, 0, 0.5, 2), 1, 1)
    for label, value in (("temperature T", "0.25"), ("curvature γ⁻ of the negative side", "3")):
        page.get_by_label(label, exact=True).evaluate(
            f"node => {{ node.value = {value}; node.dispatchEvent(new Event('input', {{ bubbles: true }})); }}"
        )
    page.get_by_label("threshold θ⁺ of the positive side, as a number").fill("-0.75")
    settle(page)
    assert unit_of(page) == ((-0.75, 0, 0.5, 3), 1, 0.25)
    assert_numbers(page)


def test_what_is_typed_beyond_the_limits_is_said(open_page: Open) -> None:
    page = open_page("#units")
    box = page.get_by_label("curvature γ⁺ of the positive side, as a number")
    box.fill("")
    page.keyboard.type("0.5", delay=40)  # its beginning, 0, lies beyond the limits
    settle(page)
    assert unit_of(page)[0][2] == 0.5
    notes = page.locator(".units .limits")
    assert "".join(notes.all_inner_texts()) == ""
    for typed in ("-1", "0", "1e-12"):
        box.fill(typed)
        notes.get_by_text("γ⁺ must be between 0.001 and 10,000").wait_for()
        assert box.get_attribute("aria-invalid") == "true"
        box.blur()
        assert box.input_value() == "0.001"
        page.get_by_role("button", name="Undo").click()
        until(page, "[...document.querySelectorAll('.units .limits')].every(node => !node.textContent)")
        assert box.get_attribute("aria-invalid") == "false"
    assert box.get_attribute("title") == "between 0.001 and 10,000"
    box.fill("")
    box.blur()
    assert float(box.input_value()) == unit_of(page)[0][2]
    given = page.get_by_label("input I at which the density is shown")
    given.fill("1e9")
    page.locator(".readout .limits").get_by_text("I must be between −10,000 and 10,000").wait_for()
    given.press("Enter")
    assert given.input_value() == "10000"
    given.fill("")
    given.blur()
    assert given.input_value() == "10000"
