"""Every service, spoken to in every form that the documents and clients of the ecosystem have."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from taskcopilot.services.service import Service
from taskcopilot.services.table import SERVICES
from tests.helpers.dialects import House, check_dialects

ROOMS = [service for service in SERVICES if service.protocol == "rooms"]
every_service = pytest.mark.parametrize("service", ROOMS, ids=lambda service: service.name)

FRAMES: list[tuple[dict[str, Any], str, str | None]] = [
    ({"type": "ping"}, "pong", None),
    ({"type": "ping", "id": "1", "timestamp": "2026-01-08T12:00:00"}, "pong", None),
    (
        {"type": "request", "event": "auth", "data": {"token": "any"}, "id": "1", "correlation_id": "2"},
        "response",
        None,
    ),
    ({"type": "request", "event": "refresh_token", "data": {"token": "any"}, "id": "1"}, "response", None),
    ({"type": "request", "event": "nothing", "data": {}, "correlation_id": "2"}, "error", "UNKNOWN_REQUEST"),
    ({"type": "event", "event": "telemetry", "data": {"n": 1}, "id": "1"}, "error", "FORBIDDEN"),
    ({"type": "subscribe", "payload": {"topics": ["task:*"]}, "id": "1"}, "error", "INVALID_CHANNEL"),
    ({"type": "request", "event": "subscribe", "data": {}, "id": "1"}, "error", "INVALID_CHANNEL"),
    ({"type": "request", "event": "subscribe", "data": {"channel": "nowhere"}, "id": "1"}, "error", "INVALID_CHANNEL"),
    ({"type": "request", "id": "1"}, "error", "DECODE_ERROR"),
    ({"type": "nonsense", "id": "1"}, "error", "DECODE_ERROR"),
]
"""A message, and the type and the code of its answer."""


@every_service
@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
async def test_every_frame_is_answered_with_its_correlation(house: House, service: Service, binary: bool) -> None:
    """V4: the id comes back, without one the correlation id; only errors have a code and a message."""
    client = await house.client(service.name)
    for frame, kind, code in FRAMES:
        await client.say(frame, binary=binary)
        answer = await client.hear()
        assert (answer["type"], answer["error_code"]) == (kind, code), frame
        assert answer["correlation_id"] == frame.get("id", frame.get("correlation_id")), frame
        assert bool(answer["error_message"]) == (code is not None)
    await client.say(b"not JSON", binary=binary)
    assert (await client.hear())["error_code"] == "DECODE_ERROR"
    assert await client.sync() == []


@every_service
async def test_every_channel_is_joined_and_left_in_every_form(house: House, service: Service) -> None:
    """V4: whatever names the room, and whatever the type of the message."""
    client = await house.client(service.name)
    for channel in service.channels:
        await check_dialects(client, channel.format_map(_Ids()))


@every_service
@pytest.mark.parametrize(("member", "entity"), [("session_id", "session"), ("component_id", "component")])
async def test_a_thing_is_named_only_where_there_is_one(
    house: House, service: Service, member: str, entity: str
) -> None:
    """V4: a service without such rooms says so, and one with them has the client in it."""
    client = await house.client(service.name)
    await client.say({"type": "subscribe", member: "one", "id": "1"})
    answer = await client.hear()
    if service.has_room(f"{entity}:one"):
        assert (answer["type"], answer["data"]["channel"]) == ("ack", f"{entity}:one")
    else:
        assert (answer["type"], answer["error_code"], answer["correlation_id"]) == ("error", "INVALID_CHANNEL", "1")


@every_service
async def test_every_request_without_its_arguments_is_answered(house: House, service: Service) -> None:
    """V4: with an error that names the field, or, where all may be left out, with an answer."""
    client = await house.client(service.name)
    for request in service.requests:
        needed = [name for name, field in request.arguments.model_fields.items() if field.is_required()]
        answer = await client.request(request.event)
        if needed:
            assert (answer["error_code"], answer["data"]) == ("INVALID_ARGUMENT", {"field": needed[0]})
            unknown = await client.request(request.event, **dict.fromkeys(needed, "nobody"))
            assert unknown["error_code"] == "NOT_FOUND"
            assert unknown["data"]["field"] in needed
        else:
            assert answer["type"] == "response"


@every_service
async def test_what_is_said_is_compact_json_with_letters_as_they_are(house: House, service: Service) -> None:
    """V3: UTF-8, nothing escaped that need not be, no space between."""
    client = await house.client(service.name)
    await client.say({"type": "request", "event": "subscribe", "data": {"channel": "größe"}, "id": "ü"})
    text = await client.socket.receive_str()
    assert "größe" in text
    assert orjson.dumps(orjson.loads(text)).decode() == text


class _Ids(dict[str, str]):
    """Has an id for every field of a template."""

    def __missing__(self, name: str) -> str:
        return f"{name} 1:ü"
