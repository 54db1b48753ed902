"""The asynchronous client of the services against real ones: what it asks, what it hears, and what it survives."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from task_copilot_client.aio import ChannelClient, ChannelError, ChannelMessage, Cursor, UnreachableError
from task_copilot_client.clock import SystemClock
from taskcopilot.services.crackerjack import Crackerjack
from taskcopilot.web.keys import DESKS, SOCKETS
from tests.helpers.dialects import House, open_house
from tests.helpers.waiting import DEADLINE, until
from tests.services.conftest import OpenHouse


class Impatient(SystemClock):
    """Draws the shortest pause of all, so that nobody waits for a reconnect."""

    def random(self) -> float:
        return 0.0


@contextlib.asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncIterator[ChannelClient]:
    """A client that is connected."""
    async with ChannelClient(url, clock=Impatient(), **{"timeout": DEADLINE, **options}) as client:
        yield client


def cut(house: House) -> None:
    """Reset every connection of the bridge's, without a word."""
    for sink in list(house.server.app[SOCKETS].values()):
        sink.abort()


async def tell(house: House, *runs: str) -> None:
    """Publish an event about each of some test runs."""
    for run in runs:
        await Crackerjack(house.publisher).broadcast_test_started(run, "unit", 1)


class Heard:
    """A handler that keeps what it is called with."""

    def __init__(self, client: ChannelClient, event: str = "*") -> None:
        self.messages: list[ChannelMessage] = []
        self.stop = client.on(event, self.messages.append)

    @property
    def seqs(self) -> list[int | None]:
        return [message.seq for message in self.messages]

    async def up_to(self, count: int) -> list[int | None]:
        """Wait for so many."""
        await until(lambda: len(self.messages) >= count, f"{count} events")
        return self.seqs


async def test_it_is_welcomed_asks_and_is_answered(house: House) -> None:
    """Requests are correlated, however many are under way; what is refused raises the code and what is told beside."""
    async with connected(house.addresses["crackerjack"]) as client:
        assert client.is_connected
        assert client.welcome is not None
        assert client.welcome.data["server"] == "crackerjack"
        await tell(house, *(f"r{number}" for number in range(10)))
        asked = [client.request("get_test_status", {"run_id": f"r{number}"}) for number in range(10)]
        assert [answer["run_id"] for answer in await asyncio.gather(*asked)] == [f"r{number}" for number in range(10)]
        with pytest.raises(ChannelError) as refused:
            await client.request("get_test_status", {"run_id": "nobody"})
        assert (refused.value.code, refused.value.data) == ("NOT_FOUND", {"field": "run_id"})
        with pytest.raises(ChannelError, match="INVALID_CHANNEL"):
            await client.subscribe("coverage", "nothing:1")
        assert client.rooms == ()
        with pytest.raises(ValueError, match="since"):
            await client.subscribe("coverage", since="yesterday")
    with pytest.raises(UnreachableError):
        await client.request("get_test_status", {"run_id": "r1"})


async def test_handlers_get_their_events_in_order(house: House) -> None:
    """By name or glob, sync or async, one after the other; one that raises harms nobody."""
    async with connected(house.addresses["crackerjack"]) as client:
        heard, slowly = Heard(client), []

        async def slow(message: ChannelMessage) -> None:
            await asyncio.sleep(0)
            slowly.append((await client.request("get_test_status", {"run_id": message.data["run_id"]}))["run_id"])
            raise RuntimeError("a defect of the handler")

        client.on("test.*", slow)
        coverage = Heard(client, "coverage.updated")
        await client.subscribe("global")
        await tell(house, "a", "b")
        await Crackerjack(house.publisher).broadcast_coverage_updated("shop", 1, 1, 1)
        assert await heard.up_to(3) == [1, 2, 3]
        assert [message.room for message in heard.messages] == ["global"] * 3
        assert await coverage.up_to(1) == [3]
        assert slowly == ["a", "b"]
        coverage.stop()
        await Crackerjack(house.publisher).broadcast_coverage_updated("shop", 2, 2, 2)
        await heard.up_to(4)
        assert coverage.seqs == [3]
        await client.unsubscribe("global")
        await tell(house, "c")
        assert await client.request("get_test_status", {"run_id": "c"})
        assert heard.seqs == [1, 2, 3, 4]


async def test_events_are_iterated(house: House) -> None:
    """From `since` on, filtered by name; the iteration ends with the client, after what had come in."""
    await tell(house, "a", "b")
    async with connected(house.addresses["crackerjack"]) as client:
        events, others = client.events("test.*"), client.events("coverage.*")
        await client.subscribe("test:a", "test:b", since=0)
        await tell(house, "a")
        assert [(await anext(events)).seq for _ in range(3)] == [1, 2, 3]
        async with events:
            await tell(house, "b")
            assert (await anext(events)).data["run_id"] == "b"
        with pytest.raises(StopAsyncIteration):
            await anext(events)
        waiting = asyncio.create_task(anext(others, None))
        await asyncio.sleep(0)
    assert await waiting is None


