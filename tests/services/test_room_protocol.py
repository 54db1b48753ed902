"""The room protocol over real sockets: what every service does, whatever it declares.

The numbers V1 to V10 are the promises of docs/services.md.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from typing import Any

import aiohttp
import orjson
import pytest

from taskcopilot.services.mahavishnu import Mahavishnu
from taskcopilot.services.table import SERVICES
from taskcopilot.web.keys import DESKS, HUB
from tests.helpers.dialects import KEYS, House, RoomClient
from tests.helpers.waiting import until
from tests.services.conftest import OpenHouse

SECRET = "a secret of the tests that is long enough"  # noqa: S105
ROOMS = [service for service in SERVICES if service.protocol == "rooms"]
NAMES = [service.name for service in ROOMS]


def token(secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    """Return a signed token."""

    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    signed = f"{part(orjson.dumps({'alg': algorithm, 'typ': 'JWT'}))}.{part(orjson.dumps(claims))}"
    return f"{signed}.{part(hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest())}"


@pytest.fixture
def mahavishnu(house: House) -> Mahavishnu:
    """The broadcasts of the service that most tests use."""
    return Mahavishnu(house.publisher)


@pytest.mark.parametrize("path", ["/", "/ws", "/any/path?with=query"])
@pytest.mark.parametrize("service", NAMES)
async def test_each_service_is_on_its_own_port_at_any_path(house: House, service: str, path: str) -> None:
    """V1: no Origin, any subprotocol offered, text and binary JSON."""
    client = await house.connect(service, path, protocols=["mcp", "other"])
    assert client.socket.protocol is None
    assert (await client.hear())["data"]["server"] == service
    await client.say({"type": "ping", "id": "1"}, binary=True)
    assert (await client.hear())["type"] == "pong"


@pytest.mark.parametrize("service", NAMES)
async def test_each_service_is_on_the_main_port_too(house: House, service: str) -> None:
    """V1: at /ws/{service}; another name is not found, and so is a visit without an upgrade."""
    client = await house.connect_to(f"{house.server.ws_url}/{service}")
    assert (await client.hear())["data"]["server"] == service
    await house.server.get(f"/ws/{service}", expect=404)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await house.connect_to(f"{house.server.ws_url}/nobody")
    assert refused.value.status == 404


@pytest.mark.parametrize("service", ROOMS, ids=lambda service: service.name)
async def test_the_first_message_is_the_welcome(house: House, service: Any) -> None:
    """V2: with the connection's id and the members that clients of that service look for."""
    first, second = [await (await house.connect(service.name)).hear() for _ in range(2)]
    assert (first["type"], first["event"], first["room"]) == ("event", "session.created", None)
    assert first["data"] == {
        "connection_id": first["data"]["connection_id"],
        "server": service.name,
        "message": service.greeting,
        "authenticated": False,
        **service.welcome,
    }
    assert first["data"]["connection_id"] != second["data"]["connection_id"]


async def test_every_message_has_the_nine_members_and_a_known_type(house: House, mahavishnu: Mahavishnu) -> None:
    """V3: answers, errors, events and pongs; what is not set is null, and data an object."""
    client = await house.client("mahavishnu")
    response = (await client.subscribe("global"))[0]
    assert [response[key] for key in ("room", "error_code", "error_message")] == [None, None, None]
    await mahavishnu.broadcast_workflow_started("é", {})
    (event,) = await client.sync()
    assert list(event) == [*KEYS, "seq"]
    assert (event["correlation_id"], event["error_code"], event["data"]["workflow_id"]) == (None, None, "é")
    error = await client.request("nothing")
    assert (error["event"], error["data"], error["room"]) == (None, {}, None)


