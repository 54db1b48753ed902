"""Fixtures of the tests in a browser: `bridge`, a bridge that can be restarted, and `visit`, which opens its page.

The browser is the system's Chromium, headless, one for all tests of a process; each visit has a context of its own.
All tests here run in the loop of the session, because that is where the browser's connection lives. Without Chromium
they are skipped. Screenshots go to the directory that TASKCOPILOT_SCREENSHOTS names, or below pytest's own.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.browser.pages import Visit, complaint
from tests.helpers.bridge_thread import BridgeThread
from tests.helpers.waiting import DEADLINE

expect.set_options(timeout=DEADLINE * 1000)

SCREENSHOTS = os.environ.get("TASKCOPILOT_SCREENSHOTS")
"""Read when this module is loaded: no test sees the settings of whoever runs it."""

ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, without a window."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        pytest.skip("no chromium on this machine")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture
def bridge(tmp_path: Path) -> Iterator[BridgeThread]:
    """A bridge in a thread of its own, on the machine's clock; it need not survive a power cut."""
    bridge = BridgeThread(tmp_path, durability="normal")
    yield bridge
    bridge.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the pages of the test complained of: script errors and violations of the policy. Empty at the end."""
    return []


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser, bridge: BridgeThread, complaints: list[str]) -> AsyncIterator[Visit]:
    """Opens the dashboard and waits until it is live; `at` is what follows the slash, such as `#/task/TASK-1`."""
    contexts = []

    async def visit(*, width: int = 1440, height: int = 900, scheme: Any = "light", at: str = "") -> Page:
        context = await browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
        )
        contexts.append(context)
        page = await context.new_page()
        page.set_default_timeout(DEADLINE * 1000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.extend(complaint(message)))
        await page.goto(f"{bridge.url}/{at}")
        await page.wait_for_selector("#connection[data-state=live]")
        return page

    yield visit
    for context in contexts:
        await context.close()
    assert complaints == []


@pytest.fixture
def shot(tmp_path: Path) -> Callable[[Page, str], Awaitable[None]]:
    """Keeps a picture of a page under a name."""
    directory = Path(SCREENSHOTS) if SCREENSHOTS else tmp_path / "screenshots"

    async def shoot(page: Page, name: str) -> None:
        await page.screenshot(path=directory / f"{name}.png")

    return shoot
