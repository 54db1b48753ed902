"""A service more is one file: the orchard of docs/adding-a-service.md does all that the others do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from taskcopilot.errors import ConflictError
from taskcopilot.services.table import SERVICES
from taskcopilot.web.keys import DESKS
from tests.helpers.dialects import House, RoomClient, check_dialects
from tests.helpers.waiting import until
from tests.services.conftest import OpenHouse
from tests.services.orchard import SERVICE, Orchard

pytestmark = pytest.mark.other_events

TIME = "2026-01-08T12:00:00.000Z"
ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
async def house(open_services: OpenHouse, monkeypatch: pytest.MonkeyPatch) -> House:
    """A bridge that knows the orchard."""
    monkeypatch.setitem(SERVICES._services, "orchard", SERVICE)
    return await open_services(services="orchard", service_addresses="orchard=0")


@pytest.fixture
def orchard(house: House) -> Orchard:
    """Its broadcasts."""
    return Orchard(house.publisher)


async def publish(client: RoomClient, event: str, **data: Any) -> dict[str, Any]:
    """Publish as a client; return the answer, whatever else is heard before."""
    await client.say({"type": "event", "event": event, "data": data, "id": event})
    while (answer := await client.hear())["correlation_id"] != event:
        pass
    return answer


async def test_it_is_declared_and_works(house: House, orchard: Orchard) -> None:
    """Rooms, state, requests and every dialect, from the declaration alone."""
    client = await house.client("orchard")
    await check_dialects(client, "tree:elm")
    await client.subscribe("tree:elm")
    await orchard.broadcast_tree_planted("elm", {"kind": "Ulmus"})
    await orchard.broadcast_tree_grown("elm", 2.5, 2)
    assert [heard["event"] for heard in await client.sync()] == ["tree.planted", "tree.grown"]
    state = (await client.request("get_tree_status", tree_id="elm"))["data"]
    assert state == {"tree_id": "elm", "height": 2.5, "version": 2, "kind": "Ulmus"}
    await house.publisher.publish(SERVICE, "tree.felled", {"tree_id": "elm"})
    assert [heard["data"] for heard in await client.sync()] == [{"tree_id": "elm", "timestamp": TIME}]
    assert (await client.request("get_tree_status", tree_id="elm"))["error_code"] == "NOT_FOUND"
    page = await house.server.get("/api/events", topics="tree:*")
    assert [event["payload"]["eventType"] for event in page["events"]] == [
        "orchard.tree.planted",
        "orchard.tree.grown",
        "orchard.tree.felled",
    ]


async def test_what_the_state_does_not_allow_is_refused_with_what_is_so(house: House, orchard: Orchard) -> None:
    """A fold may refuse: the publisher gets CONFLICT with the version, nobody else hears, and nothing is logged."""
    first, second = await house.client("orchard"), await house.client("orchard")
    await first.subscribe("tree:elm")
    assert (await publish(second, "tree.grown", tree_id="elm", height=1, version=1))["type"] == "ack"
    refused = await publish(second, "tree.grown", tree_id="elm", height=9, version=1)
    assert (refused["type"], refused["error_code"], refused["data"]) == ("error", "CONFLICT", {"version": 1})
    assert [heard["data"]["height"] for heard in await first.sync()] == [1]
    with pytest.raises(ConflictError):
        await orchard.broadcast_tree_grown("elm", 9, 1)
    assert house.server.core.recorder.head == 1


async def test_passing_events_are_delivered_and_not_logged(house: House, orchard: Orchard) -> None:
    """To who is there; in order with what is logged; over HTTP with 202 and no number."""
    client, late = await house.client("orchard"), await house.client("orchard")
    await client.subscribe("wind:elm", "tree:elm")
    await orchard.broadcast_tree_planted("elm", {})
    await orchard.broadcast_wind_felt("elm", 3.5)
    body = {"event": "wind.felt", "data": {"tree_id": "elm", "speed": 4}}
    answer = await house.server.post("/api/services/orchard/events", body, expect=202)
    assert answer["seq"] is None
    await house.server.call("service_publish", service="orchard", **body)
    planted, *wind = await client.sync()
    assert (planted["event"], planted["seq"]) == ("tree.planted", 1)
    assert [(heard["event"], heard["room"], heard["data"]["speed"]) for heard in wind] == [
        ("wind.felt", "wind:elm", speed) for speed in (3.5, 4, 4)
    ]
    assert "seq" not in wind[0]
    assert len({heard["id"] for heard in wind}) == 3
    await late.subscribe("wind:elm", since=0)
    assert await late.sync() == []
    assert house.server.core.recorder.head == 1


async def test_clients_publish_what_is_relayed_and_no_faster(house: House) -> None:
    """The others in the room get it; what comes within 50 ms of the last is passed over, and said so."""
    client, other = await house.client("orchard"), await house.client("orchard")
    await other.subscribe("wind:elm")
    answers = [await publish(client, "wind.felt", tree_id="elm", speed=speed) for speed in (1, 2)]
    house.clock.advance(0.05)
    answers.append(await publish(client, "wind.felt", tree_id="elm", speed=3))
    answers.append(await publish(client, "wind.felt", tree_id="oak", speed=4))
    assert [answer["data"]["status"] for answer in answers] == ["published", "throttled", "published", "published"]
    assert [heard["data"]["speed"] for heard in await other.sync()] == [1, 3]
    assert (await publish(client, "wind.felt", tree_id="elm"))["error_code"] == "INVALID_ARGUMENT"
    assert (await publish(client, "tree.planted", tree_id="elm"))["error_code"] == "FORBIDDEN"


async def test_who_publishes_does_not_get_it_back(house: House) -> None:
    """Live, passing or replayed; the others do, also on another socket of the same user, and a fresh socket does."""
    client, other = await house.client("orchard"), await house.client("orchard")
    for each in (client, other):
        await each.subscribe("tree:elm", "wind:elm")
    await publish(client, "tree.grown", tree_id="elm", height=1, version=1)
    await publish(client, "wind.felt", tree_id="elm", speed=1)
    assert await client.sync() == []
    assert [heard["event"] for heard in await other.sync()] == ["tree.grown", "wind.felt"]
    await publish(other, "tree.grown", tree_id="elm", height=2, version=2)
    assert [heard["data"]["height"] for heard in await client.sync()] == [2]
    await client.request("unsubscribe", channel="tree:elm")
    await client.subscribe("tree:elm", since=0)
    assert [heard["data"]["height"] for heard in await client.sync()] == [2]
    fresh = await house.client("orchard")
    await fresh.subscribe("tree:elm", since=0)
    assert [heard["data"]["height"] for heard in await fresh.sync()] == [1, 2]


async def test_one_socket_may_speak_for_several(house: House) -> None:
    """Each of them is taken back when it drops."""
    client, other = await house.client("orchard"), await house.client("orchard")
    await other.subscribe("visitors:elm")
    for visitor in ("ann", "ben", "cat"):
        await publish(client, "visitor.came", tree_id="elm", visitor=visitor)
    await publish(client, "visitor.left", tree_id="elm", visitor="ben")
    assert len(await other.sync()) == 4
    await client.socket.close()
    gone = [(heard["event"], heard["data"]["visitor"]) for heard in (await other.hear(), await other.hear())]
    assert gone == [("visitor.left", "ann"), ("visitor.left", "cat")]


async def test_presence_is_taken_back_when_the_socket_drops(house: House) -> None:
    """For every tree that the client did not leave itself."""
    client, other = await house.client("orchard"), await house.client("orchard")
    await other.subscribe("visitors:elm", "visitors:oak")
    for tree in ("elm", "oak"):
        await publish(client, "visitor.came", tree_id=tree, visitor="ann")
    await publish(client, "visitor.left", tree_id="oak", visitor="ann")
    assert [heard["event"] for heard in await other.sync()] == ["visitor.came", "visitor.came", "visitor.left"]
    client.socket._response.connection.transport.abort()
    heard = await other.hear()
    assert (heard["event"], heard["data"]["tree_id"], heard["data"]["visitor"]) == ("visitor.left", "elm", "ann")
    await until(lambda: house.server.app[DESKS]["orchard"].connections == 1)
    assert await other.sync() == []


def test_the_page_shows_what_is_tested() -> None:
    """docs/adding-a-service.md holds the very text of the declaration."""
    page = (ROOT / "docs" / "adding-a-service.md").read_text("utf-8")
    assert (ROOT / "tests" / "services" / "orchard.py").read_text("utf-8").rstrip() in page
