"""session-buddy's live metrics over a real socket: its own protocol, and a tick a second.

The numbers V1 to V9 are the promises of docs/services.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from taskcopilot.rooms import skills_ticker
from taskcopilot.services.skills.ticks import encode_tick
from taskcopilot.web.keys import DESKS
from tests.helpers.dialects import House, RoomClient
from tests.helpers.session_buddy import skills_db
from tests.helpers.waiting import DEADLINE, settle, until
from tests.services.conftest import OpenHouse
from tests.services.test_room_protocol import SECRET, token

SERVICE = "session-buddy-realtime"
TIME = "2026-01-08T12:00:00.000Z"
LIVE = {"type": "metrics_update", "timestamp": TIME, "data": {"top_skills": [], "anomalies": []}}


async def hear(client: RoomClient) -> dict[str, Any]:
    """Return the next message."""
    message = await asyncio.wait_for(client.socket.receive(), DEADLINE)
    assert message.type is aiohttp.WSMsgType.TEXT, (message, client.socket.close_code)
    return dict(orjson.loads(message.data))


async def join(house: House, *subscription: Any) -> RoomClient:
    """Connect, read `connected`, and subscribe if there is something to subscribe to."""
    client = await house.connect(SERVICE)
    assert (await hear(client))["type"] == "connected"
    for skill in subscription:
        await client.say({"type": "subscribe", "skill": skill})
        assert (await hear(client))["skill"] == skill
    return client


async def sync(client: RoomClient) -> list[dict[str, Any]]:
    """Return what came before the answer to a ping."""
    await client.say({"type": "ping"})
    heard = []
    while (message := await hear(client)) != {"type": "pong"}:
        heard.append(message)
    return heard


async def tick(house: House, seconds: float = 1.0) -> None:
    """Let a second go by, when the ticker waits for it."""
    await settle()
    house.clock.advance(seconds)


async def use(house: House, skill: str, *outcomes: bool, **more: Any) -> None:
    """Record invocations; the answer of each takes a millisecond of fake time."""
    for completed in outcomes:
        await house.server.call("skill_record", skillName=skill, completed=completed, **more)


@pytest.mark.parametrize("where", ["port", "path"])
async def test_who_connects_hears_of_all_skills_every_second(house: House, where: str) -> None:
    """V1: on its own port and on the main one; `connected` first, in the shape that its clients know."""
    url = house.addresses[SERVICE] if where == "port" else f"{house.server.ws_url}/{SERVICE}"
    client = await house.connect_to(url, protocols=["any"])
    assert await hear(client) == {
        "type": "connected",
        "message": "Connected to Session-Buddy real-time metrics",
        "authenticated": False,
        "timestamp": TIME,
    }
    await use(house, "pytest-run", True, False, durationSeconds=1.5)
    await tick(house, 0.998)
    told = await hear(client)
    assert list(told) == ["type", "timestamp", "data"]
    assert told["data"] == {
        "top_skills": [
            {
                "skill_name": "pytest-run",
                "total_invocations": 2,
                "completion_rate": 50,
                "avg_duration_seconds": 1.5,
            }
        ],
        "anomalies": [],
    }
    await tick(house)
    assert (await hear(client))["timestamp"] > told["timestamp"]


async def test_one_skill_is_told_with_its_anomalies_below_the_top_ten_too(house: House) -> None:
    """Listeners to one skill never saw an anomaly, and of a skill that is used little nothing at all."""
    await use(house, "rare", *[True] * 6)
    house.clock.advance(2 * 3600)
    await use(house, "rare", False, False)
    for number in range(10):
        await use(house, f"busy-{number}", *[True] * 9)
    everything, one, nobody = await join(house), await join(house, "rare"), await join(house, "nobody")
    await tick(house)
    all_told, rare, none = [(await hear(client))["data"] for client in (everything, one, nobody)]
    assert [row["skill_name"] for row in all_told["top_skills"]] == [f"busy-{number}" for number in range(10)]
    assert [row["total_invocations"] for row in rare["top_skills"]] == [8]
    assert [(row["skill_name"], row["anomaly_type"]) for row in rare["anomalies"]] == [("rare", "drop")]
    assert rare["anomalies"] == all_told["anomalies"]
    assert rare["anomalies"][0]["deviation_score"] > 2
    assert none == {"top_skills": [], "anomalies": []}


async def test_a_subscription_replaces_the_last_and_unsubscribing_is_silence(house: House) -> None:
    """It used to mean: tell me all. `skill_name` is what clients of an earlier description say."""
    client = await join(house, "a", "b", None)
    await client.say({"type": "subscribe", "skill_name": "c"})
    assert await hear(client) == {"type": "subscription_confirmed", "skill": "c", "timestamp": TIME}
    assert house.server.app[DESKS][SERVICE].rooms == {"skill:c": 1}
    await client.say({"type": "unsubscribe"})
    assert await hear(client) == {"type": "unsubscription_confirmed", "skill": "c", "timestamp": TIME}
    other = await join(house)
    await tick(house)
    assert (await hear(other))["type"] == "metrics_update"
    assert await sync(client) == []
    await client.say({"type": "subscribe"})
    assert (await hear(client))["skill"] is None
    await tick(house)
    assert (await hear(client))["type"] == "metrics_update"


async def test_a_tick_is_read_once_and_encoded_once_for_all(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once per subscription, however many clients have it."""
    encoded: Counter[str | None] = Counter()

    def counting(at: str, snapshot: Any, skill: str | None) -> bytes:
        encoded[skill] += 1
        return encode_tick(at, snapshot, skill)

    monkeypatch.setattr(skills_ticker, "encode_tick", counting)
    clients = [await join(house) for _ in range(5)] + [await join(house, "a") for _ in range(5)]
    await tick(house)
    for client in clients:
        assert await hear(client) == {**LIVE, "timestamp": "2026-01-08T12:00:01.000Z"}
    assert encoded == {None: 1, "a": 1}


