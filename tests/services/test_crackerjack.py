"""crackerjack over a real socket: every dialect, every request, every broadcast, every error."""

from __future__ import annotations

from typing import Any

import pytest

from taskcopilot.errors import InvalidArgumentError
from taskcopilot.services.crackerjack import Crackerjack
from tests.helpers.dialects import House, check_dialects

TIME = "2026-01-08T12:00:00.000Z"
COVERED = {"line_coverage": 91.5, "branch_coverage": 80, "path_coverage": 70.25}

BROADCASTS: list[tuple[str, tuple[Any, ...], str, dict[str, Any], list[str]]] = [
    (
        "test_started",
        ("r", "unit", 12),
        "test.started",
        {"run_id": "r", "test_suite": "unit", "total_tests": 12},
        ["test:r", "global"],
    ),
    (
        "test_completed",
        ("r", 11, 1, 3.25),
        "test.completed",
        {"run_id": "r", "tests_completed": 11, "tests_failed": 1, "duration_seconds": 3.25},
        ["test:r", "global"],
    ),
    (
        "test_failed",
        ("r", "test_x", "boom", "Traceback ..."),
        "test.failed",
        {"run_id": "r", "test_name": "test_x", "error": "boom", "traceback": "Traceback ..."},
        ["test:r", "global"],
    ),
    (
        "quality_gate_checked",
        ("shop", "lint", "passed", 9.5, 8.0),
        "quality_gate.checked",
        {
            "project": "shop",
            "gate_name": "lint",
            "status": "passed",
            "score": 9.5,
            "threshold": 8,
            "quality_gate_report": None,
        },
        ["quality:shop", "global"],
    ),
    (
        "coverage_updated",
        ("shop", 91.5, 80, 70.25),
        "coverage.updated",
        {"project": "shop", **COVERED},
        ["quality:shop", "coverage", "global"],
    ),
]


@pytest.fixture
def crackerjack(house: House) -> Crackerjack:
    """The broadcasts."""
    return Crackerjack(house.publisher)


@pytest.mark.parametrize("broadcast", BROADCASTS, ids=lambda broadcast: broadcast[2])
async def test_a_broadcast_reaches_every_room_of_it(
    house: House, crackerjack: Crackerjack, broadcast: tuple[str, tuple[Any, ...], str, dict[str, Any], list[str]]
) -> None:
    """`coverage` and `global` included, which were promised and never fed."""
    method, arguments, event, data, rooms = broadcast
    clients = {room: await house.client("crackerjack") for room in rooms}
    for room, client in clients.items():
        await client.subscribe(room)
    elsewhere = await house.client("crackerjack")
    await elsewhere.subscribe("test:other", "quality:other")
    await getattr(crackerjack, f"broadcast_{method}")(*arguments)
    for room, client in clients.items():
        (heard,) = await client.sync()
        assert (heard["type"], heard["event"], heard["room"], heard["seq"]) == ("event", event, room, 1)
        assert heard["data"] == {**data, "timestamp": TIME}
    assert await elsewhere.sync() == []


async def test_a_run_is_told_from_its_events(house: House, crackerjack: Crackerjack) -> None:
    """From its start over what failed to its end."""
    client = await house.client("crackerjack")
    await crackerjack.broadcast_test_started("r", "unit", 12)
    await crackerjack.broadcast_test_failed("r", "test_x", "boom", "Traceback ...")
    running = (await client.request("get_test_status", run_id="r"))["data"]
    assert running == {
        "run_id": "r",
        "status": "running",
        "test_suite": "unit",
        "total_tests": 12,
        "failures": [{"test_name": "test_x", "error": "boom"}],
        "failures_seen": 1,
        "started_at": TIME,
    }
    await crackerjack.broadcast_test_completed("r", 11, 1, 3.25)
    ended = (await client.request("get_test_status", run_id="r"))["data"]
    assert (ended["status"], ended["tests_failed"], ended["completed_at"]) == ("failed", 1, TIME)
    await crackerjack.broadcast_test_completed("r2", 3, 0, 1)
    assert (await client.request("get_test_status", run_id="r2"))["data"]["status"] == "passed"


async def test_a_gate_is_what_was_checked_and_never_more(house: House, crackerjack: Crackerjack) -> None:
    """Unknown before anything was checked, failed while one gate is missed, and with the newest coverage."""
    client = await house.client("crackerjack")
    await crackerjack.broadcast_coverage_updated("shop", **COVERED)
    known = (await client.request("get_quality_gate", project="shop"))["data"]
    assert (known["status"], known["gates"], known["coverage"]) == ("unknown", [], 91.5)
    assert "passed" not in known
    await crackerjack.broadcast_quality_gate_checked("shop", "lint", "passed", 9.5, 8.0)
    await crackerjack.broadcast_quality_gate_checked("shop", "types", "failed", 2, 8.0, {"source": "crackerjack"})
    failed = (await client.request("get_quality_gate", project="shop"))["data"]
    assert (failed["status"], failed["passed"], failed["source"]) == ("failed", False, "crackerjack")
    assert failed["required_check_failures"] == ["types"]
    assert [gate["name"] for gate in failed["gates"]] == ["lint", "types"]
    await crackerjack.broadcast_quality_gate_checked("shop", "types", "passed", 9, 8.0)
    assert (await client.request("get_quality_gate", project="shop"))["data"]["status"] == "passed"


@pytest.mark.parametrize(
    ("event", "data", "code"),
    [
        ("get_test_status", {"run_id": "nobody"}, "NOT_FOUND"),
        ("get_quality_gate", {"project": "nobody"}, "NOT_FOUND"),
        ("get_test_status", {}, "INVALID_ARGUMENT"),
        ("get_quality_gate", {"project": ""}, "INVALID_ARGUMENT"),
        ("get_workflow_status", {"workflow_id": "wf"}, "UNKNOWN_REQUEST"),
        ("subscribe", {"channel": "workflow:1"}, "INVALID_CHANNEL"),
        ("unsubscribe", {"channel": "test"}, "INVALID_CHANNEL"),
    ],
)
async def test_every_bad_request_gets_its_code(house: House, event: str, data: dict[str, Any], code: str) -> None:
    """With its correlation, and the connection goes on."""
    client = await house.client("crackerjack")
    answer = await client.request(event, **data)
    assert (answer["type"], answer["error_code"]) == ("error", code)
    await client.subscribe("coverage")


@pytest.mark.parametrize("room", ["test:r", "quality:shop", "coverage", "global"])
async def test_every_dialect_joins_and_leaves(house: House, room: str) -> None:
    """The forms of the documents and of the clients."""
    await check_dialects(await house.client("crackerjack"), room)


async def test_a_broadcast_that_is_none_is_refused(house: House, crackerjack: Crackerjack) -> None:
    """The error names the field, nobody hears of it, and nothing is kept."""
    client = await house.client("crackerjack")
    await client.subscribe("global")
    with pytest.raises(InvalidArgumentError) as refused:
        await crackerjack.broadcast_coverage_updated("shop", 101, 0, 0)
    assert refused.value.field == "line_coverage"
    assert await client.sync() == []
    assert (await client.request("get_quality_gate", project="shop"))["error_code"] == "NOT_FOUND"


async def test_an_unknown_id_is_named_by_its_argument(house: House) -> None:
    """`data.field` says what to correct."""
    client = await house.client("crackerjack")
    for request, field in (("get_test_status", "run_id"), ("get_quality_gate", "project")):
        assert (await client.request(request, **{field: "nobody"}))["data"] == {"field": field}
