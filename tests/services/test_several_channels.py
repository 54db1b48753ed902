"""Several channels in one message, and how a client learns that a replay is through: what resuming is made of."""

from __future__ import annotations

from typing import Any

import pytest

from taskcopilot.services.crackerjack import Crackerjack
from tests.helpers.dialects import House

ROOMS = ["test:a", "test:b", "coverage"]


async def tell(house: House) -> None:
    """Publish four events, in rooms turn about."""
    crackerjack = Crackerjack(house.publisher)
    for number, run in enumerate(("a", "b", "a", "b")):
        await crackerjack.broadcast_test_started(run, "unit", number)


async def test_one_replay_of_several_channels_is_in_the_order_of_the_log(house: House) -> None:
    """One after the other they would be replayed one after the other."""
    await tell(house)
    client = await house.client("crackerjack")
    answer = await client.request("subscribe", channels=[*ROOMS, "test:a"], since=0)
    assert answer["data"] == {"status": "subscribed", "channels": ROOMS}
    assert [(heard["seq"], heard["room"]) for heard in await client.sync()] == [
        (1, "test:a"),
        (2, "test:b"),
        (3, "test:a"),
        (4, "test:b"),
    ]
    left = await client.request("unsubscribe", channels=["test:a", "coverage"])
    assert left["data"] == {"status": "unsubscribed", "channels": ["test:a", "coverage"]}
    await tell(house)
    assert [heard["room"] for heard in await client.sync()] == ["test:b"] * 2


async def test_a_pong_says_how_far_everything_was_sent(house: House) -> None:
    """V4: also while a replay is under way, when that is less than the log's head."""
    await tell(house)
    client = await house.client("crackerjack")
    await client.say({"type": "request", "event": "subscribe", "id": "s", "data": {"channels": ROOMS, "since": 1}})
    await client.say({"type": "ping", "id": "p"})
    heard, reached = [], -1
    while reached < 4:
        message = await client.hear()
        if message["type"] == "pong":
            reached = message["seq"]
            assert message["epoch"]
            assert set(range(2, reached + 1)) <= set(heard)
            await client.say({"type": "ping", "id": "p"})
        elif message["type"] == "event":
            heard.append(message["seq"])
    assert heard == [2, 3, 4]


@pytest.mark.parametrize("channels", [[], "test:a", [1], ["test:a", None], ["test:a", "nothing:b"]])
async def test_a_list_that_is_none_changes_nothing(house: House, channels: Any) -> None:
    """INVALID_CHANNEL, and the client is in none of the rooms."""
    client = await house.client("crackerjack")
    answer = await client.request("subscribe", channels=channels)
    assert answer["error_code"] == "INVALID_CHANNEL"
    await tell(house)
    assert await client.sync() == []


async def test_a_list_counts_as_many_rooms(house: House) -> None:
    """500 are allowed, and a list that leads beyond is refused as a whole."""
    client = await house.client("crackerjack")
    most = [f"test:{number}" for number in range(500)]
    assert (await client.request("subscribe", channels=most))["type"] == "response"
    assert (await client.request("subscribe", channels=["test:0", "coverage"]))["error_code"] == "SUBSCRIPTION_LIMIT"
    assert (await client.request("subscribe", channels=["test:0"]))["type"] == "response"