async def test_a_lost_connection_is_made_good(house: House) -> None:
    """Rooms are entered again, and what was missed comes once, in order; a request under way says that it is lost."""
    async with connected(house.addresses["crackerjack"]) as client:
        heard = Heard(client)
        await client.subscribe("test:a", "test:b")
        await tell(house, "a")
        await heard.up_to(1)
        for count in (3, 5, 7):
            cut(house)
            await tell(house, "b", "other", "a")
            await heard.up_to(count)
            await client.request("get_test_status", {"run_id": "a"})
        assert heard.seqs == [1, 2, 4, 5, 7, 8, 10]
        await until(lambda: str(client.cursor).endswith(":10"), "the cursor at the head")


async def test_a_request_under_way_fails_at_once_when_the_connection_is_lost() -> None:
    """It may or may not have been done, and is not repeated by itself."""
    asked: list[str] = []

    async def mute(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str('{"type":"event","event":"session.created","data":{"connection_id":"x"}}')
        asked.append((await socket.receive()).data)
        await socket.close()
        return socket

    async with serving_socket(mute) as url, connected(url) as client:
        with pytest.raises(UnreachableError, match="lost"):
            await client.request("get_anything")
        assert len(asked) == 1


async def test_no_answer_in_time_is_a_time_out() -> None:
    """Also while the connection stands."""

    async def mute(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str('{"type":"event","event":"session.created","data":{"connection_id":"x"}}')
        await socket.receive()
        await socket.receive()
        return socket

    async with serving_socket(mute) as url, connected(url) as client:
        with pytest.raises(TimeoutError):
            await client.request("get_anything", seconds=0.05)
        assert client.is_connected


@contextlib.asynccontextmanager
async def serving_socket(handler: Callable[[web.Request], Any]) -> AsyncIterator[str]:
    """Serve one handler on a free port."""
    app = web.Application()
    app.router.add_get("/", handler)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"ws://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_it_survives_a_restart_of_the_bridge(tmp_path: Path) -> None:
    """On the same port and log: what was published meanwhile comes, too; the cursor is good for other clients."""
    options = {"services": "crackerjack", "service_addresses": "crackerjack=127.0.0.1:0"}
    async with contextlib.AsyncExitStack() as clients:
        async with open_house(tmp_path, **options) as house:
            url = house.addresses["crackerjack"]
            client = await clients.enter_async_context(connected(url))
            heard = Heard(client)
            await client.subscribe("global")
            await tell(house, "a", "b")
            await heard.up_to(2)
        await until(lambda: not client.is_connected)
        again = options | {"service_addresses": "crackerjack=" + url.removeprefix("ws://")}
        async with open_house(tmp_path, services="crackerjack") as house:
            await tell(house, "c")
        async with open_house(tmp_path, **again) as house:
            await tell(house, "d")
            assert await heard.up_to(4) == [1, 2, 3, 4]
            async with connected(url) as other:
                replayed = Heard(other)
                await other.subscribe("global", since=Cursor(client.cursor.epoch, 1))  # type: ignore[union-attr]
                assert await replayed.up_to(3) == [2, 3, 4]
            await client.close()


async def test_another_log_is_a_gap(tmp_path: Path) -> None:
    """A database that was made anew: `on_gap` is called, and events come from now on."""
    gaps: list[None] = []
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    async with contextlib.AsyncExitStack() as clients:
        async with open_house(tmp_path / "old") as house:
            url = house.addresses["crackerjack"]
            client = await clients.enter_async_context(connected(url, on_gap=lambda: gaps.append(None)))
            heard = Heard(client)
            await client.subscribe("global")
            await tell(house, "a", "b")
            await heard.up_to(2)
        address = "crackerjack=" + url.removeprefix("ws://")
        async with open_house(tmp_path / "new", services="crackerjack", service_addresses=address) as house:
            await until(lambda: client.is_connected)
            await tell(house, "c")
            await heard.up_to(3)
            assert heard.messages[-1].data["run_id"] == "c"
            assert len(gaps) == 1
            await client.close()


async def test_a_token_is_shown_each_time(open_services: OpenHouse) -> None:
    """A function is asked for a fresh one; a service without a secret takes any; a refused one ends the client."""
    from tests.services.test_room_protocol import SECRET, token

    house = await open_services(services_secret=SECRET)
    url = house.addresses["crackerjack"]
    tokens = [token(user_id="ann"), token(user_id="ann"), "expired"]
    shown: list[str] = []

    def next_token() -> str:
        shown.append(tokens[len(shown)])
        return shown[-1]

    with pytest.raises(ChannelError, match="AUTH_FAILED"):
        await ChannelClient(url, "nonsense").connect()
    async with connected(url, token=next_token) as client:
        events = client.events()
        await client.subscribe("global")
        cut(house)
        await tell(house, "a")
        assert (await anext(events)).data["run_id"] == "a"
        assert len(shown) == 2
        cut(house)
        with pytest.raises(ChannelError, match="AUTH_FAILED"):
            await anext(events)
        with pytest.raises(UnreachableError):
            await client.request("get_test_status", {"run_id": "a"})


async def test_a_token_hurts_nowhere(house: House) -> None:
    """A service without a secret welcomes first and answers the token all the same."""
    async with connected(house.addresses["crackerjack"], token="any") as client:  # noqa: S106
        await client.subscribe("global")


async def test_who_cannot_connect_is_told_so(house: House) -> None:
    """The first connect raises, and leaves nothing behind."""
    client = ChannelClient("ws://127.0.0.1:9", timeout=DEADLINE)
    with pytest.raises(UnreachableError):
        await client.connect()
    house.server.app[DESKS]["crackerjack"].max_connections = 0
    full = ChannelClient(house.addresses["crackerjack"], timeout=DEADLINE)
    with pytest.raises(UnreachableError, match="1013"):
        await full.connect()


async def test_a_slow_listener_loses_nothing(house: House) -> None:
    """More than fits wait for it; an iteration that is closed holds up nobody any longer."""
    async with connected(house.addresses["crackerjack"]) as client:
        events, forgotten = client.events(), client.events()
        await client.subscribe("global")
        await asyncio.gather(*(tell(house, f"r{number}") for number in range(1_500)))
        await until(lambda: len(forgotten._queue) == 1_000)
        await forgotten.close()
        assert [(await anext(events)).seq for _ in range(1_500)] == list(range(1, 1_501))


async def test_what_it_publishes_goes_to_the_others(house: House) -> None:
    """Relays: published or throttled, refused with what is so, and never back to itself."""
    url = house.addresses["excalidraw"]
    async with connected(url) as ann, connected(url) as ben:
        of_ann, of_ben = Heard(ann), Heard(ben)
        for client in (ann, ben):
            await client.subscribe("diagram:d", "cursor:d")
        assert await ann.publish("diagram.updated", {"diagram_id": "d", "version": 1}) == {
            "status": "published",
            "seq": 1,
        }
        with pytest.raises(ChannelError) as stale:
            await ben.publish("diagram.updated", {"diagram_id": "d", "version": 1})
        assert (stale.value.code, stale.value.data) == ("CONFLICT", {"version": 1})
        move = {"diagram_id": "d", "user_id": "ben", "position": {"x": 1, "y": 1}}
        assert (await ben.publish("cursor.moved", move))["status"] == "published"
        assert (await ben.publish("cursor.moved", move))["status"] == "throttled"
        assert await of_ben.up_to(1) == [1]
        assert await of_ann.up_to(1) == [None]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("tell"), st.sampled_from("abc")),
        st.tuples(st.just("join"), st.sampled_from(["test:a", "test:b", "global"])),
        st.tuples(st.just("cut"), st.just("")),
        st.tuples(st.just("cut after"), st.integers(0, 30)),
    ),
    min_size=5,
    max_size=20,
)


