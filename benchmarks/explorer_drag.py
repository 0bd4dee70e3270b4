"""How often a second the explorer draws while a kink is dragged, and how soon its first picture is there.

A headless Chromium gets 60 pointer moves a second through its debugging protocol. Counted are distinct values of
the dragged kink on the screen, one look a frame; each of them was drawn with the whole picture. In the room Functions
most of them are described by Python over the websocket as well; in the room Fit Python fits the heights to 100,000
points anew, and its answers are counted too. Needs the packages of the extra `web`, playwright, and Chromium.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from math import sin
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.async_api import Page

__all__ = ["main"]

SERVE = "from halfwave.explorer import serve; serve(0, lambda address: print(address, flush=True))"
QUIET = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
MOVES_PER_SECOND = 60
SECONDS = 4.0
WATCH = """(answer) => {
  window.seen = [];
  window.answers = [];
  window.frames = 0;
  const look = () => {
    window.frames += 1;
    const value = document.querySelector('.handle.kink[data-watched]').getAttribute('aria-valuenow');
    if (value !== window.seen.at(-1)) window.seen.push(value);
    const answered = answer && document.getElementById(answer).value;
    if (answered !== window.answers.at(-1)) window.answers.push(answered);
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""
MARK = "node => node.setAttribute('data-watched', '')"
PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"


@dataclass(frozen=True)
class Case:
    """A page, the kink to drag, and how far."""

    name: str
    link: str
    kink: str
    pixels: float
    answer: str = ""
    """The number by which answers of Python are told apart."""


def functions(terms: int) -> Case:
    """The room Functions with so many terms, and with everything on that can be shown."""
    rows = ";".join(f"{(-1) ** k * 1.5},{(-1) ** k},{k / 2 - 1}" for k in range(terms))
    link = f"#functions?t={rows}&show=derivative,integral,input&window=-6,6,-6,6"
    return Case(f"{terms:>3} terms", link, "Kink of term 1", 220)


CASES = (
    functions(3),
    functions(10),
    functions(40),
    Case("a fit of 100,000 points", "#fit?set=many&k=5", "Kink 3", 70, "fit-sse"),
)


async def drag(page: Page, case: Case, seconds: float) -> tuple[float, float, float, float]:
    """Moves sent, frames looked at, distinct values seen and answers shown, each a second."""
    handle = page.get_by_label(case.kink, exact=True)
    await handle.wait_for()
    await page.wait_for_timeout(1500)
    box = await handle.bounding_box()
    if box is None:
        raise SystemExit(f"{case.kink} is not in the picture")
    await handle.evaluate(MARK)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.evaluate(WATCH, case.answer)
    protocol = await page.context.new_cdp_session(page)
    begun = time.perf_counter()
    sent = []
    while (spent := time.perf_counter() - begun) < seconds:
        across = x + case.pixels * sin(2 * spent)
        move = {"type": "mouseMoved", "x": across, "y": y, "button": "left", "buttons": 1}
        # a hand does not wait for the picture either
        sent.append(asyncio.create_task(protocol.send("Input.dispatchMouseEvent", move)))
        await asyncio.sleep(max(0.0, len(sent) / MOVES_PER_SECOND - (time.perf_counter() - begun)))
    spent = time.perf_counter() - begun
    counts = await page.evaluate("[window.frames, window.seen.length, window.answers.length]")
    await asyncio.gather(*sent)
    await page.mouse.up()
    frames, seen, answers = (count / spent for count in counts)
    return len(sent) / spent, frames, seen, answers


async def measure(address: str, seconds: float) -> None:
    """Visit, drag, print."""
    from playwright.async_api import async_playwright

    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET.split())
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        for case in CASES:
            await page.goto("about:blank")
            await page.goto(address + case.link)
            await page.wait_for_selector("[data-connection=open]")
            await page.wait_for_timeout(300)
            paint = await page.evaluate(PAINT)
            moves, frames, seen, answers = await drag(page, case, seconds)
            fits = f", {answers:.0f} fits" if case.answer else ""
            print(
                f"{case.name}: first paint after {paint:.0f} ms; "
                f"{moves:.0f} moves, {frames:.0f} frames, {seen:.0f} drawn updates{fits} a second"
            )
        await browser.close()


def main() -> None:
    """Measure and print; say so where there is no browser."""
    if shutil.which("chromium") is None:
        print("explorer_drag: needs Chromium on the path, and there is none")
        return
    server = subprocess.Popen([sys.executable, "-c", SERVE], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        asyncio.run(measure(server.stdout.readline().strip(), SECONDS))
    finally:
        server.terminate()
        server.wait(10)


if __name__ == "__main__":
    main()
