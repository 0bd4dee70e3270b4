"""How often a second the explorer draws while a kink is dragged, and how soon its first picture is there.

A headless Chromium gets 60 pointer moves a second through its debugging protocol. Counted are distinct values of
the dragged kink on the screen, one look a frame; each of them was drawn with the whole picture, and most of them
described by Python over the websocket as well. Needs the packages of the extra `web`, playwright, and Chromium.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import time
from math import sin

from playwright.async_api import Page, async_playwright

__all__ = ["main"]

SERVE = "from halfwave.explorer import serve; serve(0, lambda address: print(address, flush=True))"
QUIET = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
MOVES_PER_SECOND = 60
SECONDS = 4.0
TERMS = (3, 10, 40)
WATCH = """() => {
  window.seen = [];
  window.frames = 0;
  const handle = document.querySelector('.handle.kink');
  const look = () => {
    window.frames += 1;
    const value = handle.getAttribute('aria-valuenow');
    if (value !== window.seen.at(-1)) window.seen.push(value);
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""
PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"


def link(terms: int) -> str:
    """An address with so many terms, and with everything on that can be shown."""
    rows = ";".join(f"{(-1) ** k * 1.5},{(-1) ** k},{k / 2 - 1}" for k in range(terms))
    return f"#functions?t={rows}&show=derivative,integral,input&window=-6,6,-6,6"


async def drag(page: Page, seconds: float) -> tuple[float, float, float]:
    """Moves sent, frames looked at and distinct values seen, each a second."""
    box = await page.get_by_label("Kink of term 1", exact=True).bounding_box()
    if box is None:
        raise SystemExit("the kink of the first term is not in the picture")
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.evaluate(WATCH)
    protocol = await page.context.new_cdp_session(page)
    begun = time.perf_counter()
    sent = []
    while (spent := time.perf_counter() - begun) < seconds:
        move = {"type": "mouseMoved", "x": x + 220 * sin(2 * spent), "y": y, "button": "left", "buttons": 1}
        # a hand does not wait for the picture either
        sent.append(asyncio.create_task(protocol.send("Input.dispatchMouseEvent", move)))
        await asyncio.sleep(max(0.0, len(sent) / MOVES_PER_SECOND - (time.perf_counter() - begun)))
    spent = time.perf_counter() - begun
    frames, seen = await page.evaluate("[window.frames, window.seen.length]")
    await asyncio.gather(*sent)
    await page.mouse.up()
    return len(sent) / spent, frames / spent, seen / spent


async def measure(address: str, seconds: float) -> None:
    """Visit, drag, print."""
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET.split())
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        for terms in TERMS:
            await page.goto("about:blank")
            await page.goto(address + link(terms))
            await page.wait_for_selector("[data-connection=open]")
            await page.wait_for_timeout(300)
            paint = await page.evaluate(PAINT)
            moves, frames, seen = await drag(page, seconds)
            print(
                f"{terms:>3} terms: first paint after {paint:.0f} ms; "
                f"{moves:.0f} moves, {frames:.0f} frames, {seen:.0f} drawn updates a second"
            )
        await browser.close()


def main() -> None:
    """Measure and print."""
    server = subprocess.Popen([sys.executable, "-c", SERVE], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        asyncio.run(measure(server.stdout.readline().strip(), SECONDS))
    finally:
        server.terminate()
        server.wait(10)


if __name__ == "__main__":
    main()