@pytest.mark.slow
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_every_event_passes_once_and_in_order_across_drops(steps: list[tuple[str, Any]]) -> None:
    """D1 to D5 for the services: whenever the connection drops, also while a replay is under way."""
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(asyncio.wait_for(live_through(Path(directory), steps), 60))


async def live_through(directory: Path, steps: list[tuple[str, Any]]) -> None:
    """Do the steps against a bridge of its own, and compare what was heard with the log."""
    joined: dict[str, int] = {}
    log: list[str] = []
    async with (
        open_house(directory, services="crackerjack", service_addresses="crackerjack=127.0.0.1:0") as house,
        connected(house.addresses["crackerjack"]) as client,
    ):
        heard = Heard(client)
        for step, what in steps:
            match step:
                case "tell":
                    await tell(house, what)
                    log.append(what)
                case "join":
                    with contextlib.suppress(UnreachableError):
                        await client.subscribe(what)
                        joined.setdefault(what, len(log))
                case _:
                    for _ in range(what or 0):
                        await asyncio.sleep(0)
                    cut(house)
        wanted = [
            number
            for number, run in enumerate(log, 1)
            if any(number > joined.get(room, len(log)) for room in (f"test:{run}", "global"))
        ]
        await until(lambda: len(heard.seqs) >= len(wanted))
        async with asyncio.timeout(DEADLINE):
            while True:
                with contextlib.suppress(UnreachableError):
                    await client.subscribe("coverage")
                    break
        assert heard.seqs == wanted
