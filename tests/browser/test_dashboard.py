"""The dashboard in a real browser: what it shows, and that it stays right."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.pages import Shoot, Visit, card, stream
from tests.browser.runs import REASON, many, release
from tests.helpers.bridge_thread import BridgeThread
from tests.helpers.work import execute

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOSTILE = (
    "<img src=x onerror=\"window.hit=1\"><script>window.hit=1</script><svg onload='window.hit=1'>",
    "javascript:window.hit=1//\"'><iframe srcdoc='<script>parent.hit=1</script>'>",
    "{{constructor.constructor('window.hit=1')()}} ${window.hit=1} \u202e\u0000end",
)


async def test_a_run_is_understood_from_the_first_screen(bridge: BridgeThread, visit: Visit, shot: Shoot) -> None:
    """How much is done, what is blocked and why, which streams wait for what, who is at work: without a click."""
    release(bridge)
    page = await visit()
    await expect(page.locator(".percent")).to_have_text("44%")
    await expect(page.locator(".headline")).to_have_text("8 of 18 tasks done · 2 of 7 streams complete · 1 blocked")
    await expect(page.locator(".attention")).to_contain_text(REASON)
    await expect(page.locator(".attention")).to_be_in_viewport()
    await expect(stream(page, "Dashboard")).to_contain_text("Waits for Live delivery hub and HTTP API")
    await expect(stream(page, "HTTP API").locator(".stream-count")).to_have_text("1 / 3")
    await expect(page.locator(".agent")).to_have_count(3)
    await expect(page.locator(".agent", has_text="Catch up")).to_contain_text("build · Reading the log")
    await expect(page.locator(".node")).to_have_count(7)
    await expect(page.locator(".edge")).to_have_count(8)
    await expect(page.locator(".event").first).to_be_visible()
    await shot(page, "light")


async def test_a_change_is_seen_without_a_reload(bridge: BridgeThread, visit: Visit) -> None:
    """A task moves through the columns, its stream's bar and the total follow."""
    page = await visit()
    await expect(page.locator("#board .empty")).to_contain_text("There are no tasks yet.")
    metadata = {"streamId": "s", "streamName": "Search", "streamPhase": "foundation", "streamDependencies": ["index"]}
    task = bridge.call("task_create", title="Rank results", metadata=metadata)["id"]
    await expect(card(page, "pending", "Rank results")).to_contain_text("Waits for index (does not exist)")
    await expect(page.locator(".phase[aria-label=Foundation] .stream-name")).to_have_text("Search")
    bridge.call("task_update", id=task, status="in_progress", assignedAgent="me")
    await expect(card(page, "in_progress", "Rank results")).to_be_visible()
    await expect(page.locator(".agent")).to_contain_text("Rank results")
    bridge.call("task_update", id=task, status="blocked", blockedReason="No corpus")
    await expect(card(page, "blocked", "Rank results")).to_contain_text("No corpus")
    await expect(page.locator(".stream")).to_contain_text("No corpus")
    bridge.call("task_update", id=task, status="completed")
    await expect(card(page, "completed", "Rank results")).to_be_visible()
    await expect(page.locator(".percent")).to_have_text("100%")
    await expect(page.locator(".agent")).to_have_count(0)
    await expect(page).to_have_title("100% · Task Copilot")


async def test_archived_and_deleted_tasks_leave_the_board(bridge: BridgeThread, visit: Visit) -> None:
    """No event names them; the counts of their stream give them away."""
    release(bridge)
    page = await visit()
    await expect(page.locator(".card[data-task]")).to_have_count(18)
    bridge.call("stream_archive_all", confirm=True)
    await expect(page.locator(".card[data-task]")).to_have_count(0)
    bridge.call("stream_unarchive", streamId="hub")
    await expect(page.locator(".card[data-task]")).to_have_count(3)


async def test_a_restart_of_the_server_is_survived_without_a_reload(bridge: BridgeThread, visit: Visit) -> None:
    """D4: what happened meanwhile is replayed, and the page says so."""
    release(bridge)
    page = await visit()
    await page.evaluate("window.loaded = 'once'")
    bridge.stop()
    await expect(page.locator("#connection")).to_contain_text("Reconnecting · as of ")
    bridge.call_elsewhere("task_create", title="Made while nobody served")
    bridge.call_elsewhere("task_create", title="And another")
    bridge.start()
    await expect(page.locator("#connection")).to_have_text("Live · replayed 2 events")
    await expect(card(page, "pending", "Made while nobody served")).to_be_visible()
    bridge.call("task_create", title="Made afterwards")
    await expect(card(page, "pending", "Made afterwards")).to_be_visible()
    assert await page.evaluate("window.loaded") == "once"
    numbers = await page.locator(".event").evaluate_all("rows => rows.map(row => Number(row.dataset.seq))")
    assert numbers == list(range(numbers[0], numbers[0] - len(numbers), -1))