async def test_ticks_are_not_logged(house: House) -> None:
    """They are passing: the log has no event of them, and of what is recorded neither."""
    client = await join(house)
    await use(house, "a", True)
    await tick(house)
    await hear(client)
    assert house.server.core.recorder.head == 0


async def test_a_tick_decays_the_counters(house: House) -> None:
    """What is a day old gives way to what is new, though nothing is recorded any more."""
    await use(house, "old", *[True] * 3)
    house.clock.advance(23 * 3600)
    await use(house, "new", True)
    client = await join(house)
    await tick(house)
    assert [row["skill_name"] for row in (await hear(client))["data"]["top_skills"]] == ["old", "new"]
    await tick(house, 3600)
    assert [row["skill_name"] for row in (await hear(client))["data"]["top_skills"]] == ["new", "old"]


async def test_the_interval_is_a_setting(open_services: OpenHouse) -> None:
    """`--skills-tick`, in seconds."""
    house = await open_services(skills_tick="0.25")
    client = await join(house)
    await tick(house, 0.25)
    assert (await hear(client))["timestamp"] == "2026-01-08T12:00:00.250Z"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"no json", "DECODE_ERROR"),
        (b"[1]", "DECODE_ERROR"),
        (b"\xff\xfe", "DECODE_ERROR"),
        (b"{}", "UNKNOWN_REQUEST"),
        (b'{"type":"get_metrics"}', "UNKNOWN_REQUEST"),
        (b'{"type":["subscribe"]}', "UNKNOWN_REQUEST"),
        (b'{"type":"request","event":"subscribe","data":{"channel":"global"}}', "UNKNOWN_REQUEST"),
        (b'{"type":"subscribe","skill":7}', "INVALID_ARGUMENT"),
        (b'{"type":"subscribe","skill":""}', "INVALID_ARGUMENT"),
        (b'{"type":"subscribe","skill":["a"]}', "INVALID_ARGUMENT"),
        (b'{"type":"subscribe","skill":"a\\nb"}', "INVALID_ARGUMENT"),
    ],
)
async def test_nothing_is_left_unanswered(house: House, message: bytes, code: str) -> None:
    """V4: an error with its code, and the connection and its subscription go on; also after bytes that are no text."""
    client = await join(house, "a")
    await client.say(message, binary=True)
    told = await hear(client)
    assert (told["type"], told["error_code"], told["message"]) == ("error", code, told["error_message"])
    assert await sync(client) == []
    assert house.server.app[DESKS][SERVICE].rooms == {"skill:a": 1}


