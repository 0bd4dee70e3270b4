"""One server and one browser for all tests of the explorer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from explorer_cases import running

if TYPE_CHECKING:
    from playwright.sync_api import Browser

QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a running server."""
    with running() as address:
        yield address


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Headless Chromium, as the machine has it."""
    api = pytest.importorskip("playwright.sync_api", reason="tests in a browser need the package playwright")
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("tests in a browser need Chromium on the path, and there is none")
    home = tmp_path_factory.mktemp("browser")
    with api.sync_playwright() as play:
        # the launcher makes a new empty profile in its temporary folder
        chromium = play.chromium.launch(executable_path=found, args=QUIET.split(), downloads_path=Path(home))
        yield chromium
        chromium.close()
