"""Chromium of the system, driven by Playwright, and the real services of `dev` on stand-ins."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sync_orchestration_tests.benchmarks.running import Running, running

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: make test-browser does it")

OPERATOR = "operator-token-of-the-browser-test"
PARTNERS = 60
_PICTURES = Path(__file__).parent.parent.parent / "docs" / "pictures" / "walk"
_QUIET = ["no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"]
_PATIENCE = 90_000  # milliseconds that a page is given to show what is waited for


@pytest.fixture(scope="session")
def world() -> Iterator[Running]:
    """The services, whose first sync goes on by itself, and what they work on."""
    with running(PARTNERS) as found:
        os.environ["INTAKE_OPERATOR_TOKEN"] = OPERATOR
        os.environ["INTAKE_PUBLIC_URL"] = f"http://127.0.0.1:{found.ports[1]}"
        found.start()
        yield found


@pytest.fixture(scope="session")
def chromium() -> Iterator["Browser"]:
    """The browser of the system."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("There is no Chromium on this machine: install the package chromium.")
    with playwright.sync_playwright() as started:
        yield started.chromium.launch(executable_path=path, args=[f"--{flag}" for flag in _QUIET])


@pytest.fixture
def page(chromium: "Browser") -> Iterator["Page"]:
    """A window of a person's size in English."""
    context = chromium.new_context(viewport={"width": 1400, "height": 900}, locale="en-GB", timezone_id="UTC")
    context.set_default_timeout(_PATIENCE)
    yield context.new_page()
    context.close()


def picture(page: "Page", name: str) -> None:
    """Keep what the page looks like for the guide, where WALK_PICTURES asks for it."""
    if os.environ.get("WALK_PICTURES"):
        page.wait_for_timeout(1_000)  # what fades in has faded in
        page.screenshot(path=_PICTURES / f"{name}.png")
