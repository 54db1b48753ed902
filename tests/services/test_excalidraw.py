"""excalidraw over real sockets: two who draw one diagram, and every dialect, request, broadcast and error."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from taskcopilot.errors import ConflictError, InvalidArgumentError
from taskcopilot.services.excalidraw import Excalidraw
from taskcopilot.web.keys import DESKS
from tests.helpers.broadcasts import TIME, Broadcast, check_broadcast, check_refused
from tests.helpers.dialects import House, RoomClient, check_dialects
from tests.helpers.waiting import DEADLINE, until

DIAGRAM, CURSOR, PRESENCE = "diagram:d", "cursor:d", "presence:d"
BOX = {"id": "box", "type": "rectangle", "x": 1, "y": 2}
ANN = {"name": "Ann", "color": "#f00"}

BROADCASTS = [
    Broadcast(
        "diagram_created",
        ("d", {"title": "Plan", "elements": [], "version": 1}),
        "diagram.created",
        {"diagram_id": "d", "title": "Plan", "elements": [], "version": 1},
        [DIAGRAM, "global"],
    ),
    Broadcast(
        "diagram_updated",
        ("d", {"elements": [BOX]}),
        "diagram.updated",
        {"diagram_id": "d", "elements": [BOX]},
        [DIAGRAM, "global"],
    ),
    Broadcast(
        "cursor_moved",
        ("d", "ann", {"x": 10, "y": 2.5}),
        "cursor.moved",
        {"diagram_id": "d", "user_id": "ann", "position": {"x": 10, "y": 2.5}},
        [CURSOR],
        passing=True,
    ),
    Broadcast(
        "user_joined",
        ("d", "ann", ANN),
        "user.joined",
        {"diagram_id": "d", "user_id": "ann", "user_info": ANN},
        [PRESENCE, "global"],
    ),
    Broadcast("user_left", ("d", "ann"), "user.left", {"diagram_id": "d", "user_id": "ann"}, [PRESENCE, "global"]),
]


@pytest.fixture
def excalidraw(house: House) -> Excalidraw:
    """The broadcasts."""
    return Excalidraw(house.publisher)


async def publish(client: RoomClient, event: str, **data: Any) -> dict[str, Any]:
    """Publish as a client about the diagram; return the answer, whatever else is heard before."""
    await client.say({"type": "event", "event": event, "data": {"diagram_id": "d", **data}, "id": "p"})
    while (answer := await client.hear())["correlation_id"] != "p":
        pass
    return answer


async def pair(house: House, *rooms: str) -> tuple[RoomClient, RoomClient]:
    """Two clients in the same rooms."""
    ann, ben = await house.client("excalidraw"), await house.client("excalidraw")
    for client in (ann, ben):
        await client.subscribe(*rooms)
    return ann, ben


@pytest.mark.parametrize("broadcast", BROADCASTS, ids=lambda broadcast: broadcast.method)
async def test_a_broadcast_reaches_every_room_of_it(house: House, broadcast: Broadcast) -> None:
    """V7: `global` included, which was announced and never fed; cursors are too many for it."""
    await check_broadcast(house, Excalidraw, broadcast, "diagram:other")


async def test_the_other_collaborators_see_an_update(house: House) -> None:
    """Each sees what the other drew, once and in order, and never its own again."""
    ann, ben = await pair(house, DIAGRAM)
    assert (await publish(ann, "diagram.updated", elements=[BOX], version=1))["data"] == {
        "status": "published",
        "seq": 1,
    }
    assert (await publish(ben, "diagram.updated", elements=[BOX, BOX], version=2))["type"] == "ack"
    (of_ben,) = await ann.sync()
    assert (of_ben["event"], of_ben["room"], of_ben["seq"]) == ("diagram.updated", DIAGRAM, 2)
    assert of_ben["data"] == {"diagram_id": "d", "elements": [BOX, BOX], "version": 2, "timestamp": TIME}
    assert await ben.sync() == []


async def test_a_stale_update_is_refused_with_the_current_version(house: House, excalidraw: Excalidraw) -> None:
    """CONFLICT with `data.version`; nobody hears of it, and nothing is changed. On top of that version it works."""
    ann, ben = await pair(house, DIAGRAM)
    await excalidraw.broadcast_diagram_created("d", {"title": "Plan", "elements": []})
    assert [len(await client.sync()) for client in (ann, ben)] == [1, 1]
    await publish(ann, "diagram.updated", title="of Ann", version=2)
    stale = await publish(ben, "diagram.updated", title="of Ben", version=2)
    assert (stale["type"], stale["error_code"], stale["data"]) == ("error", "CONFLICT", {"version": 2})
    assert stale["correlation_id"] == "p"
    assert await ann.sync() == []
    again = await publish(ben, "diagram.updated", title="of Ben", version=stale["data"]["version"] + 1)
    assert again["data"]["status"] == "published"
    assert [heard["data"]["title"] for heard in await ann.sync()] == ["of Ben"]
    with pytest.raises(ConflictError) as refused:
        await excalidraw.broadcast_diagram_updated("d", {"version": 3})
    assert refused.value.details == {"version": 3}
    with pytest.raises(ConflictError):
        await excalidraw.broadcast_diagram_created("d", {"version": 1})
    assert house.server.core.recorder.head == 3


async def test_of_updates_at_once_exactly_one_wins(house: House) -> None:
    """Eight clients make the same version at the same time: one is taken, seven are told the version."""
    clients = [await house.client("excalidraw") for _ in range(8)]
    watcher = await house.client("excalidraw")
    await watcher.subscribe(DIAGRAM)
    for version in (1, 2, 3):
        answers = await asyncio.gather(
            *(publish(client, "diagram.updated", by=number, version=version) for number, client in enumerate(clients))
        )
        won = [number for number, answer in enumerate(answers) if answer["type"] == "ack"]
        lost = [answer for answer in answers if answer["type"] == "error"]
        assert len(won) == 1
        assert [(answer["error_code"], answer["data"]["version"]) for answer in lost] == [("CONFLICT", version)] * 7
        assert [heard["data"]["by"] for heard in await watcher.sync()] == won


async def test_cursors_are_throttled_by_user_and_never_logged(house: House) -> None:
    """One in 50 ms of each user; who subscribes later does not get them, not even with `since`."""
    ann, ben = await pair(house, CURSOR)

    async def move(user: str, x: float) -> str:
        answer = await publish(ann, "cursor.moved", user_id=user, position={"x": x, "y": 0})
        return str(answer["data"]["status"])

    statuses = [await move("ann", 1), await move("ann", 2), await move("guest", 3)]
    house.clock.advance(0.049)
    statuses.append(await move("ann", 4))
    house.clock.advance(0.001)
    statuses.append(await move("ann", 5))
    assert statuses == ["published", "throttled", "published", "throttled", "published"]
    heard = await ben.sync()
    assert [(move["data"]["user_id"], move["data"]["position"]["x"]) for move in heard] == [
        ("ann", 1),
        ("guest", 3),
        ("ann", 5),
    ]
    assert not any("seq" in move for move in heard)
    assert await ann.sync() == []
    late = await house.client("excalidraw")
    await late.subscribe(CURSOR, since=0)
    assert await late.sync() == []
    assert house.server.core.recorder.head == 0


@pytest.mark.parametrize("drops", [True, False], ids=["dropped", "closed"])
async def test_who_goes_without_a_word_has_left(house: House, drops: bool) -> None:
    """`user.left` comes when the socket ends, however it does; who left itself is not said to leave twice."""
    ann, ben = await pair(house, PRESENCE)
    await publish(ann, "user.joined", user_id="ann", user_info=ANN)
    assert [heard["data"]["user_info"] for heard in await ben.sync()] == [ANN]
    await publish(ben, "user.joined", user_id="ben", user_info={"name": "Ben"})
    (seen,) = await ann.sync()
    assert (seen["event"], seen["data"]["user_info"]) == ("user.joined", {"name": "Ben"})
    if drops:
        ben.socket._response.connection.transport.abort()  # type: ignore[union-attr]
    else:
        await ben.socket.close()
    gone = await asyncio.wait_for(ann.hear(), DEADLINE)
    assert (gone["event"], gone["room"], gone["data"]["user_id"]) == ("user.left", PRESENCE, "ben")
    third = await house.client("excalidraw")
    await publish(third, "user.joined", user_id="cat", user_info={})
    await publish(third, "user.left", user_id="cat")
    await third.socket.close()
    await until(lambda: house.server.app[DESKS]["excalidraw"].connections == 1)
    assert [heard["event"] for heard in await ann.sync()] == ["user.joined", "user.left"]


async def test_who_comes_later_is_told_who_is_there(house: House) -> None:
    """`users` of the status, in the order in which they came; nothing was drawn yet, and that is version 0."""
    ann, ben = await pair(house, PRESENCE)
    await publish(ann, "user.joined", user_id="ann", user_info=ANN)
    await publish(ben, "user.joined", user_id="ben", user_info={})
    asks = await house.client("excalidraw")

    async def there() -> list[str]:
        answer = (await asks.request("get_diagram_status", diagram_id="d"))["data"]
        assert answer["diagram"] == {"diagram_id": "d", "version": 0}
        return [user["user_id"] for user in answer["users"]]

    assert await there() == ["ann", "ben"]
    await publish(ann, "user.joined", user_id="ann", user_info={"name": "Anna"})
    assert await there() == ["ben", "ann"]
    await ann.sync()
    await ben.socket.close()
    assert (await ann.hear())["event"] == "user.left"
    assert await there() == ["ann"]
    await publish(ann, "user.left", user_id="ann")
    assert (await asks.request("get_diagram_status", diagram_id="d"))["error_code"] == "NOT_FOUND"


@pytest.mark.parametrize("now", [20_000.1, 86_399.3, 123_456.7])
async def test_the_first_move_is_never_too_early(house: House, now: float) -> None:
    """Whatever time it is: differences of large numbers are not exact."""
    house.clock.advance(now)
    client = await house.client("excalidraw")
    for number in range(20):
        answer = await publish(client, "cursor.moved", user_id=f"u{number}", position={"x": 0, "y": 0})
        assert answer["data"]["status"] == "published"
        house.clock.advance(0.0123)


async def test_a_diagram_is_what_its_events_add_up_to(house: House, excalidraw: Excalidraw) -> None:
    """Updates change what they name, a creation begins anew, and without a version the count goes on."""
    client = await house.client("excalidraw")

    async def diagram() -> dict[str, Any]:
        answer = (await client.request("get_diagram_status", diagram_id="d"))["data"]
        assert (answer["diagram_id"], answer["status"]) == ("d", "found")
        return dict(answer["diagram"])

    await excalidraw.broadcast_diagram_created("d", {"title": "Plan", "elements": [], "version": 5})
    house.clock.advance(5)
    await excalidraw.broadcast_diagram_updated("d", {"elements": [BOX]})
    assert await diagram() == {
        "diagram_id": "d",
        "version": 6,
        "title": "Plan",
        "elements": [BOX],
        "created_at": TIME,
        "updated_at": "2026-01-08T12:00:05.000Z",
    }
    await excalidraw.broadcast_cursor_moved("d", "ann", {"x": 0, "y": 0})
    await excalidraw.broadcast_diagram_created("d", {"title": "New"})
    anew = await diagram()
    assert (anew["version"], anew["title"], "elements" in anew) == (7, "New", False)


async def test_who_was_away_resumes(house: House) -> None:
    """`since` brings the updates and who came and went, in order."""
    ann, ben = await pair(house, DIAGRAM, PRESENCE)
    await publish(ann, "diagram.updated", version=1)
    await ben.socket.close()
    await publish(ann, "user.joined", user_id="ann", user_info=ANN)
    await publish(ann, "diagram.updated", version=2)
    back = await house.client("excalidraw")
    (answer,) = await back.subscribe(DIAGRAM, since=1)
    assert answer["recovered"] is True
    drawn = await back.sync()
    await back.subscribe(PRESENCE, since=1)
    heard = [*drawn, *await back.sync()]
    assert [(message["seq"], message["event"]) for message in heard] == [(3, "diagram.updated"), (2, "user.joined")]


@pytest.mark.parametrize(
    ("event", "data", "code"),
    [
        ("get_diagram_status", {"diagram_id": "nowhere"}, "NOT_FOUND"),
        ("get_diagram_status", {}, "INVALID_ARGUMENT"),
        ("get_diagram_status", {"diagram_id": 7}, "INVALID_ARGUMENT"),
        ("get_test_status", {"run_id": "r"}, "UNKNOWN_REQUEST"),
        ("subscribe", {"channel": "element:1"}, "INVALID_CHANNEL"),
        ("unsubscribe", {"channel": "diagram:"}, "INVALID_CHANNEL"),
    ],
)
async def test_every_bad_request_gets_its_code(house: House, event: str, data: dict[str, Any], code: str) -> None:
    """With its correlation, and the connection goes on."""
    await check_refused(house, "excalidraw", event, data, code)


@pytest.mark.parametrize(
    ("event", "data", "code", "field"),
    [
        ("diagram.created", {}, "FORBIDDEN", None),
        ("element.added", {}, "FORBIDDEN", None),
        ("diagram.updated", {"version": 0}, "INVALID_ARGUMENT", "version"),
        ("diagram.updated", {"version": "2"}, "INVALID_ARGUMENT", "version"),
        ("diagram.updated", {"diagram_id": ""}, "INVALID_ARGUMENT", "diagram_id"),
        ("cursor.moved", {"user_id": "ann", "position": {"x": 1}}, "INVALID_ARGUMENT", "position.y"),
        ("cursor.moved", {"position": {"x": 1, "y": 1}}, "INVALID_ARGUMENT", "user_id"),
        ("user.joined", {"user_id": "ann"}, "INVALID_ARGUMENT", "user_info"),
        ("user.left", {"user_id": "a\nb"}, "INVALID_ARGUMENT", "user_id"),
    ],
)
async def test_every_bad_event_gets_its_code(
    house: House, event: str, data: dict[str, Any], code: str, field: str | None
) -> None:
    """The field is named, nobody hears of it, and nothing is logged or taken back later."""
    ann, ben = await pair(house, DIAGRAM, CURSOR, PRESENCE)
    answer = await publish(ann, event, **data)
    assert (answer["type"], answer["error_code"]) == ("error", code)
    assert answer["data"].get("field") == field
    await ann.socket.close()
    assert await ben.sync() == []
    assert house.server.core.recorder.head == 0


@pytest.mark.parametrize("room", [DIAGRAM, CURSOR, PRESENCE, "global"])
async def test_every_dialect_joins_and_leaves(house: House, room: str) -> None:
    """The forms of the documents and of the clients."""
    await check_dialects(await house.client("excalidraw"), room)


async def test_a_broadcast_that_is_none_is_refused(house: House, excalidraw: Excalidraw) -> None:
    """The error names the field, and nobody hears of it."""
    client = await house.client("excalidraw")
    await client.subscribe("global", CURSOR)
    with pytest.raises(InvalidArgumentError) as refused:
        await excalidraw.broadcast_cursor_moved("d", "ann", {"x": "left", "y": 0})
    assert (refused.value.field or "").startswith("position.x")
    with pytest.raises(InvalidArgumentError) as refused:
        await excalidraw.broadcast_diagram_updated("d\n", {})
    assert refused.value.field == "diagram_id"
    assert await client.sync() == []
