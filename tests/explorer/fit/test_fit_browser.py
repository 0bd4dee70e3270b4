"""The room Fit in a real browser: its numbers are the library's; hand, keys, tables and links do what they should."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from browser_cases import Open, drag, read, settle, swipe, until
from explorer_cases import port_of, running

from halfwave.explorer import export
from halfwave.explorer.fit.sets import set_named
from halfwave.fitting import fit_relu_sum

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

POINTS = [(x, abs(x - 4) + 0.1 * (-1) ** x) for x in range(10)]
DRAWN = "#fit?p=" + ";".join(f"{x},{y:.2f}" for x, y in POINTS)
ROOM = "document.querySelector('.fit-room').dataset.fit"


def fitted(page: Page) -> None:
    """Wait until the page shows the fit that it asked for."""
    settle(page)
    until(page, f"['fitted', 'sure'].includes({ROOM})")


def sure(page: Page) -> None:
    """Wait for intervals as well."""
    settle(page)
    until(page, f"{ROOM} === 'sure'")


def kink(page: Page, number: int) -> float:
    handle = page.get_by_label(f"Kink {number}", exact=True)
    return float(handle.get_attribute("aria-valuenow") or "nan")


def written(value: float) -> str:
    """A number as the page writes it."""
    return repr(value).removesuffix(".0")


def slider(page: Page) -> Locator:
    return page.get_by_label("Number of kinks", exact=True)


def test_numbers_equal_the_library(open_page: Open) -> None:
    page = open_page("#fit?set=nile&k=3")
    sure(page)
    x, y = set_named("nile")
    want = fit_relu_sum(x, y, 3)
    bounds = want.intervals()
    assert read(page, "fit-count") == 100
    assert read(page, "fit-sse") == pytest.approx(want.sse, rel=1e-9)
    assert read(page, "fit-r2") == pytest.approx(1 - want.sse / ((y - y.mean()) ** 2).sum())
    for index in range(3):
        assert read(page, f"fit-kink-{index + 1}") == pytest.approx(want.kinks[index], rel=1e-9)
        got = [read(page, f"fit-kink-{index + 1}-{end}") for end in ("low", "high")]
        assert got == pytest.approx(bounds.kinks[index].tolist(), rel=1e-9)
        assert read(page, f"fit-slope-{index}") == pytest.approx(want.slopes[index], rel=1e-6)
    assert "least at 2: 995.356" in (
        page.get_by_label("BIC for 0 to 12 kinks").get_attribute("aria-label") or ""
    )


def test_slider_criterion_and_keys(open_page: Open) -> None:
    page = open_page("#fit?set=nile&k=1")
    fitted(page)
    slider(page).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    until(page, "document.getElementById('fit-kinks').value === '3'")
    page.get_by_label("Choose the number of kinks by the criterion").click()
    until(page, "document.getElementById('fit-kinks').value === '2'")
    assert slider(page).input_value() == "2"
    sure(page)
    box = page.get_by_label("BIC for 0 to 12 kinks").bounding_box()
    assert box is not None
    left, right = -0.12 * 12 - 0.5, 12.5
    page.mouse.click(box["x"] + box["width"] * (5 - left) / (right - left), box["y"] + box["height"] / 2)
    until(page, "document.getElementById('fit-kinks').value === '5'")
    page.get_by_role("button", name="Undo").click()
    until(page, "document.getElementById('fit-kinks').value === '2'")


def test_robust_loss(open_page: Open) -> None:
    page = open_page("#fit?set=engel&k=1&loss=huber")
    fitted(page)
    want = fit_relu_sum(*set_named("engel"), 1, loss="huber")
    assert read(page, "fit-sse") == pytest.approx(want.sse, rel=1e-5)
    assert read(page, "fit-loss") == pytest.approx(want.loss_value, rel=1e-5)


def test_dragged_kink_is_held_and_given_back(open_page: Open) -> None:
    page = open_page("#fit?set=nile&k=2")
    fitted(page)
    first, free = kink(page, 1), kink(page, 2)
    drag(page, "Kink 2", 120)
    sure(page)
    held = kink(page, 2)
    assert held == pytest.approx(free + 120 / 858 * 99 * 1.14, abs=0.3)
    x, y = set_named("nile")
    want = fit_relu_sum(x, y, 2, fixed_kinks=[first, held])
    assert read(page, "fit-sse") == pytest.approx(want.sse, rel=1e-9)
    until(page, f"location.hash.includes('pins={written(first)},{written(held)}')")
    page.get_by_label("Kink 2", exact=True).focus()
    page.keyboard.press("ArrowRight")
    settle(page)
    coarse = kink(page, 2) - held
    page.keyboard.press("Shift+ArrowRight")
    settle(page)
    assert kink(page, 2) - held - coarse == pytest.approx(coarse / 10, rel=1e-3)
    last = kink(page, 2)
    page.get_by_label("Kink 1", exact=True).focus()
    page.keyboard.press("Delete")
    until(page, f"!location.hash.includes('{written(first)}')")
    sure(page)
    want = fit_relu_sum(x, y, 2, fixed_kinks=[last])
    assert read(page, "fit-sse") == pytest.approx(want.sse, rel=1e-9)
    page.get_by_label("Give held kinks back").click()
    sure(page)
    assert (kink(page, 1), kink(page, 2)) == (first, free)
    page.get_by_role("button", name="Undo").click()
    until(page, f"location.hash.includes('pins={written(last)}')")


def test_heights_follow_the_hand(open_page: Open) -> None:
    """While a kink is held all others stay, and the heights are those of the library for these kinks."""
    page = open_page("#fit?set=nile&k=2")
    fitted(page)
    first = kink(page, 1)
    box = page.get_by_label("Kink 2", exact=True).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 11, box["y"] + 11)
    page.mouse.down()
    page.mouse.move(box["x"] + 90, box["y"] + 11, steps=5)
    fitted(page)
    held = kink(page, 2)
    want = fit_relu_sum(*set_named("nile"), 2, fixed_kinks=[first, held])
    assert kink(page, 1) == first
    assert read(page, "fit-sse") == pytest.approx(want.sse, rel=1e-9)
    page.mouse.up()


def test_points_are_drawn_removed_and_linked(open_page: Open) -> None:
    page = open_page(DRAWN + "&k=1")
    fitted(page)
    x, y = np.array([(a, round(b, 2)) for a, b in POINTS]).T
    assert read(page, "fit-sse") == pytest.approx(fit_relu_sum(x, y, 1).sse, rel=1e-9)
    page.get_by_label("Draw points into the plot").click()
    box = page.locator(".stage > .plot canvas").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 300, box["y"] + 60)
    until(page, "document.getElementById('fit-count').value === '11'")
    page.mouse.move(box["x"] + 100, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, box["y"] + 200, steps=12)
    page.mouse.up()
    fitted(page)
    drawn = int(read(page, "fit-count"))
    assert 14 <= drawn <= 17
    until(page, f"location.hash.split(';').length === {drawn}")
    link = page.url
    page.get_by_label("Remove points from the plot").click()
    page.mouse.click(box["x"] + 300, box["y"] + 60)
    until(page, f"document.getElementById('fit-count').value === '{drawn - 1}'")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    until(page, "document.getElementById('fit-count').value === '11'")
    other = open_page(link[link.index("#") :])
    fitted(other)
    assert read(other, "fit-count") == drawn
    other.get_by_label("Remove all points").click()
    other.get_by_text("no points yet").wait_for()
    other.get_by_text("Paste a table, or type a point").click()
    for a, b in ((1, 2), (2, 3), (4, 4)):
        other.get_by_label("x of a new point").fill(str(a))
        other.get_by_label("y of a new point").fill(str(b))
        other.get_by_role("button", name="Add the point").click()
    until(other, "document.getElementById('fit-count').value === '3'")


def test_tables_are_pasted_and_dropped(open_page: Open) -> None:
    page = open_page("#fit?set=nile&k=1")
    fitted(page)
    page.get_by_text("Paste a table, or type a point").click()
    box = page.get_by_label("Table to paste")
    box.fill("t\tv\n" + "\n".join(f"{a}\t{b:.2f}" for a, b in POINTS))
    page.get_by_role("button", name="Use this table").click()
    until(page, "document.getElementById('fit-count').value === '10'")
    until(page, "location.hash.includes('p=0,4.1;')")
    rng = np.random.default_rng(0)
    table = np.column_stack((np.arange(400.0), rng.normal(size=400).round(3), np.arange(400.0) ** 2))
    text = "row,noise,square\n" + "\n".join(",".join(map(str, row)) for row in table.tolist())
    page.get_by_label("Open a table").set_input_files(
        {"name": "three.csv", "mimeType": "text/csv", "buffer": text.encode()}
    )
    until(page, "document.getElementById('fit-count').value === '400'")
    page.get_by_label("Column of y").select_option("square")
    fitted(page)
    want = fit_relu_sum(table[:, 0], table[:, 2], 1)
    assert read(page, "fit-sse") == pytest.approx(want.sse, rel=1e-9)
    box.fill("a,b\n1,2\n3\n")
    page.get_by_role("button", name="Use this table").click()
    page.get_by_role("alert").get_by_text("row 2 of the table has 1 cell; the header has 2").wait_for()
    page.evaluate(
        """text => {
          const carried = new DataTransfer();
          carried.items.add(new File([text], "dropped.csv"));
          const init = { dataTransfer: carried, bubbles: true, cancelable: true };
          document.querySelector(".fit-room").dispatchEvent(new DragEvent("drop", init));
        }""",
        "x,y\n1,2\n2,3\n3,1\n4,4\n5,5\n6,3\n7,2\n",
    )
    until(page, "document.getElementById('fit-count').value === '7'")


def test_link_names_a_table_that_it_does_not_hold(open_page: Open) -> None:
    page = open_page("#fit?set=nile&k=1")
    fitted(page)
    text = "a,b,c\n" + "\n".join(f"{x},{abs(x - 9)},1" for x in range(20))
    table: Any = {"name": "my table.csv", "mimeType": "text/csv", "buffer": text.encode()}
    page.get_by_label("Open a table").set_input_files(table)
    until(page, "document.getElementById('fit-count').value === '20'")
    page.get_by_text("The link does not hold this table.").wait_for()
    until(page, "location.hash === '#fit?table=my%20table.csv&k=1'")
    other = open_page(page.url[page.url.index("#") :])
    words = "the table my table.csv was pasted and is not part of the link: paste it again"
    other.locator(".fit-banner").get_by_text(words).wait_for()
    assert other.locator("#fit-count").inner_text() == "–"
    assert other.locator("#fit-formula").inner_text() == "no fit"
    other.get_by_label("Open a table").set_input_files(table)
    until(other, "document.getElementById('fit-count').value === '20'")
    other.goto(other.url.split("#")[0] + "#fit?drawn=300&k=auto")
    other.locator(".fit-banner").get_by_text(
        "the 300 points were drawn and are not part of the link"
    ).wait_for()


def test_pasted_words_are_no_table(open_page: Open) -> None:
    page = open_page("#fit?set=nile&k=1")
    fitted(page)
    page.evaluate(
        """text => {
          const clipboardData = new DataTransfer();
          clipboardData.setData("text/plain", text);
          document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
        }""",
        "hello world",
    )
    page.get_by_role("alert").get_by_text("this is no table of numbers: it begins 'hello world'").wait_for()
    page.get_by_label("Open a table").set_input_files(
        {"name": "evil.exe", "mimeType": "text/plain", "buffer": b"1,2"}
    )
    page.get_by_role("alert").get_by_text("evil.exe is no table; .csv, .tsv, .txt and .dat").wait_for()
    fitted(page)
    assert read(page, "fit-count") == 100


def test_trouble_with_other_data_leaves_nothing_of_the_ones_before(browser: Browser, tmp_path: Path) -> None:
    rows = "\n".join(f"p{x},{x},{abs(x - 20)}" for x in range(60))
    (tmp_path / "a.csv").write_text(f"who,age,pay\n{rows}\n")
    (tmp_path / "inf.csv").write_text("x,y\n1,inf\n-inf,2\n")
    with running(str(tmp_path)) as address:
        page = browser.new_page()
        page.goto(address + "#fit?file=a.csv&k=1")
        fitted(page)
        assert page.get_by_label("Column of x").locator("option").all_inner_texts() == ["age", "pay"]
        page.get_by_role("combobox", name="Data").select_option("file:inf.csv")
        page.locator(".fit-complaint").get_by_text(
            "no row has a finite number in both 'x' and 'y'"
        ).wait_for()
        assert page.locator("#fit-sse").inner_text() == "–"
        assert page.locator("#fit-formula").inner_text() == "no fit"
        assert page.locator(".fit-table").is_hidden()
        page.goto(address + "#fit?file=a.csv&columns=who,pay&k=1")
        page.locator(".fit-complaint").get_by_text("column 'who' must hold numbers; got 'p0'").wait_for()
        page.get_by_label("Column of x").select_option("age")
        fitted(page)
        assert read(page, "fit-kink-1") == pytest.approx(20)
        page.close()


def test_cancel_ends_what_waits_for_its_table(browser: Browser, tmp_path: Path) -> None:
    """The fit never comes, other data do not wait for it, and the same can be asked again."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 10, 100_000)
    np.savetxt(
        tmp_path / "big.csv", np.column_stack((x, np.abs(x - 4) + rng.normal(size=len(x)))), delimiter=","
    )
    with running(str(tmp_path)) as address:
        page = browser.new_page()
        page.goto(address + "#fit?file=big.csv&k=8&loss=tukey")
        page.get_by_label("Cancel the fit that is running").click()
        page.get_by_text("cancelled", exact=True).wait_for()
        page.wait_for_timeout(3000)
        assert page.get_by_text("cancelled", exact=True).is_visible()
        assert page.locator("#fit-sse").inner_text() == "–"
        page.get_by_label("Fit again").click()
        until(page, "document.getElementById('fit-count').value === '100000'")
        page.get_by_role("combobox", name="Data").select_option("set:nile")
        settle(page)
        assert page.locator("#fit-sse").inner_text() == "…"
        fitted(page)
        assert read(page, "fit-count") == 100
        page.close()


