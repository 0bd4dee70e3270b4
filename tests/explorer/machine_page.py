"""The room "Machine" on a page in the browser."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from browser_cases import Open

if TYPE_CHECKING:
    from playwright.sync_api import Page

LINK = "#machine?run=bundled/digits"
OPENED = "(document.getElementById('machine-importance')?.value ?? '') !== ''"


def opened(open_page: Open, link: str = LINK, **options: Any) -> Page:
    """The room with a machine, its unit and its chains in sight."""
    page = open_page(link, **options)
    for name in (
        "machine-importance",
        "machine-steps",
        "machine-data-free-energy",
        "machine-fill-free-energy",
    ):
        patiently(page, f"(document.getElementById('{name}')?.value ?? '') !== ''")
    return page


def patiently(page: Page, condition: str) -> None:
    """Wait while the server imports torch and reads its data, which takes seconds on a machine that is busy."""
    deadline = time.monotonic() + 90
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(20)


def pause(page: Page) -> None:
    """Stop the chains, and wait for the answer that is on its way."""
    page.get_by_role("button", name="Pause or play the chains").click()
    page.wait_for_timeout(250)


def pixels(page: Page, label: str) -> str:
    return page.get_by_label(label, exact=True).evaluate("node => node.toDataURL()")
