"""What the dashboard is like to look at: on small screens, in the dark, without eyes, under load."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.browser.pages import Shoot, Visit
from tests.browser.runs import many, release
from tests.helpers.bridge_thread import BridgeThread

pytestmark = pytest.mark.asyncio(loop_scope="session")

TASKS, STREAMS = 1_000, 20
RATE, SECONDS = 50, 4

WATCH_FRAMES = """() => {
  const seen = window.frames_seen = { gaps: [], long: [] };
  new PerformanceObserver((list) => seen.long.push(...list.getEntries().map((entry) => entry.duration)))
    .observe({ type: "longtask" });
  let last = performance.now();
  const step = (now) => { seen.gaps.push(now - last); last = now; requestAnimationFrame(step); };
  requestAnimationFrame(step);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_no_serious_fault(bridge: BridgeThread, visit: Visit, shot: Shoot, scheme: str) -> None:
    """Names, roles and contrasts, of the whole page and of an open task; in the dark only the colours differ."""
    ids = release(bridge)
    page = await visit(scheme=scheme)
    await expect(page.locator(".agent")).to_have_count(3)
    await shot(page, f"page-{scheme}")
    await check(page, scheme)
    await page.goto(f"{bridge.url}/#/task/{ids['Long polling']}")
    await expect(page.locator("#task .timeline li").first).to_be_visible()
    await shot(page, f"task-{scheme}")
    await check(page, scheme)


async def check(page: Page, scheme: str) -> None:
    """Fail for what axe finds serious or critical."""
    options = {"resultTypes": ["violations"]} | ({"runOnly": ["color-contrast"]} if scheme == "dark" else {})
    found = (await Axe().run(page, options=options)).response["violations"]
    serious = [
        (each["id"], node["html"][:200], node["any"][0]["message"] if node["any"] else "")
        for each in found
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"]
    ]
    assert serious == []


async def test_nothing_is_cut_off_on_a_phone(bridge: BridgeThread, visit: Visit, shot: Shoot) -> None:
    """360 px: no scrolling sideways, on the page and on a task's page, which fills the screen."""
    ids = release(bridge)
    page = await visit(width=360, height=740)
    await expect(page.locator(".node").first).to_be_attached()
    await shot(page, "phone")
    assert await page.evaluate("document.documentElement.scrollWidth") == 360
    assert await page.locator(".feed").evaluate("feed => feed.clientHeight") > 300
    await page.goto(f"{bridge.url}/#/task/{ids['Long polling']}")
    await expect(page.locator("#task .timeline li").first).to_be_visible()
    await shot(page, "phone-task")
    assert await page.locator("#task").evaluate("drawer => [drawer.scrollWidth, drawer.offsetWidth]") == [360, 360]


async def test_the_theme_is_the_systems_until_somebody_chooses(bridge: BridgeThread, visit: Visit) -> None:
    """And the choice outlives a reload."""
    page = await visit(scheme="dark")
    root = page.locator("html")
    await expect(root).to_have_attribute("data-theme", "dark")
    await page.emulate_media(color_scheme="light")
    await expect(root).to_have_attribute("data-theme", "light")
    await page.get_by_role("button", name="Switch between light and dark").click()
    await expect(root).to_have_attribute("data-theme", "dark")
    await page.reload()
    await expect(root).to_have_attribute("data-theme", "dark")


async def test_an_empty_bridge_says_what_will_be_here(bridge: BridgeThread, visit: Visit, shot: Shoot) -> None:
    """No tasks: no empty frames either."""
    page = await visit()
    await expect(page.locator(".headline")).to_contain_text("No tasks yet.")
    await expect(page.locator("#board .empty")).to_contain_text("There are no tasks yet.")
    await expect(page.locator(".agents + .empty")).to_have_text("No agent is at work.")
    for panel in ("#attention", "#streams"):
        await expect(page.locator(panel)).to_be_hidden()
    await shot(page, "empty")


@pytest.mark.timeout(240)
async def test_a_thousand_tasks_and_fifty_events_a_second_stay_smooth(
    bridge: BridgeThread, visit: Visit, say: Callable[[str], None], shot: Shoot
) -> None:
    """Every event arrives, and no frame takes as long as a person would call a hang."""
    tasks = many(bridge, TASKS, STREAMS)
    page = await visit()
    await expect(page.locator(".legend li[data-status=pending] b")).to_have_text("1,000")
    await page.evaluate(WATCH_FRAMES)
    last = await asyncio.to_thread(storm, bridge, tasks)
    await expect(page.locator(".event").first).to_have_attribute("data-seq", str(last))
    seen = await page.evaluate("window.frames_seen")
    gaps = sorted(seen["gaps"])
    say(
        f"{TASKS} tasks, {RATE} events/s for {SECONDS} s: {len(gaps)} frames, median {gaps[len(gaps) // 2]:.0f} ms, "
        f"99 % below {gaps[int(len(gaps) * 0.99)]:.0f} ms, longest {gaps[-1]:.0f} ms; "
        f"{len(seen['long'])} tasks above 50 ms, longest {max(seen['long'], default=0):.0f} ms"
    )
    await shot(page, "thousand")
    assert gaps[-1] < 2_000


def storm(bridge: BridgeThread, tasks: list[str]) -> int:
    """Change tasks at the rate; return the number of the last event."""
    ticking, sent, number = threading.Event(), 0, 0
    began = time.monotonic()
    start = bridge.core.recorder.head
    while sent < RATE * SECONDS:
        ticking.wait(max(0.0, began + sent / RATE - time.monotonic()))
        status = ("in_progress", "completed")[number % 2]
        bridge.call("task_update", id=tasks[number // 2], status=status, assignedAgent="me")
        number += 1
        sent = bridge.core.recorder.head - start
    return bridge.core.recorder.head