def test_a_large_table_is_announced_and_given_up(open_page: Open) -> None:
    page = open_page("#fit?set=nile&k=1")
    fitted(page)
    large = b"1.5,2.5,3.5\n" * 1_000_000
    page.get_by_label("Open a table").set_input_files(
        {"name": "large.csv", "mimeType": "text/csv", "buffer": large}
    )
    page.get_by_text("reading large.csv…").wait_for()
    page.get_by_label("Cancel the fit that is running").click()
    page.get_by_role("alert").get_by_text("cancelled: large.csv was not read").wait_for()
    fitted(page)
    assert read(page, "fit-count") == 100


def test_slow_fit_is_shown_and_cancelled(open_page: Open) -> None:
    page = open_page("#fit?set=many&k=1")
    fitted(page)
    page.get_by_role("combobox", name="Loss").select_option("quantile")
    page.get_by_text("fitting…").wait_for()
    page.get_by_label("Cancel the fit that is running").click()
    page.get_by_text("cancelled", exact=True).wait_for()
    page.get_by_role("combobox", name="Loss").select_option("squares")
    fitted(page)
    assert read(page, "fit-kinks") == 1


def test_gradient_is_watched(open_page: Open) -> None:
    page = open_page("#fit?set=nile&k=2")
    fitted(page)
    page.get_by_label("Fit by gradient descent from random terms").click()
    page.get_by_text("descending…").wait_for()
    until(page, "document.getElementById('fit-step').value !== ''")
    until(page, "Number(document.getElementById('fit-step').value) > 5")
    page.get_by_label("Play or pause").click()
    want = fit_relu_sum(*set_named("nile"), 2)
    assert read(page, "fit-optimum-loss") == pytest.approx(want.sse / 100, rel=1e-9)
    scrub = page.get_by_label("Step of the gradient")
    scrub.focus()
    page.keyboard.press("Home")
    settle(page)
    start = read(page, "fit-path-loss")
    assert read(page, "fit-step") == 0
    page.keyboard.press("End")
    settle(page)
    assert read(page, "fit-step") == 2000
    assert want.sse / 100 <= read(page, "fit-path-loss") < start
    page.get_by_label("Back to the fit").click()
    page.get_by_label("Kink 1", exact=True).wait_for()


