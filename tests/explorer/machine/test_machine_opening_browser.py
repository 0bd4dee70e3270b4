"""How the room "Machine" opens in a browser: while it waits, with broken runs and links, after a lost line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from browser_cases import Open, read, settle, until
from explorer_cases import running
from explorer_machines import BUNDLED, spin_run
from machine_page import LINK, OPENED, opened, patiently

if TYPE_CHECKING:
    from playwright.sync_api import Browser, WebSocketRoute


def test_nothing_can_be_used_before_the_machine_is_there(open_page: Open) -> None:
    page = open_page("#functions")
    held: list[Any] = []

    def pass_on(line: WebSocketRoute) -> None:
        python = line.connect_to_server()
        line.on_message(
            lambda text: held.append((python, text)) if "machine.open" in str(text) else python.send(text)
        )

    page.route_web_socket(re.compile("/ws$"), pass_on)
    page.goto(page.url.partition("#")[0] + LINK)
    page.reload()
    until(page, "document.getElementById('machine-notice').textContent.startsWith('opening digits…')")
    assert page.locator(".machine").get_attribute("aria-busy") == "true"
    assert page.locator(".machine").get_by_role("button").count() == 0
    assert page.locator(".machine").get_by_role("slider").count() == 0
    while not held:
        page.wait_for_timeout(20)
    for python, text in held:
        python.send(text)
    patiently(page, OPENED)
    assert page.get_by_role("button", name="Pause or play the chains").is_enabled()
    assert page.locator("#machine-notice").inner_text() == ""


def test_run_that_is_not_there_is_one_sentence(open_page: Open) -> None:
    page = open_page("#machine?run=nowhere")
    until(
        page,
        "document.getElementById('machine-notice').textContent.startsWith('there is no run nowhere here')",
    )
    assert page.locator("#machine-notice code").all_inner_texts() == ["nowhere", BUNDLED]
    choice = page.get_by_label("Run", exact=True).first
    assert choice.locator("option").all_inner_texts() == ["choose one", "digits (bundled)"]
    assert page.get_by_role("button", name="Pause or play the chains").count() == 0
    assert page.get_by_label("Sample with clamped sites").is_hidden()
    choice.select_option(BUNDLED)
    settle(page)
    assert "nowhere" not in page.locator("#machine-notice").inner_text()
    patiently(page, OPENED)
    assert page.locator("#machine-notice").inner_text() == ""


def test_broken_run_is_passed_over_and_named(browser: Browser, tmp_path: Path) -> None:
    spin_run(tmp_path / "good")
    spin_run(tmp_path / "awry")
    (tmp_path / "awry" / "model.safetensors").write_bytes(b"none")
    with running(str(tmp_path), "--port", "0", "--no-browser") as address:
        page = browser.new_page()
        page.goto(address + "#machine")
        patiently(page, OPENED)
        choice = page.get_by_label("Run", exact=True).first
        assert choice.input_value() == "good"
        assert choice.locator("option").first.inner_text() == "awry – cannot be opened"
        choice.select_option("awry")
        page.locator("#machine-notice.wrong").get_by_text("the run awry cannot be opened").wait_for()
        until(page, "document.querySelector('.machine').classList.contains('empty')")
        choice.select_option("good")
        settle(page)
        assert page.locator("#machine-notice.wrong").count() == 0
        patiently(page, "!document.querySelector('.machine').matches('.empty, .waiting')")
        page.close()


def test_broken_links_open_the_bundled_machine(open_page: Open) -> None:
    page = opened(open_page, "#machine")
    for text in ("?run=&unit=x&h=&clamp=<b>", "?clamp=3-1.9&unit=1e9&temperature=-1", "?%", ""):
        page.goto(page.url.partition("#")[0] + f"{LINK}&temperature=2&clamp=64.1")
        until(page, "document.getElementById('machine-clamped').value === '64'")
        page.goto(page.url.partition("#")[0] + "#machine" + text)
        if text:
            until(page, "document.getElementById('machine-clamped').value === '0'")
            assert page.get_by_label("temperature T, as a number").input_value() == "1"
        assert page.get_by_label("Run", exact=True).first.input_value() == BUNDLED


def test_lost_line_is_told_and_chains_begin_anew(open_page: Open) -> None:
    page = open_page("#functions")
    lines: list[WebSocketRoute] = []
    page.route_web_socket(re.compile("/ws$"), lambda line: (line.connect_to_server(), lines.append(line)))
    page.goto(page.url.partition("#")[0] + LINK)
    page.reload()
    patiently(page, "+(document.getElementById('machine-steps')?.value ?? 0) > 3")
    lines[-1].close()
    page.wait_for_selector("[data-connection=lost]")
    until(page, "document.getElementById('machine-notice').textContent.startsWith('Python does not answer')")
    page.wait_for_selector("[data-connection=open]")
    until(page, "document.getElementById('machine-notice').textContent.startsWith('The line was lost')")
    # the chains go on, from the seed
    before = read(page, "machine-steps")
    until(page, f"+document.getElementById('machine-steps').value !== {before}")
    page.get_by_role("button", name="Restart the chains from the seed").click()
    until(page, "document.getElementById('machine-notice').textContent === ''")