@pytest.mark.parametrize(
    ("ids", "correlation"),
    [
        ({"id": "a", "correlation_id": "b"}, "a"),
        ({"id": "a"}, "a"),
        ({"correlation_id": "b"}, "b"),
        ({"id": None, "correlation_id": "b"}, "b"),
        ({}, None),
    ],
)
@pytest.mark.parametrize("event", ["subscribe", "get_pool_status", "nothing"])
async def test_answers_and_errors_are_correlated(
    house: House, event: str, ids: dict[str, Any], correlation: str | None
) -> None:
    """V4: by the id, else by the correlation id, else not; the one that was passed over comes back by another name."""
    client = await house.client("mahavishnu")
    await client.say({"type": "request", "event": event, "data": {"channel": "global"}, **ids})
    answer = await client.hear()
    assert answer["correlation_id"] == correlation
    assert answer.get("request_correlation_id") == ("b" if len([v for v in ids.values() if v]) == 2 else None)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"no json", "DECODE_ERROR"),
        (b"[1]", "DECODE_ERROR"),
        (b"\xff\xfe", "DECODE_ERROR"),
        (b"{}", "DECODE_ERROR"),
        (b'{"type":"hello"}', "DECODE_ERROR"),
        (b'{"type":["request"]}', "DECODE_ERROR"),
        (b'{"type":"request"}', "DECODE_ERROR"),
        (b'{"type":"request","event":"subscribe","data":[1]}', "DECODE_ERROR"),
        (b'{"type":"request","event":5}', "DECODE_ERROR"),
        (b'{"type":"request","event":"ping","id":7}', "DECODE_ERROR"),
        (b'{"type":"request","event":"subscribe","data":{"channel":["global"]}}', "INVALID_CHANNEL"),
        (b'{"type":"request","event":"subscribe","data":{"channel":""}}', "INVALID_CHANNEL"),
        (
            b'{"type":"request","event":"subscribe","data":{"channel":"workflow:' + b"x" * 256 + b'"}}',
            "INVALID_CHANNEL",
        ),
        (b'{"type":"subscribe"}', "INVALID_CHANNEL"),
        (b'{"type":"subscribe","session_id":"s"}', "INVALID_CHANNEL"),
        (b'{"type":"subscribe","payload":{"topics":["task:*"]}}', "INVALID_CHANNEL"),
        (b'{"type":"event","event":"workflow.started","data":{"workflow_id":"1"}}', "FORBIDDEN"),
        (b'{"type":"request","event":"refresh_token","data":{"token":"x"}}', None),
    ],
)
async def test_nothing_is_left_unanswered(house: House, message: bytes, code: str | None) -> None:
    """V4: malformed, mistaken or not allowed: a coded error, no internals in it, and the connection goes on."""
    client = await house.client("mahavishnu")
    await client.socket.send_bytes(message)
    answer = await client.hear()
    assert answer["error_code"] == code
    assert "pydantic" not in str(answer["error_message"])
    assert await client.sync() == []


async def test_messages_that_ask_nothing_get_no_answer(house: House) -> None:
    """V4: pongs, acks and responses of a client."""
    client = await house.client("mahavishnu")
    for kind in ("pong", "ack", "response", "error"):
        await client.say({"type": kind, "event": "x", "id": "1"})
    assert await client.sync() == []


async def test_who_comes_when_the_service_is_full_is_told_so(house: House) -> None:
    """V5: accepted, then closed with 1013; a place that becomes free is given again."""
    desk = house.server.app[DESKS]["mahavishnu"]
    assert desk.max_connections == 1_000
    desk.max_connections = 2
    first, _ = await house.client("mahavishnu"), await house.client("mahavishnu")
    assert await (await house.connect("mahavishnu")).closed() == 1013
    await house.client("crackerjack")
    await first.socket.close()
    await until(lambda: desk.connections == 1, "the place became free")
    await house.client("mahavishnu")


