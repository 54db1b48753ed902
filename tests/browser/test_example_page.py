"""The browser's example of a service's client: two pages draw one diagram."""

from __future__ import annotations

import contextlib
import functools
import http.server
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.browser.pages import complaint
from tests.helpers.bridge_thread import BridgeThread

pytestmark = pytest.mark.asyncio(loop_scope="session")

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "browser"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files, and says nothing of it."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[str]:
    """The example, served as `python -m http.server` does."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=EXAMPLE)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def bridge(tmp_path: Path, site: str) -> Iterator[BridgeThread]:
    """A bridge that lets the example's pages in."""
    bridge = BridgeThread(tmp_path, allow_origins=site)
    yield bridge
    bridge.close()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser, bridge: BridgeThread, site: str) -> AsyncIterator[Callable]:
    """Opens the page for a user, and waits until it is live."""
    complaints: list[str] = []
    service = bridge.url.replace("http", "ws", 1) + "/ws/excalidraw"
    async with contextlib.AsyncExitStack() as stack:

        async def open_page(user: str) -> Page:
            page = await browser.new_page()
            stack.push_async_callback(page.close)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("console", lambda message: complaints.extend(complaint(message)))
            await page.goto(f"{site}/?service={service}&diagram=plan&user={user}")
            await expect(page.locator("#state")).to_have_text("live")
            return page

        yield open_page
    assert complaints == []


async def test_two_pages_draw_one_diagram(open_page: Callable, bridge: BridgeThread) -> None:
    """Boxes, cursors and who is there; the other's restart of the bridge between is made good."""
    ann = await open_page("ann")
    ben = await open_page("ben")
    await expect(ann.locator("#users")).to_have_text("ben")
    await expect(ben.locator("#users")).to_have_text("ann")
    await ann.click("#add")
    await expect(ben.locator(".box")).to_have_text(["ann"])
    await ben.click("#add")
    await expect(ann.locator(".box")).to_have_text(["ann", "ben"])
    await expect(ann.locator("#version")).to_have_text("2")
    await ann.hover("#board")
    await expect(ben.locator(".cursor")).to_have_text("\u2190 ann")
    bridge.stop()
    await expect(ann.locator("#state")).to_have_text("lost")
    bridge.start()
    await expect(ann.locator("#state")).to_have_text("live")
    await expect(ben.locator("#state")).to_have_text("live")
    await ben.click("#add")
    await expect(ann.locator(".box")).to_have_text(["ann", "ben", "ben"])
    await ben.close()
    await expect(ann.locator("#users")).not_to_contain_text("ben")
