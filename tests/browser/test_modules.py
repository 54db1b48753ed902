"""The page's plain functions, run where they run."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page

from taskcopilot.topics import Pattern
from tests.browser.pages import Visit

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def call(page: Page, module: str, function: str, *arguments: Any) -> Any:
    """Call a function of one of the page's modules."""
    return await page.evaluate(
        "async ([module, name, given]) => (await import(`/dashboard/${module}.js`))[name](...given)",
        [module, function, list(arguments)],
    )


async def test_patterns_mean_what_they_mean_on_the_wire(visit: Visit) -> None:
    """T2 and T5: the filter of the feed agrees with the server, also on what is no wildcard elsewhere."""
    page = await visit()
    patterns = ["*", "task:*", "task:A?", "task:[A]*", "*:*-1", "stream:a*b*c", "task:.*"]
    texts = ["task:A1", "task:[A]1", "stream:axxbyyc", "stream:abcx", "agent:x-1", "task:", "task:.x"]
    for pattern in patterns:
        for text in texts:
            assert await call(page, "patterns", "matches", pattern, text) == Pattern.parse(pattern).matches(text), (
                pattern,
                text,
            )
    assert await call(page, "patterns", "matches", "*a" * 60 + "b", "a" * 5_000) is False


async def test_layers_put_what_is_needed_first(visit: Visit) -> None:
    """A long edge gets bends, a circle is drawn, a long chain does not break it."""
    page = await visit()
    nodes = [
        {"id": "c", "needs": ["b", "a"]},
        {"id": "b", "needs": ["a"]},
        {"id": "a", "needs": ["nowhere"]},
    ]
    drawn = await call(page, "layers", "layered", nodes)
    assert [[place for place in layer if "\n" not in place] for layer in drawn["layers"]] == [["a"], ["b"], ["c"]]
    assert sorted(len(edge["way"]) for edge in drawn["edges"]) == [2, 2, 3]
    circle = [{"id": "x", "needs": ["y"]}, {"id": "y", "needs": ["x"]}, {"id": "z", "needs": ["z"]}]
    drawn = await call(page, "layers", "layered", circle)
    assert sorted(place for layer in drawn["layers"] for place in layer) == ["x", "y", "z"]
    chain = [{"id": str(number), "needs": [str(number - 1)]} for number in reversed(range(2_000))]
    assert len((await call(page, "layers", "layered", chain))["layers"]) == 2_000


async def test_rates_move_with_time(visit: Visit) -> None:
    """Counts stand in steps of five seconds for five minutes, then they are gone."""
    page = await visit()
    rates = await call(page, "rates", "noRates")
    at = [f"2026-01-08T12:00:{second:02}.000Z" for second in (0, 1, 7)]
    kinds = ("task.created", "task.created", "task.completed")
    events = [{"at": time, "type": kind, "topic": "task:1"} for time, kind in zip(at, kinds, strict=True)]
    rates = await call(page, "rates", "counted", rates, events)
    assert (rates["events"][-2:], rates["completed"][-2:]) == ([2, 1], [0, 1])
    later = (rates["newest"] + 3) * 5_000
    rates = await call(page, "rates", "upTo", rates, later)
    assert rates["events"][-5:] == [2, 1, 0, 0, 0]
    assert sum((await call(page, "rates", "upTo", rates, later + 300_000))["events"]) == 0


CONVERSE = """async (script) => {
  const { Connection } = await import("/dashboard/connection.js");
  const [sent, states] = [[], []];
  let socket;
  class Fake {
    static OPEN = 1;
    readyState = 1;
    constructor() { socket = this; }
    send(text) { sent.push(JSON.parse(text)); }
    close() {}
  }
  window.WebSocket = Fake;
  const heard = { snapshots: 0, events: 0 };
  const connection = new Connection("ws://nowhere", {
    status: ({ state }) => states.at(-1) !== state && states.push(state),
    snapshot: () => { heard.snapshots += 1; },
    events: (events) => { heard.events += events.length; },
    clock: () => {},
  });
  connection.open();
  for (const step of script) {
    if (step === "open") socket.onopen();
    else if (step === "close") { socket.onclose(); connection.hurry(); }
    else socket.onmessage({ data: JSON.stringify(step) });
  }
  const asked = sent.filter(({ type }) => type === "subscribe").map(({ payload }) => payload.since ?? payload.snapshot);
  return { asked, states, ...heard };
}"""


def event(seq: int) -> dict[str, Any]:
    """An event as it comes."""
    return {"type": "event", "seq": seq, "payload": {"topic": "task:1", "eventType": "task.created", "data": {}}}


def subscribed(epoch: str, seq: int, **more: Any) -> dict[str, Any]:
    """The answer to a subscribe."""
    return {"type": "subscribed", "payload": {"epoch": epoch, "seq": seq, **more}}


async def test_the_connection_asks_for_what_it_misses(visit: Visit) -> None:
    """D4 and D5: from the cursor where it has one, else for everything; of another log it takes nothing before that."""
    page = await visit()
    snapshot = {"type": "snapshot", "payload": {"seq": 5, "streams": [], "tasks": []}}
    script = [
        *("open", subscribed("a", 5), "close"),  # lost before the snapshot came
        *("open", subscribed("a", 5), snapshot, event(6), "close"),
        *("open", subscribed("a", 7, recovered=True), event(7), "close"),
        *("open", subscribed("b", 2, recovered=False), event(3), snapshot),
        {"type": "gap", "payload": {"from": 6, "to": 9}},
    ]
    heard = await page.evaluate(CONVERSE, script)
    assert heard["asked"] == [True, True, "a:6", "a:7", True, True]
    assert (heard["snapshots"], heard["events"]) == (2, 2)
    assert heard["states"][-3:] == ["connecting", "syncing", "live"]
