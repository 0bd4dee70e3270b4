"""One server and one browser for all tests of the explorer."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from browser_cases import Open
from explorer_cases import port_of, running

from halfwave.explorer.session.session import Session
from halfwave.explorer.session.shelf import Shelf

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first that is there; the shell has no window to prepare, and takes half the time."""
QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a running server."""
    with running() as address:
        yield address


def _without_browser(reason: str) -> NoReturn:
    if os.environ.get("HALFWAVE_BROWSER") == "required":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Headless Chromium, as the machine has it."""
    try:
        from playwright import sync_api as api
    except ImportError:
        _without_browser("tests in a browser need the package playwright")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        _without_browser("tests in a browser need Chromium on the path, and there is none")
    home = tmp_path_factory.mktemp("browser")
    with api.sync_playwright() as play:
        # the launcher makes a new empty profile in its temporary folder
        chromium = play.chromium.launch(executable_path=found, args=QUIET.split(), downloads_path=Path(home))
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Browser, server: str) -> Iterator[Open]:
    """Opens the page; afterwards nothing may have been complained of or asked of the outside."""
    contexts, complaints, outside = [], [], []

    def watch(page: Page, allowed: tuple[str, ...]) -> None:
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("request", lambda r: None if r.url.startswith(allowed) else outside.append(r.url))
        page.on("websocket", lambda s: None if port_of(s.url) == port_of(server) else outside.append(s.url))

    def open_(link: str = "", address: str = "", **options: Any) -> Page:
        options = {"viewport": {"width": 1280, "height": 800}, **options}
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        watch(page, (address or server, "data:", "blob:"))
        page.goto((address or server) + link)
        page.locator(".plot canvas, .machine.empty").first.wait_for()
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []
    assert outside == []


@pytest.fixture(scope="module")
def session() -> Session:
    """A page that has just come."""
    return Session()


@pytest.fixture(scope="session")
def run() -> Any:
    """The machine that comes with the package, as it is opened."""
    from halfwave.explorer.machine.opening import open_run

    return open_run(Shelf(), "bundled/digits")
