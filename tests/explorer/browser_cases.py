"""What the tests in a browser do with a page."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

Open = Callable[..., "Page"]


def read(page: Page, name: str) -> float:
    """The full number behind one that the page shows."""
    return float(page.locator(f"data#{name}").evaluate("node => node.value"))


def settle(page: Page) -> None:
    """Let the page draw what has changed."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def until(page: Page, condition: str) -> None:
    """Wait for a condition; the page's own policy forbids the browser to evaluate it again and again."""
    deadline = time.monotonic() + 15
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(20)


def drag(page: Page, handle: str, right: float, down: float = 0.0) -> None:
    """Drag a handle by so many pixels, in small steps."""
    box = page.get_by_label(handle).bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + right, y + down, steps=8)
    page.mouse.up()
    settle(page)


def swipe(page: Page, handle: str, right: int) -> None:
    """Move a handle by so many pixels with a finger."""
    box = page.get_by_label(handle, exact=True).bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = page.context.new_cdp_session(page)
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for shift in (right / 2, right):
        touch.send(
            "Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x + shift, "y": y}]}
        )
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    settle(page)


def saved_pictures(page: Page, room: str) -> dict[str, bytes]:
    """What the buttons PNG and SVG save of a room, whose name is in those of the files."""
    files = {}
    for kind in ("PNG", "SVG"):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Save the plot as {kind}").click()
        assert download.value.suggested_filename == f"halfwave-{room}.{kind.lower()}"
        files[kind] = Path(download.value.path()).read_bytes()
    return files