async def test_at_shutdown_everybody_is_closed_with_1001(open_services: OpenHouse) -> None:
    """V5: on the services' ports and on the main one."""
    house = await open_services()
    clients = [await house.client(name) for name in NAMES]
    clients.append(await house.connect_to(f"{house.server.ws_url}/mahavishnu"))
    await clients[-1].hear()
    closing = asyncio.gather(*(client.closed() for client in clients))
    await house.server.app.shutdown()
    assert set(await closing) == {1001}


@pytest.mark.parametrize("shape", ["request", "bare"])
async def test_with_a_secret_the_token_comes_first(open_services: OpenHouse, shape: str) -> None:
    """V6, V2: both shapes of the first message; the answer precedes the welcome."""
    house = await open_services(services_secret=SECRET)
    client = await house.connect("mahavishnu")
    shown = token(user_id="ann", permissions=["read"])
    if shape == "request":
        await client.say({"type": "request", "event": "auth", "data": {"token": shown}, "id": "1"})
    else:
        await client.say({"token": shown})
    answer, welcome = await client.hear(), await client.hear()
    assert (answer["type"], answer["event"], answer["status"]) == ("response", "auth", "authenticated")
    assert answer["data"] == {"status": "authenticated", "user_id": "ann"}
    assert answer["correlation_id"] == ("1" if shape == "request" else None)
    assert (welcome["event"], welcome["data"]["authenticated"]) == ("session.created", True)
    refreshed = await client.request("refresh_token", token=token(sub="bob"))
    assert refreshed["data"] == {"status": "refreshed", "user_id": "bob"}
    failed = await client.request("refresh_token", token=SECRET)
    assert failed["error_code"] == "AUTH_FAILED"
    assert await client.sync() == []


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ({"type": "request", "event": "auth", "data": {}}, "AUTH_FAILED"),
        ({"type": "request", "event": "auth", "data": {"token": "x.y.z"}}, "AUTH_FAILED"),
        ({"token": token("another secret", user_id="eve")}, "AUTH_FAILED"),
        ({"token": token(user_id="eve", algorithm="none")}, "AUTH_FAILED"),
        ({"token": token(user_id="eve", exp=1_000)}, "AUTH_FAILED"),
        ({"token": token(user_id="eve", nbf=99_999_999_999)}, "AUTH_FAILED"),
        ({"type": "request", "event": "subscribe", "data": {"channel": "global"}}, "AUTH_REQUIRED"),
        ("hello", "DECODE_ERROR"),
    ],
)
async def test_without_a_valid_token_it_ends(open_services: OpenHouse, first: Any, code: str) -> None:
    """V6: an error that says why, then 1008."""
    house = await open_services(services_secret=SECRET)
    client = await house.connect("mahavishnu")
    await client.say(first)
    assert (await client.hear())["error_code"] == code
    assert await client.closed() == 1008


async def test_who_shows_no_token_is_closed(open_services: OpenHouse) -> None:
    """V6: after ten seconds; such connections count towards the limit meanwhile."""
    house = await open_services(services_secret=SECRET)
    client = await house.connect("mahavishnu")
    desk = house.server.app[DESKS]["mahavishnu"]
    await until(lambda: desk.connections == 1)
    closing = asyncio.create_task(client.closed())
    await until(lambda: _advanced(house, closing, 10), "the connection was closed")
    assert closing.result() == 1008


def _advanced(house: House, closing: asyncio.Task[Any], seconds: float) -> bool:
    house.clock.advance(seconds)
    return closing.done()


async def test_a_service_without_a_secret_answers_to_tokens_all_the_same(house: House) -> None:
    """V6: a client that holds a token takes the first message for the answer, and shows it again when it likes."""
    client = await house.connect("mahavishnu")
    await client.say({"type": "request", "event": "auth", "data": {"token": "any"}, "id": "1", "correlation_id": "2"})
    assert (await client.hear())["event"] == "session.created"
    answer = await client.hear()
    assert (answer["type"], answer["data"]["status"], answer["correlation_id"]) == ("response", "authenticated", "1")


