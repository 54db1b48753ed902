"""akosha over a real socket: every dialect, every request, every broadcast, every error."""

from __future__ import annotations

from typing import Any

import pytest

from taskcopilot.errors import InvalidArgumentError
from taskcopilot.services.akosha import Akosha
from tests.helpers.broadcasts import TIME, Broadcast, check_broadcast, check_refused
from tests.helpers.dialects import House, check_dialects

BROADCASTS = [
    Broadcast(
        "pattern_detected",
        ("p1", "usage", "Peaks at noon", 0.92, {"window": "24h", "confidence": 0}),
        "pattern.detected",
        {
            "pattern_id": "p1",
            "pattern_type": "usage",
            "description": "Peaks at noon",
            "confidence": 0.92,
            "window": "24h",
        },
        ["patterns:usage"],
    ),
    Broadcast(
        "anomaly_detected",
        ("a1", "latency", "high", "Slow", {"p99_ms": 950}),
        "anomaly.detected",
        {
            "anomaly_id": "a1",
            "anomaly_type": "latency",
            "severity": "high",
            "description": "Slow",
            "metrics": {"p99_ms": 950},
        },
        ["anomalies"],
    ),
    Broadcast(
        "insight_generated",
        ("i1", "trend", "Growth", "It grows", {"rate": 1.5}),
        "insight.generated",
        {
            "insight_id": "i1",
            "insight_type": "trend",
            "title": "Growth",
            "description": "It grows",
            "data": {"rate": 1.5},
        },
        ["insights"],
    ),
    Broadcast(
        "aggregation_completed",
        ("g1", "hourly", 1200, {"mean": 3}),
        "aggregation.completed",
        {"aggregation_id": "g1", "aggregation_type": "hourly", "record_count": 1200, "summary": {"mean": 3}},
        ["metrics"],
        passing=True,
    ),
]


@pytest.fixture
def akosha(house: House) -> Akosha:
    """The broadcasts."""
    return Akosha(house.publisher)


@pytest.mark.parametrize("broadcast", BROADCASTS, ids=lambda broadcast: broadcast.event)
async def test_a_broadcast_reaches_every_room_of_it(house: House, broadcast: Broadcast) -> None:
    """With the data of the contract; a named argument wins over metadata."""
    await check_broadcast(house, Akosha, broadcast, elsewhere="patterns:other")


async def test_a_tick_of_the_metrics_is_delivered_and_not_logged(house: House, akosha: Akosha) -> None:
    """Who comes later has missed it, with `since`, too; who is there hears it among what is logged, in order."""
    client, late = await house.client("akosha"), await house.client("akosha")
    await client.subscribe("metrics", "insights")
    for number in range(3):
        await akosha.broadcast_aggregation_completed(f"g{number}", "hourly", number, {})
        await akosha.broadcast_insight_generated(f"i{number}", "trend", "Growth", "It grows", {})
    heard = await client.sync()
    assert [message["event"] for message in heard] == ["aggregation.completed", "insight.generated"] * 3
    assert [message.get("seq") for message in heard] == [None, 1, None, 2, None, 3]
    await late.subscribe("metrics", "insights", since=0)
    assert [message["event"] for message in await late.sync()] == ["insight.generated"] * 3
    page = await house.server.get("/api/events", topics="metrics:*")
    assert (page["events"], page["head"]) == ([], 3)


async def test_patterns_are_told_by_category_and_all_of_them(house: House, akosha: Akosha) -> None:
    """The newest first, each as it was seen last, in the category that it was seen in last."""
    client = await house.client("akosha")
    assert (await client.request("get_patterns"))["data"] == {"category": "all", "patterns": [], "count": 0}
    await akosha.broadcast_pattern_detected("p1", "usage", "Peaks", 0.5, {"window": "1h"})
    await akosha.broadcast_pattern_detected("p2", "errors", "Bursts", 1, {})
    await akosha.broadcast_pattern_detected("p3", "errors", "Drips", 0.25, {})
    await akosha.broadcast_pattern_detected("p3", "usage", "Drips", 0.75, {"window": "2h"})
    every = (await client.request("get_patterns", category=None))["data"]
    assert (every["category"], every["count"]) == ("all", 3)
    assert [pattern["pattern_id"] for pattern in every["patterns"]] == ["p3", "p2", "p1"]
    usage = await client.request("get_patterns", category="usage")
    assert usage["seq"] == 4
    assert usage["data"] == {
        "category": "usage",
        "patterns": [_pattern("p3", "Drips", 0.75, "2h"), _pattern("p1", "Peaks", 0.5, "1h")],
        "count": 2,
    }
    errors = (await client.request("get_patterns", category="errors"))["data"]
    assert [pattern["pattern_id"] for pattern in errors["patterns"]] == ["p2"]
    assert (await client.request("get_patterns", category="usag"))["data"]["count"] == 0


def _pattern(pattern_id: str, description: str, confidence: float, window: str) -> dict[str, Any]:
    told = {"pattern_id": pattern_id, "pattern_type": "usage", "description": description, "timestamp": TIME}
    return {**told, "confidence": confidence, "window": window}