async def test_a_slow_reader_misses_ticks_and_delays_nobody(open_services: OpenHouse) -> None:
    """What waits for it is bounded; it goes on when it reads again."""
    house = await open_services(max_outstanding_bytes="1")
    slow, other = await join(house), await join(house)
    desk = house.server.app[DESKS][SERVICE]
    await until(lambda: len(desk.listeners) == 2)
    stuck = next(iter(desk.listeners))
    sent: list[bytes] = []

    class Full:
        buffered = staticmethod(lambda: 2)
        write = staticmethod(sent.append)

    real, stuck.sink = stuck.sink, Full()  # type: ignore[assignment]
    await tick(house)
    waiting = [asyncio.ensure_future(hear(client)) for client in (slow, other)]
    done, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED, timeout=DEADLINE)
    assert (len(done), len(pending), sent) == (1, 1, [])
    stuck.sink = real
    await tick(house)
    await asyncio.wait_for(asyncio.gather(*pending), DEADLINE)


async def test_limits_are_those_of_the_other_services(house: House) -> None:
    """V5, V9: of connections, of messages a second, and of a message's size."""
    desk = house.server.app[DESKS][SERVICE]
    client = await join(house)
    desk.max_connections = 1
    assert await (await house.connect(SERVICE)).closed() == 1013
    desk.max_connections = 1000
    for _ in range(151):
        await client.say({"type": "ping"})
    for _ in range(150):
        assert await hear(client) == {"type": "pong"}
    assert (await hear(client))["error_code"] == "RATE_LIMIT_EXCEEDED"
    for _ in range(150):
        await client.say({"type": "ping"})
    assert await client.closed() == 1008
    large = await join(house)
    await large.say(b'{"type":"ping","more":"' + b"x" * 1_048_576 + b'"}')
    assert await large.closed() == 1009
    await until(lambda: desk.connections == 0)
    assert (desk.listeners, desk.rooms) == (set(), {})


@pytest.mark.parametrize("shape", ["bare", "request"])
async def test_with_a_secret_the_token_comes_first(open_services: OpenHouse, shape: str) -> None:
    """V6: `connected` answers it, and ticks come only then."""
    house = await open_services(services_secret=SECRET)
    client = await house.connect(SERVICE)
    await tick(house)
    bare = {"token": token(user_id="ann")}
    await client.say(bare if shape == "bare" else {"type": "request", "event": "auth", "data": bare})
    told = await hear(client)
    assert (told["type"], told["authenticated"]) == ("connected", True)


@pytest.mark.parametrize("message", [{"token": "no.such.token"}, {"type": "ping"}, b"no json", None])
async def test_without_a_valid_token_the_connection_ends_with_4001(open_services: OpenHouse, message: Any) -> None:
    """V6: at once, or after five seconds of silence."""
    house = await open_services(services_secret=SECRET)
    client = await house.connect(SERVICE)
    if message is None:
        await until(lambda: house.server.app[DESKS][SERVICE].connections)
        await tick(house, 5)
    else:
        await client.say(message)
    assert await client.closed() == 4001


async def test_a_token_on_an_open_service_is_passed_over(house: House) -> None:
    """Its holder waits for `connected`, which came already."""
    client = await join(house)
    await client.say({"token": "any"})
    assert await sync(client) == []


