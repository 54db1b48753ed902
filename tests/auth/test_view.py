"""What a token does not see it gets by no way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import orjson
import pytest

from taskcopilot.web.routes.table import ROUTES
from tests.helpers.server import RunningServer
from tests.helpers.tokens import Talker, Tokens, bearer
from tests.helpers.waiting import DEADLINE

SEEN, HIDDEN = "Seen-A", "Hidden-B"


class Scene:
    """Two streams with a task, an agent, a work product and a checkpoint each, and a token that sees one of them."""

    def __init__(self, server: RunningServer, token: str) -> None:
        self.server, self.token = server, token
        self.ids: dict[str, list[str]] = {SEEN: [], HIDDEN: []}

    async def work(self, stream: str) -> str:
        """Let a task of the stream be made and worked at; returns its id."""
        call = self.server.call
        task = (
            await call(
                "task_create",
                title=f"title of {stream}",
                metadata={"streamId": stream, "streamName": f"name of {stream}", "files": [f"{stream}.py"]},
            )
        )["id"]
        await call("task_update", id=task, status="in_progress", assignedAgent=f"agent-{stream}")
        product = await call("work_product_store", taskId=task, type="other", title=f"made by {stream}", content="x")
        checkpoint = await call("checkpoint_create", taskId=task, draftContent=f"draft of {stream}")
        await call("agent_heartbeat", taskId=task, agent=f"agent-{stream}", activityDescription=f"busy {stream}")
        await call("task_update", id=task, status="blocked", blockedReason=f"reason of {stream}")
        await call("task_update", id=task, status="in_progress")
        self.ids[stream] += [task, product["id"], checkpoint["id"]]
        return task

    async def get(self, path: str) -> str:
        """Return the body of an answer, whatever its status."""
        async with self.server.http.get(path, headers=bearer(self.token)) as response:
            return await response.text()

    async def tool(self, name: str, **arguments: Any) -> str:
        """Return the answer to a tool call, whatever its status."""
        async with self.server.http.post(f"/api/tools/{name}", json=arguments, headers=bearer(self.token)) as response:
            return await response.text()


async def live(scene: Scene) -> str:
    talker = await Talker.connect(scene.server, headers=bearer(scene.token))
    await talker.ask("subscribe", topics=["*"])
    for stream in (HIDDEN, SEEN):
        await scene.work(stream)
    return str(await talker.rest())


async def batched(scene: Scene) -> str:
    talker = await Talker.connect(scene.server, protocols=["taskcopilot", f"bearer.{scene.token}"])
    await talker.ask("subscribe", topics=["*"], batch={"maxMs": 50, "maxEvents": 4})
    for stream in (HIDDEN, SEEN):
        await scene.work(stream)
    heard = await talker.hear()
    return str([heard, *await talker.rest()])


async def replay(scene: Scene) -> str:
    return await _subscribed(scene, since=0)


async def last(scene: Scene) -> str:
    return await _subscribed(scene, last=1000)


async def snapshot(scene: Scene) -> str:
    return await _subscribed(scene, snapshot=True)


async def _subscribed(scene: Scene, **options: Any) -> str:
    """Subscribe with options, and hear what comes until an event that happened afterwards."""
    talker = await Talker.connect(scene.server)
    await talker.ask("auth", token=scene.token)
    await talker.say("subscribe", topics=["*"], **options)
    heard = [await talker.hear()]
    marker = (await scene.server.call("task_create", title="marker", metadata={"streamId": SEEN}))["id"]
    while heard[-1].get("payload", {}).get("topic") != f"task:{marker}":
        heard.append(await talker.hear())
    return str(heard)


async def event_stream(scene: Scene) -> str:
    path = "/api/events/stream?since=0"
    async with scene.server.http.get(path, headers=bearer(scene.token)) as response:
        return await _read_to(response, await scene.work(SEEN))


async def _read_to(response: aiohttp.ClientResponse, marker: str) -> str:
    text = ""
    while marker not in text:
        text += (await asyncio.wait_for(response.content.readany(), DEADLINE)).decode()
    return text


async def poll(scene: Scene) -> str:
    return await scene.get("/api/events?limit=1000")


async def long_poll(scene: Scene) -> str:
    head = orjson.loads(await scene.get("/api/events?limit=1000"))["next"]
    waiting = asyncio.create_task(scene.get(f"/api/events?since={head}&wait=60"))
    await scene.work(HIDDEN)
    await scene.work(SEEN)
    return await asyncio.wait_for(waiting, DEADLINE)


async def lists(scene: Scene) -> str:
    paths = ["/api/streams", "/api/streams/", "/api/tasks", "/api/tasks/", f"/api/tasks?streamId={HIDDEN}"]
    paths += ["/api/activity", "/api/activity?active=false", f"/api/activity?streamId={HIDDEN}", "/api/tasks?limit=2"]
    return "\n".join([await scene.get(path) for path in paths]).replace(f"streamId={HIDDEN}", "")


async def tool_lists(scene: Scene) -> str:
    names = ("stream_list", "task_list", "prd_list", "progress_summary", "health_check")
    texts = [await scene.tool(name) for name in names]
    return "\n".join([*texts, await scene.tool("stream_conflict_check", files=[f"{HIDDEN}.py"])])


async def services(scene: Scene) -> str:
    for kind in ("service_status", "service_rooms"):
        assert "FORBIDDEN" in await scene.tool(kind, **({"service": "mahavishnu"} if kind.endswith("rooms") else {}))
    assert orjson.loads(await scene.get("/api/services")) == {"services": []}
    return str([await scene.get("/metrics"), await scene.get(f"/api/streams/{SEEN}")])


WAYS = [live, batched, replay, last, snapshot, event_stream, poll, long_poll, lists, tool_lists, services]


@pytest.fixture
async def scene(guarded: RunningServer, tokens: Tokens) -> Scene:
    scene = Scene(guarded, await tokens.make("read", "write", topics=[f"stream:{SEEN}"]))
    for stream in (SEEN, HIDDEN, SEEN, HIDDEN):
        await scene.work(stream)
    return scene


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_a_stream_out_of_view_is_seen_by_no_way(scene: Scene, way: Callable[[Scene], Awaitable[str]]) -> None:
    """A8: neither its name, nor a word of its tasks, nor an id, while everything of the other stream comes."""
    shown = await way(scene)
    assert SEEN in shown
    assert HIDDEN not in shown
    assert not [each for each in scene.ids[HIDDEN] if each in shown]


async def test_live_and_replayed_events_of_a_task_without_its_stream_in_them_are_seen(scene: Scene) -> None:
    """A7: `task.blocked`, checkpoints and agents name no stream, and belong to it all the same."""
    for shown in (await poll(scene), await live(scene)):
        for kind in ("task.created", "task.blocked", "checkpoint.created", "agent.started", "agent.heartbeat"):
            assert kind in shown, kind
        assert "stream.progress" in shown


@pytest.mark.parametrize(
    "path",
    [
        "/api/streams/{stream}",
        "/api/streams/{stream}?includeArchived=true",
        "/api/streams/{stream}/health",
        "/api/tasks/{task}",
        "/api/checkpoints?taskId={task}",
        "/api/checkpoints?streamId={stream}",
    ],
)
async def test_what_is_out_of_view_is_not_found(scene: Scene, path: str) -> None:
    """A8: and says just what it says of an id that nobody has."""
    answers = {}
    for stream, task in ((HIDDEN, scene.ids[HIDDEN][0]), (SEEN, scene.ids[SEEN][0]), ("Nobody", "TASK-nobody")):
        async with scene.server.http.get(path.format(stream=stream, task=task), headers=bearer(scene.token)) as found:
            answers[stream] = found.status, (await found.text()).replace(task, "ID").replace(stream, "ID")
    assert answers[SEEN][0] == 200
    assert answers[HIDDEN] == answers["Nobody"]
    assert answers[HIDDEN][0] == 404


def _calls(task: str, product: str, checkpoint: str, stream: str) -> list[tuple[str, dict[str, Any]]]:
    return [
        ("task_get", {"id": task}),
        ("task_update", {"id": task, "notes": "x"}),
        ("task_claim", {"id": task, "agent": "me"}),
        ("task_release", {"id": task, "agent": "me"}),
        ("work_product_store", {"taskId": task, "type": "other", "title": "x", "content": "x"}),
        ("work_product_get", {"id": product}),
        ("work_product_list", {"taskId": task}),
        ("checkpoint_create", {"taskId": task}),
        ("checkpoint_get", {"id": checkpoint}),
        ("checkpoint_list", {"taskId": task}),
        ("checkpoint_resume", {"taskId": task}),
        (
            "agent_handoff",
            {
                "taskId": task,
                "fromAgent": "a",
                "toAgent": "b",
                "workProductId": product,
                "handoffContext": "x",
                "chainPosition": 1,
                "chainLength": 2,
            },
        ),
        ("agent_chain_get", {"taskId": task}),
        ("agent_heartbeat", {"taskId": task, "agent": "me"}),
        ("stream_get", {"streamId": stream}),
    ]


NAMES = [name for name, _ in _calls("", "", "", "")]


@pytest.mark.parametrize("name", NAMES)
async def test_tools_know_of_nothing_out_of_view(scene: Scene, name: str) -> None:
    """A8: reading and writing, and nothing happens; in view the same call works."""
    before = scene.server.core.recorder.head
    hidden = orjson.loads(await scene.tool(name, **dict(_calls(*scene.ids[HIDDEN][:3], HIDDEN))[name]))
    assert (hidden["status"], hidden["code"]) == (404, "NOT_FOUND")
    assert scene.server.core.recorder.head == before
    seen = orjson.loads(await scene.tool(name, **dict(_calls(*scene.ids[SEEN][:3], SEEN))[name]))
    assert isinstance(seen, list) or "code" not in seen, seen


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("task_create", {"title": "x", "metadata": {"streamId": HIDDEN}}),
        ("task_create", {"title": "x"}),
        ("service_publish", {"service": "mahavishnu", "event": "workflow.started", "data": {"workflow_id": "w"}}),
    ],
)
async def test_a_change_out_of_view_is_refused_and_undone(scene: Scene, name: str, arguments: dict[str, Any]) -> None:
    """A8: the tool ran, and its transaction was given up."""
    before = await scene.server.call("task_list")
    answer = orjson.loads(await scene.tool(name, **arguments))
    assert (answer["status"], answer["code"]) == (403, "FORBIDDEN"), answer
    assert await scene.server.call("task_list") == before


async def test_a_task_cannot_be_moved_out_of_view(scene: Scene) -> None:
    """A8: nor into it, for that needs to see where it was."""
    seen, hidden = scene.ids[SEEN][0], scene.ids[HIDDEN][0]
    moved = orjson.loads(await scene.tool("task_update", id=seen, metadata={"streamId": HIDDEN}))
    taken = orjson.loads(await scene.tool("task_update", id=hidden, metadata={"streamId": SEEN}))
    assert (moved["code"], taken["code"]) == ("FORBIDDEN", "NOT_FOUND")
    assert (await scene.server.call("task_get", id=seen))["metadata"]["streamId"] == SEEN


async def test_an_answer_that_is_remembered_is_not_for_another_view(scene: Scene, tokens: Tokens) -> None:
    """A8, H6: the idempotency key of somebody who sees more does not open what he was told."""
    arguments = {"title": "x", "metadata": {"streamId": SEEN}, "idempotencyKey": "k"}
    await scene.server.call("task_create", **arguments)
    answer = orjson.loads(await scene.tool("task_create", **arguments))
    assert answer["code"] == "IDEMPOTENCY_CONFLICT"


@pytest.mark.parametrize(
    ("topics", "allowed"),
    [
        (["*"], True),
        ([f"stream:{SEEN}"], True),
        (["task:{seen}", "checkpoint:{seen}"], True),
        (["stream:*"], False),
        (["task:*"], False),
        ([f"stream:{SEEN}", f"stream:{HIDDEN}"], False),
        (["task:{hidden}"], False),
        (["task:TASK-nobody"], False),
        (["agent:*"], False),
        ([f"*:{SEEN}"], False),
        ([f"stream:{SEEN}?"], False),
    ],
)
async def test_a_pattern_that_could_match_more_is_refused(scene: Scene, topics: list[str], allowed: bool) -> None:
    """A7: with WS_FORBIDDEN or FORBIDDEN, and nothing of the request is applied."""
    topics = [topic.format(seen=scene.ids[SEEN][0], hidden=scene.ids[HIDDEN][0]) for topic in topics]
    talker = await Talker.connect(scene.server, headers=bearer(scene.token))
    answer = await talker.ask("subscribe", topics=topics)
    polled = orjson.loads(await scene.get(f"/api/events?topics={','.join(topics).replace('?', '%3F')}"))
    if allowed:
        assert answer["type"] == "subscribed"
        assert "events" in polled
    else:
        assert answer["payload"]["code"] == "WS_FORBIDDEN"
        assert answer["payload"]["field"].startswith("topics.")
        assert polled["code"] == "FORBIDDEN"
        await scene.work(SEEN)
        assert await talker.rest() == []


async def test_a_smaller_token_sees_less_from_then_on(scene: Scene, tokens: Tokens) -> None:
    """A8, A9: also of a replay that is under way with what the larger one asked for."""
    large = await tokens.make("read")
    talker = await Talker.connect(scene.server, headers=bearer(large))
    await talker.ask("subscribe", topics=["*", "task:*"])
    await scene.work(HIDDEN)
    assert HIDDEN in str(await talker.rest())
    assert (await talker.ask("auth", token=scene.token))["payload"]["topics"] == [f"stream:{SEEN}"]
    await scene.work(HIDDEN)
    await scene.work(SEEN)
    shown = str(await talker.rest())
    assert SEEN in shown
    assert HIDDEN not in shown


async def test_equal_views_share_a_group(scene: Scene, tokens: Tokens) -> None:
    """D2: the same bytes go to everybody who sees and wants the same, whatever the token."""
    from taskcopilot.web.keys import HUB

    other = await tokens.make("read", topics=[f"stream:{SEEN}"])
    for token in (scene.token, other):
        talker = await Talker.connect(scene.server, headers=bearer(token))
        await talker.ask("subscribe", topics=["*"])
    assert scene.server.app[HUB].statistics().groups == 1


GETS = sorted({path for route in ROUTES if route.method == "GET" for path in (route.path, *route.also)})


@pytest.mark.parametrize("path", [path for path in GETS if path != "/api/events/stream"])
async def test_no_address_tells_of_what_is_out_of_view(scene: Scene, tokens: Tokens, path: str) -> None:
    """A8: every GET that there is, of what is hidden and of what is not; a tag of another view is no match."""
    large = bearer(await tokens.make("read"))
    for stream in (HIDDEN, SEEN):
        names = {"taskId": scene.ids[stream][0], "streamId": stream, "file": "main.js", "type": "task.created"}
        address = path.format(**names)
        async with scene.server.http.get(address, headers=large) as response:
            everything, tag = await response.text(), response.headers.get("ETag", "")
        async with scene.server.http.get(
            address, headers={**bearer(scene.token), "If-None-Match": tag or '"none"'}
        ) as response:
            shown = await response.text()
            assert response.status != 304 or HIDDEN not in everything
        found = [each for each in (HIDDEN, *scene.ids[HIDDEN]) if each in shown]
        assert not set(found).difference(address.split("/"))


async def test_a_token_that_does_not_read_hears_nothing_more(scene: Scene, tokens: Tokens) -> None:
    """A6, A9: also of what it subscribed to before with another one."""
    talker = await Talker.connect(scene.server, headers=bearer(scene.token))
    await talker.ask("subscribe", topics=["*"])
    assert (await talker.ask("auth", token=await tokens.make("write")))["type"] == "authenticated"
    await scene.work(SEEN)
    assert await talker.rest() == []