async def test_anomalies_are_those_that_were_told(house: House, akosha: Akosha) -> None:
    """The newest first; one that is told again is there once."""
    client = await house.client("akosha")
    assert (await client.request("get_anomalies"))["data"] == {"anomalies": [], "count": 0}
    await akosha.broadcast_anomaly_detected("a1", "latency", "low", "Slow", {})
    await akosha.broadcast_anomaly_detected("a2", "errors", "high", "Many", {"n": 7})
    await akosha.broadcast_anomaly_detected("a1", "latency", "critical", "Slower", {"p99_ms": 950})
    known = (await client.request("get_anomalies"))["data"]
    assert known["count"] == 2
    assert [(of["anomaly_id"], of["severity"]) for of in known["anomalies"]] == [("a1", "critical"), ("a2", "high")]
    assert known["anomalies"][0]["metrics"] == {"p99_ms": 950}


async def test_an_answer_lists_the_newest_hundred(
    house: House, akosha: Akosha, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a rare category they are found behind everything newer; pages are no borders."""
    monkeypatch.setattr("taskcopilot.services.state._PAGE", 7)
    client = await house.client("akosha")
    await akosha.broadcast_pattern_detected("rare", "rare", "Once", 1, {})
    for number in range(105):
        await akosha.broadcast_pattern_detected(f"p{number}", "usual", "Often", 1, {})
    usual = (await client.request("get_patterns"))["data"]
    assert [pattern["pattern_id"] for pattern in usual["patterns"]] == [f"p{n}" for n in range(104, 4, -1)]
    rare = (await client.request("get_patterns", category="rare"))["data"]
    assert [pattern["pattern_id"] for pattern in rare["patterns"]] == ["rare"]


async def test_an_answer_is_no_larger_than_clients_take(house: House, akosha: Akosha) -> None:
    """Half a MiB of patterns; one that is larger is told alone."""
    client = await house.client("akosha")
    for name in ("a", "b", "c"):
        await akosha.broadcast_pattern_detected(name, "large", name * 200_000, 1, {})
    large = (await client.request("get_patterns"))["data"]
    assert [pattern["pattern_id"] for pattern in large["patterns"]] == ["c", "b"]
    await akosha.broadcast_pattern_detected("d", "large", "d" * 600_000, 1, {})
    larger = (await client.request("get_patterns"))["data"]
    assert [pattern["pattern_id"] for pattern in larger["patterns"]] == ["d"]


@pytest.mark.parametrize(
    ("event", "data", "code"),
    [
        ("get_patterns", {"category": ""}, "INVALID_ARGUMENT"),
        ("get_patterns", {"category": 5}, "INVALID_ARGUMENT"),
        ("get_insights", {}, "UNKNOWN_REQUEST"),
        ("subscribe", {"channel": "patterns"}, "INVALID_CHANNEL"),
        ("subscribe", {"channel": "patterns:"}, "INVALID_CHANNEL"),
        ("subscribe", {"channel": "anomalies:1"}, "INVALID_CHANNEL"),
        ("subscribe", {"channel": ["anomalies"]}, "INVALID_CHANNEL"),
        ("subscribe", {}, "INVALID_CHANNEL"),
        ("subscribe", {"channel": "insights", "since": "never"}, "INVALID_ARGUMENT"),
        ("unsubscribe", {"channel": "global"}, "INVALID_CHANNEL"),
    ],
)
async def test_every_bad_request_gets_its_code(house: House, event: str, data: dict[str, Any], code: str) -> None:
    """With its correlation, and the connection goes on."""
    await check_refused(house, "akosha", event, data, code)


@pytest.mark.parametrize("room", ["patterns:usage", "patterns:a:b ü", "anomalies", "insights", "metrics"])
async def test_every_dialect_joins_and_leaves(house: House, room: str) -> None:
    """The forms of the documents and of the clients; categories may hold colons and letters of any script."""
    await check_dialects(await house.client("akosha"), room)


@pytest.mark.parametrize(
    ("method", "arguments", "field"),
    [
        ("pattern_detected", ("p", "usage", "Peaks", 1.01, {}), "confidence"),
        ("pattern_detected", ("p", "", "Peaks", 1, {}), "pattern_type"),
        ("anomaly_detected", ("a", "latency", "dire", "Slow", {}), "severity"),
        ("insight_generated", ("i", "trend", "Growth", "It grows", []), "data"),
        ("aggregation_completed", ("g", "hourly", -1, {}), "record_count"),
    ],
)
async def test_a_broadcast_that_is_none_is_refused(
    house: House, akosha: Akosha, method: str, arguments: tuple[Any, ...], field: str
) -> None:
    """The error names the field, nobody hears of it, and nothing is kept."""
    client = await house.client("akosha")
    await client.subscribe("patterns:usage", "anomalies", "insights", "metrics")
    with pytest.raises(InvalidArgumentError) as refused:
        await getattr(akosha, f"broadcast_{method}")(*arguments)
    assert refused.value.field == field
    assert await client.sync() == []
    assert house.server.core.recorder.head == 0