def test_function_is_taken_along(open_page: Open) -> None:
    page = open_page("#fit?set=nile&k=3")
    fitted(page)
    x, y = set_named("nile")
    want = fit_relu_sum(x, y, 3).function(x)
    torch = pytest.importorskip("torch")
    for name in ("Python", "NumPy", "torch", "JSON"):
        page.get_by_label(f"Copy as {name}").click()
        text = page.locator(".copied:visible").get_attribute("data-text") or ""
        space: dict[str, Any] = {}
        if name == "JSON":
            from halfwave.functions import relu_sum

            got = relu_sum(**json.loads(text))(x)
        else:
            exec(text, space)
            if name == "torch":
                got = space["SumOfReLUs"]()(torch.from_numpy(x)).detach().numpy()
            else:
                got = space["f"](x)
        np.testing.assert_allclose(got, want, rtol=1e-9)
    with page.expect_download() as got:
        page.get_by_label("Save this text as a file").click()
    assert got.value.suggested_filename == "halfwave-fit-json.json"
    runtime = pytest.importorskip("onnxruntime")
    with page.expect_download() as got:
        page.get_by_label("Save the function as an ONNX model").click()
    model = runtime.InferenceSession(Path(got.value.path()).read_bytes(), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(model.run(None, {"x": x[:, None]})[0][:, 0], want, rtol=1e-9)


def test_picture_is_saved(open_page: Open) -> None:
    from PIL import Image

    page = open_page("#fit?set=many&k=5")
    fitted(page)
    with page.expect_download() as got:
        page.get_by_label("Save the plot as PNG").click()
    picture = Image.open(io.BytesIO(Path(got.value.path()).read_bytes()))
    assert picture.width == 2 * 858 or picture.width > 1000
    with page.expect_download() as got:
        page.get_by_label("Save the plot as SVG").click()
    svg = Path(got.value.path()).read_text(encoding="utf-8")
    assert len(re.findall(r"M[-\d. ]+h0", svg)) > 3500


def test_wrong_addresses_open_the_room(open_page: Open) -> None:
    page = open_page("#fit?set=nile&k=99&loss=no&pins=a&window=1,0,0,1")
    fitted(page)
    assert read(page, "fit-count") == 100
    until(page, "location.hash === '#fit?set=nile&k=auto'")
    for text in ("p=1,2;x", "", "set=../../etc", "p=" + "1,2;" * 300):
        page.evaluate("text => { location.hash = `fit?${text}`; }", text)
        until(page, "location.hash === '#fit?set=nile&k=auto'")
    page.evaluate("() => { location.hash = 'fit?file=%25E0'; }")
    page.locator(".fit-complaint").get_by_text("there is no table").wait_for()


def test_link_reopens_settings(open_page: Open) -> None:
    state = "set=sunspots&k=auto&criterion=bic3&loss=squares&correct=1&pins=1850&window=1700,2000,-50,250"
    page = open_page(f"#fit?{state}")
    fitted(page)
    assert page.get_by_role("combobox", name="Criterion").input_value() == "bic3"
    until(page, "location.hash.includes('window=1700,2000,-50,250')")
    for part in ("set=sunspots", "k=auto", "criterion=bic3", "correct=1", "pins=1850"):
        assert part in page.url


def test_phone(open_page: Open) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
    page = open_page("#fit?set=nile&k=1", **phone)
    fitted(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    before = kink(page, 1)
    swipe(page, "Kink 1", 40)
    assert kink(page, 1) == pytest.approx(before + 40 / 390 * 99 * 1.14, abs=1)


def test_exported_page_fits_what_was_recorded(open_page: Open, tmp_path: Path) -> None:
    address = export(tmp_path / "page.html").as_uri()
    page = open_page("#fit?set=nile&k=3", address=address)
    sure(page)
    assert read(page, "fit-sse") == pytest.approx(fit_relu_sum(*set_named("nile"), 3).sse, rel=1e-9)
    page.get_by_label("Choose the number of kinks by the criterion").click()
    until(page, "document.getElementById('fit-kinks').value === '2'")
    page.get_by_role("combobox", name="Data").select_option("set:engel")
    until(page, "document.getElementById('fit-count').value === '235'")
    page.get_by_label("Fit by gradient descent from random terms").click()
    page.locator(".fit-words").get_by_text("this needs Python").wait_for()
    page.get_by_label("Draw points into the plot").click()
    box = page.locator(".fit-room .stage > .plot canvas").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 300, box["y"] + 60)
    page.locator(".fit-banner").get_by_text("this needs Python").wait_for()


def test_pasted_table_survives_its_server(browser: Browser) -> None:
    with running() as address:
        port = port_of(address)
        page = browser.new_page()
        page.goto(address + "#fit")
        fitted(page)
        page.get_by_text("Paste a table, or type a point").click()
        rows = "\n".join(f"{x},{abs(x - 150)},1" for x in range(300))
        page.get_by_label("Table to paste").fill(f"a,b,c\n{rows}")
        page.get_by_role("button", name="Use this table").click()
        until(page, "document.getElementById('fit-count').value === '300'")
    page.wait_for_selector("[data-connection=lost]")
    with running("--port", str(port)):
        page.wait_for_selector("[data-connection=open]", timeout=15_000)
        slider(page).fill("1")
        fitted(page)
        assert read(page, "fit-kink-1") == pytest.approx(150)
        page.close()
