"""Finding things on the dashboard: by search, by filter, by keyboard, in the log."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser.pages import Shoot, Visit, card, stream
from tests.browser.runs import REASON, release
from tests.helpers.bridge_thread import BridgeThread

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_why_a_task_is_blocked_takes_one_click(bridge: BridgeThread, visit: Visit, shot: Shoot) -> None:
    """From the list of what needs attention to the task's page, which says it first, and who waits for it."""
    release(bridge)
    page = await visit()
    await page.locator(".attention a", has_text="Long polling").click()
    why = page.locator("#task .why")
    await expect(why).to_contain_text(f"Blocked because{REASON}")
    await expect(why).to_contain_text("Waiting for this: Dashboard")
    await shot(page, "task")


async def test_why_a_waiting_task_waits_takes_three_clicks(bridge: BridgeThread, visit: Visit) -> None:
    """From the stream that waits, over the one that it waits for, to the task that holds both."""
    release(bridge)
    page = await visit()
    await expect(stream(page, "Dashboard")).to_contain_text("Waits for Live delivery hub and HTTP API")
    await page.locator(".node", has_text="HTTP API").first.click()
    await expect(page.locator(".card[data-task]")).to_have_count(3)
    await card(page, "blocked", "Long polling").click()
    await expect(page.locator("#task .why")).to_contain_text(REASON)


async def test_a_task_shows_its_whole_story(bridge: BridgeThread, visit: Visit) -> None:
    """History from the log, checkpoints, handoffs, and work products with their content; and it goes on live."""
    ids = release(bridge)
    page = await visit(at=f"#/task/{ids['Long polling']}")
    drawer = page.locator("#task")
    await expect(drawer.locator(".timeline li").first).to_contain_text(REASON)
    await expect(drawer.locator(".timeline li").last).to_contain_text("created")
    await expect(drawer.locator(".chain")).to_contain_text("sd → do")
    await expect(drawer.locator(".rows")).to_contain_text("implementation · step 2")
    await drawer.locator(".product summary").click()
    await expect(drawer.locator(".product pre")).to_contain_text("only rings a bell")
    bridge.call("task_update", id=ids["Long polling"], status="in_progress")
    await expect(drawer.locator(".timeline li").first).to_contain_text("Blocked → In progress")
    await expect(drawer.locator(".chip")).to_have_text("In progress")
    await expect(drawer.locator(".product pre")).to_contain_text("only rings a bell")
    await expect(drawer.locator(".why")).to_have_count(0)


async def test_an_unknown_task_is_told(bridge: BridgeThread, visit: Visit, complaints: list[str]) -> None:
    """An old link says what is wrong instead of nothing."""
    page = await visit(at="#/task/TASK-none")
    await expect(page.locator("#task")).to_contain_text("There is no task TASK-none.")
    complaints.clear()  # Chromium logs every 404


async def test_search_and_filters_narrow_the_board(bridge: BridgeThread, visit: Visit) -> None:
    """Words may stand anywhere: title, agent, stream, reason; filters add up, and one button clears them all."""
    release(bridge)
    page = await visit()
    cards = page.locator(".card[data-task]")
    await page.locator("#search").fill("balancer staging")
    await expect(cards).to_have_count(1)
    await expect(page.locator("#board .panel-head .count")).to_have_text("1 of 18")
    await expect(cards).to_be_in_viewport()
    await page.locator("#search").fill("no such words")
    await expect(page.locator("#board .empty")).to_have_text("No task fits the search.")
    await page.locator("#filter-clear").click()
    await expect(cards).to_have_count(18)
    await page.locator("#filter-stream").select_option("Wire protocol")
    await expect(cards).to_have_count(3)
    await page.locator("#filter-stream").select_option("")
    await page.locator("#filter-agent").select_option("ta")
    await expect(cards).to_have_count(1)
    await expect(cards).to_contain_text("Reconnect with jitter")


async def test_everything_is_reached_by_keyboard(bridge: BridgeThread, visit: Visit) -> None:
    """Skip link first, `/` to search, arrows through the board, Enter opens, Escape closes where it was opened."""
    release(bridge)
    page = await visit()
    await page.keyboard.press("Tab")
    assert await focused(page) == "Skip to the board"
    await page.keyboard.press("Enter")
    await page.keyboard.press("/")
    await page.keyboard.type("client")
    await expect(page.locator(".card[data-task]")).to_have_count(3)
    await page.keyboard.press("Escape")
    await expect(page.locator(".card[data-task]")).to_have_count(18)
    await page.locator(".column[data-status=pending] .card").first.focus()
    await page.keyboard.press("ArrowDown")
    assert (await focused(page)).startswith("ETag for events")
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("Home")
    await expect(page.locator(".column[data-status=in_progress] .card").first).to_be_focused()
    await page.keyboard.press("ArrowRight")
    assert (await focused(page)).startswith("Long polling")
    await page.keyboard.press("Enter")
    await expect(page.locator("#task")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#task")).to_be_hidden()
    assert (await focused(page)).startswith("Long polling")
    outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


async def focused(page: Page) -> str:
    """Return the text of what has the focus."""
    return str(await page.evaluate("document.activeElement.textContent.trim()"))


async def test_the_focus_follows_a_card_that_moves(bridge: BridgeThread, visit: Visit) -> None:
    """Somebody who walks over the board is not thrown out of it by an event."""
    ids = release(bridge)
    page = await visit()
    await card(page, "in_progress", "Catch up").focus()
    bridge.call("task_update", id=ids["Catch up"], status="completed")
    await expect(card(page, "completed", "Catch up")).to_be_focused()


async def test_the_feed_pauses_filters_and_jumps(bridge: BridgeThread, visit: Visit) -> None:
    """While it is stopped nothing moves; a pattern narrows it; a number leads to that event, however old."""
    ids = release(bridge)
    page = await visit()
    rows, note = page.locator(".event"), page.locator("#feed-note")
    await page.locator("#feed-pause").click()
    newest = await rows.first.get_attribute("data-seq")
    bridge.call("task_create", title="Not yet")
    await expect(note).to_have_text("Paused · 1 new event")
    assert await rows.first.get_attribute("data-seq") == newest
    await page.locator("#feed-pause").click()
    await expect(rows.first).to_contain_text("Not yet")
    await page.locator("#feed-filter").fill("*.blocked")
    await expect(rows).to_have_count(2)
    await page.locator("#feed-filter").fill(f"task:{ids['Catch up']}")
    await expect(rows.last).to_contain_text("Catch up created")
    await page.locator("#feed-filter").fill("")
    await page.locator("#feed-seq").fill("3")
    await page.keyboard.press("Enter")
    await expect(note).to_contain_text("At event 3 of ")
    await expect(page.locator(".event[data-marked]")).to_have_attribute("data-seq", "3")
    await expect(page.locator(".event[data-marked]")).to_be_in_viewport()
    await page.locator("#feed-seq").fill("999999")
    await page.keyboard.press("Enter")
    await expect(note).to_contain_text("There is no event 999,999")
    await page.locator("#feed-pause").click()
    await expect(rows.first).to_contain_text("Not yet")