async def test_the_tools_see_who_listens(house: House) -> None:
    """Who listens to what is counted like rooms; it has no events to publish."""
    await join(house)
    await join(house, "a")
    assert house.server.app[DESKS][SERVICE].rooms == {"all": 1, "skill:a": 1}
    await until(lambda: house.clock.sleepers >= 4, "the keeper, the ticker and two connections wait")
    house.clock.advance(1)
    async with asyncio.timeout(DEADLINE):
        while (rooms := await house.server.call("service_rooms", service=SERVICE))["totalRooms"] < 2:
            await settle()
    assert rooms == {"service": SERVICE, "rooms": {"all": 1, "skill:a": 1}, "totalRooms": 2}
    body = {"event": "metrics_update", "data": {}}
    answer = await house.server.post(f"/api/services/{SERVICE}/events", body, expect=404)
    assert "metrics_update" in orjson.dumps(answer).decode()


class TestDatabaseOfSessionBuddy:
    async def test_it_is_shown_and_never_written(self, open_services: OpenHouse, tmp_path: Path) -> None:
        """Top skills from its view; of its anomalies those of the last hour, whatever form their times have."""
        path = skills_db(tmp_path / "skills.db")
        before = path.read_bytes()
        house = await open_services(skills_db=str(path))
        client, one = await join(house), await join(house, "pytest-run")
        await tick(house)
        told = (await hear(client))["data"]
        assert [row["skill_name"] for row in told["top_skills"]] == ["ruff-check", "pytest-run"]
        assert [row["detected_at"] for row in told["anomalies"]] == [
            "2026-01-08T11:59:00",
            "2026-01-08T12:45:00+01:00",
            "2026-01-08 11:05:00",
        ]
        told = (await hear(one))["data"]
        assert told["top_skills"] == [
            {
                "skill_name": "pytest-run",
                "total_invocations": 3,
                "completion_rate": 66.7,
                "avg_duration_seconds": None,
            }
        ]
        assert [row["skill_name"] for row in told["anomalies"]] == ["pytest-run"]
        await use(house, "own", True)
        await tick(house)
        assert [row["skill_name"] for row in (await hear(client))["data"]["top_skills"]] == ["ruff-check", "pytest-run"]
        assert path.read_bytes() == before

    async def test_what_session_buddy_writes_meanwhile_is_in_the_next_tick(
        self, open_services: OpenHouse, tmp_path: Path
    ) -> None:
        """Also what it has not moved out of its write-ahead log yet; and it is never kept from writing."""
        path = skills_db(tmp_path / "skills.db")
        house = await open_services(skills_db=str(path))
        client = await join(house, "ruff-check")
        with contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as writer:
            for total in (10, 11):
                writer.execute(
                    "UPDATE skill_metrics SET total_invocations = ? WHERE skill_name = 'ruff-check'", (total,)
                )
                await tick(house)
                (row,) = (await hear(client))["data"]["top_skills"]
                assert row["total_invocations"] == total

    async def test_one_of_an_earlier_schema_is_shown_without_anomalies(
        self, open_services: OpenHouse, tmp_path: Path
    ) -> None:
        """Before its fourth version it had neither the view nor anomalies: the totals decide."""
        path = skills_db(tmp_path / "skills.db", version=3)
        house = await open_services(skills_db=str(path))
        client = await join(house)
        await tick(house)
        told = (await hear(client))["data"]
        assert [row["skill_name"] for row in told["top_skills"]] == ["ruff-check", "pytest-run"]
        assert told["anomalies"] == []

    async def test_ticks_begin_when_it_is_there(
        self, open_services: OpenHouse, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A file that is not there, or is no such database, is named once, and not made."""
        path = tmp_path / "later.db"
        house = await open_services(skills_db=str(path))
        client = await join(house)
        for _ in range(3):
            await tick(house)
            await until(lambda: str(path) in caplog.text)
            assert await sync(client) == []
        assert caplog.text.count(str(path)) == 1
        assert not path.exists()
        skills_db(path)
        heard: list[dict[str, Any]] = []
        while not heard:
            await tick(house)
            heard = await sync(client)
        assert heard[0]["data"]["top_skills"][0]["skill_name"] == "ruff-check"