async def test_after_a_gap_the_state_is_read_anew(bridge: BridgeThread, visit: Visit) -> None:
    """D5: events that retention removed are not missed silently."""
    ids = release(bridge)
    page = await visit()
    bridge.stop()
    await expect(page.locator("#connection")).to_contain_text("Reconnecting · as of ")
    bridge.call_elsewhere("task_update", id=ids["Catch up"], status="completed")
    bridge.prune_elsewhere(0)
    bridge.start()
    await expect(page.locator("#connection")).to_have_text("Live · read anew")
    await expect(card(page, "completed", "Catch up")).to_be_visible()


async def test_a_cut_connection_misses_nothing(bridge: BridgeThread, visit: Visit) -> None:
    """D1 and D4, seen from the page: every event of a storm is in the feed once, in order, whatever is cut."""
    page = await visit()
    for number in range(60):
        bridge.call("task_create", title=f"Task {number}")
        if number % 20 == 10:
            bridge.cut_all()
    await expect(page.locator(".event").first).to_have_attribute("data-seq", "60")
    await expect(page.locator(".event")).to_have_count(60)
    await expect(page.locator(".legend li[data-status=pending] b")).to_have_text("60")


async def test_hostile_text_stays_text(bridge: BridgeThread, visit: Visit) -> None:
    """In cards, in the list of what needs attention, in the drawer, the feed, the graph and the filters."""
    ids = [hostile(bridge, title) for title in HOSTILE]
    page = await visit(at=f"#/task/{ids[0]}")
    await expect(page.locator("#task-title")).to_have_text(HOSTILE[0])
    await expect(page.locator(".attention > li")).to_have_count(2 * len(HOSTILE))
    await expect(page.locator(".node")).to_have_count(1 + len(HOSTILE))
    for task, title in zip(ids, HOSTILE, strict=True):
        shown = await page.locator(f'.card[data-task="{task}"] .card-title').evaluate("title => title.textContent")
        assert shown == title
    assert await page.evaluate("window.hit") is None
    assert await page.locator("main :is(img, script, iframe), dialog :is(img, script, iframe)").count() == 0


def hostile(bridge: BridgeThread, title: str) -> str:
    """Put a text wherever it is taken, and return the task."""
    name = "".join(letter for letter in title if letter.isprintable())
    metadata = {"streamId": name, "streamName": name, "streamDependencies": ["<b>needed</b>"]}
    task = str(bridge.call("task_create", title=title, description=title, metadata=metadata)["id"])
    bridge.call("task_update", id=task, status="in_progress", assignedAgent=name)
    bridge.call("task_update", id=task, status="blocked", blockedReason=title, notes=title)
    return task


JOIN = """(room) => new Promise((done) => {
  const socket = window.socket = new WebSocket(`ws://${location.host}/ws/mahavishnu`);
  socket.onopen = () => socket.send(JSON.stringify({ type: "subscribe", channel: room }));
  socket.onmessage = (message) => message.data.includes(room) && done();
})"""


async def test_services_show_who_is_in_which_room(bridge: BridgeThread, visit: Visit) -> None:
    """The panel comes with the first connection; what services publish is in the feed and touches no task."""
    page = await visit()
    await expect(page.locator("#services")).to_be_hidden()
    await page.evaluate(JOIN, "workflow:nightly")
    await expect(page.locator(".service")).to_contain_text("mahavishnu")
    await expect(page.locator(".service")).to_contain_text("1 connection")
    await expect(page.locator(".room")).to_have_text("workflow:nightly1")
    bridge.call("service_publish", service="mahavishnu", event="workflow.started", data={"workflow_id": "nightly"})
    await expect(page.locator(".event").first).to_contain_text("workflow.started")
    await expect(page.locator(".event").first).to_contain_text("workflow_id nightly")


async def test_a_stream_in_which_nothing_moves_is_pointed_out(bridge: BridgeThread, visit: Visit) -> None:
    """Somebody should look there, and its agent counts as idle; a stream that moves is left alone."""
    release(bridge)
    bridge.run(age(bridge, "client"))
    page = await visit()
    warning = page.locator(".attention > li[data-kind=warning]")
    await expect(warning).to_have_count(1)
    await expect(warning).to_contain_text("Python client")
    await expect(warning).to_contain_text("no activity for 10+ minutes")
    await expect(page.locator(".agent[data-idle]")).to_contain_text("Reconnect with jitter")
    await expect(page.locator(".agent:not([data-idle])")).to_have_count(2)


async def age(bridge: BridgeThread, stream_id: str) -> None:
    """Let everything that was heard of a stream lie in the past."""
    long_ago = "2026-01-08T12:00:00.000Z"
    await execute(bridge.core, "UPDATE agent_activity SET last_heartbeat = ? WHERE stream_id = ?", long_ago, stream_id)
    await execute(bridge.core, "UPDATE tasks SET updated_at = ? WHERE stream_id = ?", long_ago, stream_id)


async def test_a_rate_that_is_not_known_whole_says_so(bridge: BridgeThread, visit: Visit) -> None:
    """The page reads the newest 500 events of the past: of more in a minute it says "at least"."""
    many(bridge, 510)
    page = await visit()
    await expect(page.locator(".tile strong").first).to_have_text("500+")