async def test_health_and_metrics_are_on_the_services_port(house: House) -> None:
    """V8: in the names that health checkers and scrapers know; any other visit is told to upgrade."""
    client = await house.client("mahavishnu")
    await client.request("nothing")
    base = house.addresses["mahavishnu"].replace("ws", "http", 1)
    async with house.server.http.get(f"{base}/health") as answer:
        health = await answer.json()
        assert (answer.status, health["status"], health["server"]) == (200, "healthy", "mahavishnu")
        assert health["metrics"] == {"active_connections": 1, "total_connections": 1}
    async with house.server.http.get(f"{base}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    assert 'websocket_connections_active{server="mahavishnu"} 1' in lines
    assert 'websocket_connections_total{server="mahavishnu",tls_mode="ws"} 1' in lines
    assert 'websocket_message_errors_total{server="mahavishnu",error_type="unknown_request"} 1' in lines
    async with house.server.http.get(f"{base}/") as answer:
        assert answer.status == 426


async def test_a_message_of_more_than_a_mebibyte_ends_with_1009(house: House) -> None:
    """V9: one of exactly that is read."""
    client = await house.client("mahavishnu")
    empty = len(orjson.dumps({"type": "ping", "id": "1", "x": ""}))
    await client.say({"type": "ping", "id": "1", "x": "x" * (1_048_576 - empty)})
    assert (await client.hear())["type"] == "pong"
    await client.say({"type": "ping", "id": "1", "x": "x" * 1_048_576})
    assert await client.closed() == 1009


async def test_a_peer_that_says_nothing_is_pinged_and_then_cut(house: House) -> None:
    """V9: a ping every 20 seconds; whatever comes from it counts as a sign of life."""
    client = await house.connect("mahavishnu", autoping=False)
    await client.hear()
    await until(lambda: house.clock.sleeping(20))
    house.clock.advance(20)
    assert (await client.socket.receive()).type is aiohttp.WSMsgType.PING
    closing = asyncio.create_task(client.closed())
    await until(lambda: _advanced(house, closing, 20), "the peer was cut")
    assert closing.result() in {4408, 1006}


async def test_the_extra_status_is_where_the_demos_look(house: House) -> None:
    """V10: at the top of the answers to subscribe and unsubscribe; leaving a room twice is answered twice."""
    client = await house.client("mahavishnu")
    assert (await client.request("subscribe", channel="global"))["status"] == "subscribed"
    for _ in range(2):
        assert (await client.request("unsubscribe", channel="global"))["status"] == "unsubscribed"


async def test_a_subscription_ends_where_it_is_left(house: House, mahavishnu: Mahavishnu) -> None:
    """What goes to two rooms of a client still comes when one is left, under the other's name."""
    client = await house.client("mahavishnu")
    await client.subscribe("workflow:1", "global")
    await client.request("unsubscribe", channel="workflow:1")
    await mahavishnu.broadcast_workflow_started("1", {})
    assert [heard["room"] for heard in await client.sync()] == ["global"]
    await client.request("unsubscribe", channel="global")
    await mahavishnu.broadcast_workflow_started("1", {})
    assert await client.sync() == []


async def test_since_replays_what_was_missed(house: House, mahavishnu: Mahavishnu) -> None:
    """Events carry seq; with `since` come those after it, marked and once, before any later one."""
    for number in range(5):
        await mahavishnu.broadcast_workflow_stage_completed("wf", str(number), {})
    await mahavishnu.broadcast_workflow_started("other", {})
    client = await house.client("mahavishnu")
    (answer,) = await client.subscribe("workflow:wf", since=2)
    assert (answer["seq"], answer["recovered"]) == (6, True)
    replayed = [await client.hear() for _ in range(3)]
    assert [(heard["seq"], heard["replayed"], heard["room"]) for heard in replayed] == [
        (seq, True, "workflow:wf") for seq in (3, 4, 5)
    ]
    await mahavishnu.broadcast_workflow_completed("wf", {})
    assert [(heard["seq"], "replayed" in heard) for heard in await client.sync()] == [(7, False)]
    (again,) = await client.subscribe("global", since=replayed[0]["id"])
    assert again["recovered"] is True
    assert [(await client.hear())["seq"]] == [6]
    (lost,) = await client.subscribe("workflow:wf", since="another-epoch:2")
    assert (lost["recovered"], lost["gap"]) == (False, {"from": 1, "to": 7})


async def test_a_slow_member_delays_nobody_and_loses_nothing(open_services: OpenHouse) -> None:
    """It leaves live delivery, and reads the log from its own position when it reads again."""
    house = await open_services(max_outstanding_events=20, max_outstanding_bytes=10_000)
    mahavishnu = Mahavishnu(house.publisher)
    slow, quick = await house.client("mahavishnu"), await house.client("mahavishnu")
    await slow.subscribe("workflow:wf")
    await quick.subscribe("workflow:wf")
    slow.socket._response.connection.transport.pause_reading()
    hub, sent = house.server.app[HUB], 0
    while not hub.statistics().catching_up:
        await mahavishnu.broadcast_workflow_stage_completed("wf", "s", {"big": "x" * 100_000})
        assert (await quick.hear())["seq"] == (sent := sent + 1)
    slow.socket._response.connection.transport.resume_reading()
    assert [(await slow.hear())["seq"] for _ in range(sent)] == list(range(1, sent + 1))


async def test_too_many_messages_are_refused_and_who_keeps_on_is_disconnected(house: House) -> None:
    """150 at once, 100 a second; each one beyond is answered with its correlation, and after 150 more it ends."""
    client = await house.client("mahavishnu")
    for number in range(301):
        await client.say({"type": "ping", "id": str(number)})
    answers = [await client.hear() for _ in range(301)]
    assert [answer["type"] for answer in answers] == ["pong"] * 150 + ["error"] * 151
    assert answers[150]["correlation_id"] == "150"
    assert {answer["error_code"] for answer in answers[150:]} == {"RATE_LIMIT_EXCEEDED"}
    assert answers[150]["error_message"] == "Message rate limit exceeded. Retry after 0.010 seconds."
    assert await client.closed() == 1008


async def test_who_slows_down_is_served_again(house: House) -> None:
    """A second later a hundred more messages may come."""
    client = await house.client("mahavishnu")
    for _ in range(160):
        await client.say({"type": "ping"})
    assert [(await client.hear())["type"] for _ in range(160)] == ["pong"] * 150 + ["error"] * 10
    house.clock.advance(1)
    for _ in range(101):
        await client.say({"type": "ping"})
    assert [(await client.hear())["type"] for _ in range(101)] == ["pong"] * 100 + ["error"]


async def test_no_more_than_500_rooms_a_connection(house: House) -> None:
    """The one too many is refused; one that is held already costs nothing."""
    client = await house.client("mahavishnu")
    for number in range(500):
        if number % 100 == 0:
            house.clock.advance(1)
        await client.subscribe(f"workflow:{number}")
    house.clock.advance(1)
    assert (await client.request("subscribe", channel="global"))["error_code"] == "SUBSCRIPTION_LIMIT"
    await client.subscribe("workflow:7")


async def test_a_foreign_page_is_not_let_in(house: House) -> None:
    """An Origin that is none of ours is refused before the upgrade, on every port."""
    for url in (house.addresses["mahavishnu"], f"{house.server.ws_url}/mahavishnu"):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await house.connect_to(url, origin="https://evil.example")
        assert refused.value.status == 403


async def test_rooms_of_two_services_are_two_rooms(house: House, mahavishnu: Mahavishnu) -> None:
    """`global` of one is not `global` of the other."""
    other: RoomClient = await house.client("crackerjack")
    await other.subscribe("global")
    await mahavishnu.broadcast_workflow_started("1", {})
    assert await other.sync() == []
