"""The dashboard of a bridge that wants a token, in a real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from taskcopilot.store import access_tokens
from tests.browser.pages import Shoot, card
from tests.helpers.bridge_thread import BridgeThread
from tests.helpers.tokens import make_token
from tests.helpers.waiting import DEADLINE

pytestmark = pytest.mark.asyncio(loop_scope="session")

Visitor = Callable[[], Coroutine[Any, Any, Page]]


@pytest.fixture
def bridge(tmp_path: Path) -> Iterator[BridgeThread]:
    """A bridge that asks for static tokens."""
    bridge = BridgeThread(tmp_path, durability="normal", auth=("token",))
    yield bridge
    bridge.close()


@pytest_asyncio.fixture(loop_scope="session")
async def arrive(browser: Browser, bridge: BridgeThread) -> AsyncIterator[Visitor]:
    """Opens the page in a context of its own; its addresses are in `page.asked`."""
    contexts = []

    async def arrive() -> Page:
        contexts.append(await browser.new_context(reduced_motion="reduce"))
        page = await contexts[-1].new_page()
        page.set_default_timeout(DEADLINE * 1000)
        await page.goto(f"{bridge.url}/#/stream/A")
        return page

    yield arrive
    for context in contexts:
        await context.close()


async def sign_in(page: Page, token: str) -> None:
    """Fill the form and send it."""
    await page.get_by_label("Token").fill(token)
    await page.get_by_role("dialog").get_by_role("button", name="Sign in").click()


def make(bridge: BridgeThread, *scopes: str, topics: tuple[str, ...] = ("*",)) -> str:
    """Return a new token of the bridge."""
    return bridge.run(make_token(bridge.core, *scopes, topics=topics))


async def test_the_page_asks_for_a_token_and_shows_nothing_before(
    bridge: BridgeThread, arrive: Visitor, shot: Shoot
) -> None:
    """A2, A3: a wrong one is refused with a word; a good one is kept by the tab over a reload, and given up again."""
    bridge.call("task_create", title="Hidden until then")
    page = await arrive()
    reason = page.locator("#sign-in-reason")
    await expect(reason).to_have_text("This bridge shows its work to those who have a token.")
    await expect(page.locator("#connection")).to_have_text("Signed out")
    await expect(page.get_by_text("Hidden until then")).to_have_count(0)
    await shot(page, "sign-in")
    await sign_in(page, "not one")
    await expect(reason).to_have_text("The bridge does not accept this token.")
    await sign_in(page, "tcb_wrong")
    await expect(reason).to_have_text("The bridge does not accept this token.")
    await sign_in(page, make(bridge, "write"))
    await expect(reason).to_have_text("This token does not allow reading.")
    token = make(bridge, "read")
    await sign_in(page, token)
    await expect(card(page, "pending", "Hidden until then")).to_be_visible()
    await expect(page.locator("#connection")).to_have_text("Live")
    await page.reload()
    await expect(card(page, "pending", "Hidden until then")).to_be_visible()
    assert token not in page.url
    kept = "JSON.stringify([{...localStorage}, document.cookie, history.state])"
    assert token not in await page.evaluate(kept)
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    await expect(page.get_by_text("Hidden until then")).to_have_count(0)
    assert await page.evaluate("sessionStorage.length") == 0


async def test_a_token_that_is_revoked_signs_out(bridge: BridgeThread, arrive: Visitor) -> None:
    """A9: within seconds, and the page says why."""
    page, token = await arrive(), make(bridge, "read")
    await sign_in(page, token)
    await expect(page.locator("#connection")).to_have_text("Live")
    bridge.run(bridge.core.recorder.record(lambda tx: access_tokens.revoke(tx, token.split("_")[1])))
    await expect(page.locator("#sign-in-reason")).to_have_text("Your token has expired or was revoked.")


async def test_a_token_shows_its_part_of_the_workspace(bridge: BridgeThread, arrive: Visitor) -> None:
    """A8: the streams that it sees, and no word of the others."""
    for stream in ("A", "B"):
        bridge.call("task_create", title=f"Work of {stream}", metadata={"streamId": stream, "streamName": stream})
    page = await arrive()
    await sign_in(page, make(bridge, "read", topics=("stream:A",)))
    await expect(card(page, "pending", "Work of A")).to_be_visible()
    bridge.call("task_create", title="More of B", metadata={"streamId": "B"})
    bridge.call("task_create", title="More of A", metadata={"streamId": "A"})
    await expect(card(page, "pending", "More of A")).to_be_visible()
    assert "of B" not in await page.content()
