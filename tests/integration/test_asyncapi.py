"""GET /asyncapi.json and /schemas/ say what the socket does (promise H12)."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from taskcopilot.clock import SystemClock
from taskcopilot.events import PAYLOADS
from tests.helpers.server import RunningServer, running_server
from tests.integration.test_hooks import PATH, hook


@pytest.fixture
async def document(server: RunningServer) -> dict[str, Any]:
    """The description, as a client gets it."""
    return await server.get("/asyncapi.json")


SPECIFICATION = json.loads((Path(__file__).parents[1] / "helpers" / "asyncapi-3.0.0.json").read_text())
"""The schema that the specification publishes, without what we do not use: bindings."""


class Speaker:
    """A client that knows only the document: it says and takes nothing that is not in there."""

    def __init__(self, document: dict[str, Any], socket: Any) -> None:
        self.messages = document["components"]["messages"]
        self.socket = socket
        self.heard: set[str] = set()
        whole = {"components": document["components"]}
        self.validators = {name: Draft7Validator(each["payload"] | whole) for name, each in self.messages.items()}

    def fitting(self, message: dict[str, Any]) -> list[str]:
        """Return the messages of the document that this may be; ping and pong are on both sides."""
        return [name for name, each in self.validators.items() if each.is_valid(message)]

    async def say(self, message: dict[str, Any]) -> None:
        assert f"client.{message['type']}" in self.fitting(message)
        await self.socket.send_json(message)

    async def hear(self) -> dict[str, Any]:
        message = await self.socket.receive_json()
        (name,) = (each for each in self.fitting(message) if not each.startswith("client."))
        self.heard.add(name)
        for event in message["payload"]["events"] if name == "server.batch" else ():
            (each,) = self.fitting(event)
            self.heard.add(each)
        return message

    async def hear_all(self, wanted: set[str]) -> None:
        """Listen until every one of these messages was heard."""
        while not self.heard >= wanted:
            await self.hear()


async def test_a_client_that_knows_only_the_document_understands_everything(serve) -> None:
    """H12: it says every example of the document, each is granted, and all it hears fits exactly one message."""
    server = await serve(clock=SystemClock(), ping_interval=1.0)
    document = await server.get("/asyncapi.json")
    async with server.http.ws_connect(document["channels"]["socket"]["address"]) as socket:
        speaker = Speaker(document, socket)
        wishes = [example["payload"] for each in speaker.messages.values() for example in each.get("examples", ())]
        assert {wish["type"] for wish in wishes} == {"subscribe", "unsubscribe", "ping", "pong", "auth"}
        task = (await server.call("task_create", title="t"))["id"]
        answers: list[Any] = []
        for wish in wishes:
            await speaker.say(wish)
            if wish["type"] != "pong":
                while (answer := await speaker.hear())["type"] in ("event", "ping", "snapshot", "batch"):
                    pass
                answers.append((answer["type"], answer.get("id")))
        kinds = {"subscribe": "subscribed", "unsubscribe": "subscribed", "ping": "pong", "auth": "authenticated"}
        assert answers == [(kinds[wish["type"]], wish.get("id")) for wish in wishes if wish["type"] in kinds]
        await server.call("task_update", id=task, status="in_progress")
        await speaker.hear_all({"event.task.created", "server.batch", "server.snapshot", "server.ping"})
        await speaker.say({"type": "subscribe", "id": {"any": "thing"}, "payload": {"topics": ["nonsense:*"]}})
        await speaker.hear_all({"server.error"})
    assert speaker.heard >= {"server.subscribed", "server.pong"}


@pytest.mark.other_events
async def test_what_stands_for_a_damaged_row_is_in_the_document(tmp_path: Path) -> None:
    """H12, D10: log.unreadable is a message like any other."""
    async with running_server(tmp_path) as server:
        await server.call("task_create", title="t")
        path = server.core.database.path
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE events SET data = 'no object' WHERE seq = 1")
    async with running_server(tmp_path) as server, server.http.ws_connect("/ws") as socket:
        speaker = Speaker(await server.get("/asyncapi.json"), socket)
        await speaker.say({"type": "subscribe", "payload": {"topics": ["*"], "since": 0}})
        await speaker.hear_all({"event.log.unreadable"})


async def test_the_document_is_sound(document: dict[str, Any]) -> None:
    """H12: the specification's own schema takes it, every reference leads somewhere, every event type is there."""
    Draft7Validator(SPECIFICATION).validate(document)
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)):
        target: Any = document
        for part in reference.split("/"):
            target = target[part]
    for message in document["components"]["messages"].values():
        Draft7Validator.check_schema(message["payload"])
        for example in message.get("examples", ()):
            Draft7Validator(message["payload"]).validate(example["payload"])
    assert {f"event.{name}" for name in PAYLOADS} <= set(document["components"]["messages"])


async def test_every_schema_of_the_list_is_there(server: RunningServer) -> None:
    """H12: complete in itself; an unknown type is 404, one of a family gets that of the family."""
    links = (await server.get("/schemas/"))["schemas"]
    assert [link["type"] for link in links][: len(PAYLOADS)] == list(PAYLOADS)
    for link in links:
        schema = await server.get(link["schemaUrl"])
        assert schema["$id"] == link["schemaUrl"]
        Draft202012Validator.check_schema(schema)
    assert (await server.get("/schemas/no.such.json", expect=404))["field"] == "type"


async def every_event(server: RunningServer) -> None:
    """Do what makes every type of event of the vocabulary happen at least once."""
    metadata = {"streamId": "s", "streamName": "S"}
    task = (await server.call("task_create", title="t", assignedAgent="me", metadata=metadata))["id"]
    await server.call("task_update", id=task, status="in_progress", notes="n")
    await server.call("agent_heartbeat", taskId=task)
    await server.call("task_update", id=task, status="blocked", blockedReason="no key")
    await server.call("task_update", id=task, status="in_progress")
    await server.call("checkpoint_create", taskId=task, expiresIn=60, executionPhase="p", executionStep=1)
    await server.call("checkpoint_resume", taskId=task)
    product = (await server.call("work_product_store", taskId=task, type="other", title="w", content="c"))["id"]
    chain = {"chainPosition": 1, "chainLength": 2, "handoffContext": "go on"}
    await server.call("agent_handoff", taskId=task, fromAgent="me", toAgent="qa", workProductId=product, **chain)
    server.clock.advance(100 * 86_400)
    await server.call("checkpoint_cleanup")
    await server.call("task_update", id=task, status="completed")
    await server.post(PATH, hook("TeammateIdle", teammate_name="me", team_name="t"))
    await server.call(
        "service_publish", service="mahavishnu", event="pool.spawned", data={"pool_id": "p", "config": {}}
    )


async def test_every_event_that_is_sent_satisfies_its_schema(server: RunningServer) -> None:
    """H12: in a run in which every type of the vocabulary happens."""
    await every_event(server)
    events = (await server.get("/api/events", limit=1000))["events"]
    kinds = {event["payload"]["eventType"] for event in events}
    assert kinds >= set(PAYLOADS)
    assert any(kind.startswith("mahavishnu.") for kind in kinds)
    for event in events:
        schema = await server.get(f"/schemas/{event['payload']['eventType']}.json")
        Draft202012Validator(schema).validate(event["payload"]["data"])
