"""Photograph the four rooms of the explorer for the README, into ``docs/images/explorer.png``.

Needs Chromium and the packages playwright and Pillow. Run it from the repository root.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from halfwave.files import write_atomically

TARGET = Path("docs/images/explorer.png")
WIDTH, HEIGHT = 1280, 800
WAIT = 12_000  # milliseconds in which samples gather and chains leave their start
ROOMS = (
    "functions?t=1,1,2;-2.5,1,0;2,1,-1.5&show=derivative,input&input=0.5,1.2",
    "units",
    "fit",
    "machine",
)


def photograph(browser: Browser, address: str, room: str) -> Image.Image:
    """One room as a picture of half its size."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
    page.goto(f"{address}#{room}")
    page.wait_for_timeout(WAIT)
    picture = Image.open(io.BytesIO(page.screenshot()))
    page.close()
    return picture.convert("RGB").resize((WIDTH * 5 // 8, HEIGHT * 5 // 8), Image.Resampling.LANCZOS)


def main() -> None:
    """Serve the explorer, photograph its rooms, and put them side by side."""
    command = [str(Path(sys.executable).with_name("halfwave")), "explore", "--no-browser", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server, sync_playwright() as play:
        assert server.stdout is not None
        address = server.stdout.readline().split()[4]
        browser = play.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        pictures = [photograph(browser, address, room) for room in ROOMS]
        browser.close()
        server.terminate()
    wide, high = pictures[0].size
    whole = Image.new("RGB", (2 * wide + 6, 2 * high + 6), "#d3d7de")
    for index, picture in enumerate(pictures):
        whole.paste(picture, (index % 2 * (wide + 6), index // 2 * (high + 6)))
    buffer = io.BytesIO()
    # the many greys of letters must not take the places of the few strong colours
    few = whole.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(buffer, "PNG", optimize=True)
    write_atomically(TARGET, buffer.getvalue())
    print(f"{TARGET}: {TARGET.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
