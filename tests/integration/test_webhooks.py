"""Webhooks against a real receiver on loopback: at least once, in order, signed, and never in the way of the bus."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from taskcopilot.errors import InvalidArgumentError
from taskcopilot.events import Event
from taskcopilot.store import webhooks
from taskcopilot.store.webhooks import Webhook
from taskcopilot.web.webhooks.delivering import ATTEMPTS, backoff
from taskcopilot.web.webhooks.message import new_secret, write
from taskcopilot.web.webhooks.target import check_url, is_allowed
from tests.helpers.clock import FakeClock
from tests.helpers.processes import bridge, run
from tests.helpers.server import RunningServer
from tests.helpers.waiting import DEADLINE, until


class Receiver:
    """Takes what comes; answers with the next of `answers`, and then with 204."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        status = self.answers.pop(0) if self.answers else 204
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        if status < 300:
            self.requests.append((headers, body))
        return web.Response(status=status, headers={"Location": self.url} if status == 302 else {})

    @property
    def titles(self) -> list[str]:
        return [json.loads(body)["data"]["taskTitle"] for _, body in self.requests]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    found = Receiver()
    app = web.Application()
    app.router.add_post("/{path:.*}", found.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield found
    await runner.cleanup()


async def add(server: RunningServer, url: str, **options: Any) -> Webhook:
    given = {"format": "standard", "topics": ("task:*",), "types": (), "private": True, **options}
    webhook = Webhook(id="wh_1", url=url, secret=new_secret(), **given)
    await server.core.recorder.record(partial(webhooks.add, webhook=webhook))
    return webhook


async def passing(server: RunningServer, condition: Callable[[], object]) -> None:
    """Let time pass until the condition holds."""

    def pass_some() -> object:
        server.clock.advance(0.5)
        return condition()

    await until(pass_some, "the webhook's turn")


async def row(server: RunningServer) -> Webhook:
    return await server.core.database.read(partial(webhooks.find, webhook_id="wh_1"))


async def holds(server: RunningServer, condition: Callable[[Webhook], object]) -> Webhook:
    """Let time pass until the endpoint's row is as wanted."""
    deadline = time.monotonic() + DEADLINE
    while not condition(found := await row(server)):
        assert time.monotonic() < deadline, found
        server.clock.advance(0.5)
    return found


async def test_events_are_delivered_in_order_and_the_signature_verifies(serve, receiver: Receiver) -> None:
    """By the text of the specification: HMAC-SHA256 over id, timestamp and body, with the decoded secret."""
    server = await serve()
    await server.call("task_create", title="before")
    webhook = await add(server, receiver.url)
    began = int(server.clock.now().timestamp())
    for number in range(5):
        await server.call("task_create", title=str(number))
    await passing(server, lambda: len(receiver.requests) == 5)
    assert receiver.titles == ["0", "1", "2", "3", "4"]
    for headers, body in receiver.requests:
        key = base64.b64decode(webhook.secret.removeprefix("whsec_"))
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"
        assert began <= int(headers["webhook-timestamp"]) <= server.clock.now().timestamp()
        assert json.loads(body).keys() >= {"type", "timestamp", "data"}
    assert len({headers["webhook-id"] for headers, _ in receiver.requests}) == 5


def test_the_example_of_the_specification_is_signed_as_it_says() -> None:
    """The reference libraries' own vector, computed anew by hand."""
    event = Event(7, "2026-01-08T12:00:00.000Z", "task:1", "task.created", b'{"taskTitle":"a"}')
    message = write(event, "epoch", "standard", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 1_614_265_330)
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    digest = hmac.new(key, b"msg_epoch_7.1614265330." + message.body, hashlib.sha256).digest()
    assert message.headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()


async def test_only_what_is_wanted_is_sent(serve, receiver: Receiver) -> None:
    """Topics and types as in a subscription."""
    server = await serve()
    await add(server, receiver.url, types=("task.created",))
    task = await server.call("task_create", title="wanted")
    await server.call("task_update", id=task["id"], status="in_progress")
    await server.call("task_create", title="wanted too")
    await passing(server, lambda: len(receiver.requests) == 2)
    await holds(server, lambda found: found.position == server.core.recorder.head)
    assert receiver.titles == ["wanted", "wanted too"]


async def test_a_failure_is_tried_again_and_nothing_overtakes_it(serve, receiver: Receiver) -> None:
    """The same id at every attempt; a redirect is a failure, it is not followed."""
    server = await serve()
    receiver.answers = [500, 302, 404]
    await add(server, receiver.url)
    await server.call("task_create", title="first")
    await server.call("task_create", title="second")
    await passing(server, lambda: len(receiver.requests) == 2)
    assert receiver.titles == ["first", "second"]
    assert receiver.answers == []


async def test_a_receiver_that_is_down_is_waited_for(serve, receiver: Receiver) -> None:
    """A refused connection is a failure like any other, and the bus does not notice."""
    server = await serve()
    await add(server, "http://127.0.0.1:1/hook")
    await server.call("task_create", title="one")
    found = await holds(server, lambda found: found.attempts >= 2)
    assert found.due_at is not None
    await server.call("task_create", title="two")
    assert (await server.get("/health"))["seq"] == server.core.recorder.head


async def test_410_disables_the_endpoint(serve, receiver: Receiver) -> None:
    """It gets nothing more until it is used again by hand; then nothing is missing."""
    server = await serve()
    receiver.answers = [410]
    await add(server, receiver.url)
    await server.call("task_create", title="one")
    assert (await holds(server, lambda found: found.disabled)).disabled == "it answered 410"
    await server.call("task_create", title="two")
    await server.core.recorder.record(lambda tx: webhooks.resurrect(tx, "wh_1", ()))
    await passing(server, lambda: len(receiver.requests) == 2)
    assert receiver.titles == ["one", "two"]


async def test_what_is_never_taken_becomes_a_dead_letter_that_can_be_tried_again(serve, receiver: Receiver) -> None:
    """After the last attempt the next event has its turn; a retry brings the dead one."""
    server = await serve()
    receiver.answers = [500] * ATTEMPTS
    await add(server, receiver.url)
    await server.call("task_create", title="dead")
    await server.call("task_create", title="alive")

    def later() -> object:
        server.clock.advance(60)
        return receiver.requests

    await until(later)
    assert receiver.titles == ["alive"]
    (letter,) = await server.core.database.read(webhooks.dead)
    assert (letter.event.seq, letter.reason) == (1, "it answered 500")
    await server.core.recorder.record(lambda tx: webhooks.resurrect(tx, "wh_1", (1,)))
    await passing(server, lambda: len(receiver.requests) == 2)
    assert receiver.titles == ["alive", "dead"]
    deadline = time.monotonic() + DEADLINE
    while await server.core.database.read(webhooks.dead):
        assert time.monotonic() < deadline, "the letter is still there"


async def test_a_restart_loses_nothing(serve, receiver: Receiver) -> None:
    """The position is in the database: what was not taken before comes after, in order."""
    async with contextlib.AsyncExitStack() as stack:
        server = await serve(stack=stack)
        await add(server, receiver.url)
        await server.call("task_create", title="0")
        await passing(server, lambda: receiver.requests)
        receiver.answers = [500] * 3
        for number in range(1, 4):
            await server.call("task_create", title=str(number))
        await holds(server, lambda found: found.attempts)
    receiver.answers = []
    again = await serve(clock=FakeClock(server.clock.now()))
    await again.call("task_create", title="4")
    await passing(again, lambda: len(set(receiver.titles)) == 5)
    assert sorted(set(receiver.titles)) == ["0", "1", "2", "3", "4"]
    assert receiver.titles[-4:] == ["1", "2", "3", "4"]


async def test_two_bridges_of_a_workspace_deliver_once(serve, receiver: Receiver) -> None:
    """One holds the lock; the other takes over when it is gone."""
    async with contextlib.AsyncExitStack() as stack:
        one, two = await serve(stack=stack), await serve(follow=True)
        await add(one, receiver.url)
        for number in range(5):
            await one.call("task_create", title=str(number))
        await passing(two, lambda: (one.clock.advance(0.5), len(receiver.requests) == 5)[1])
    await two.call("task_create", title="5")
    await passing(two, lambda: len(receiver.requests) == 6)
    assert receiver.titles == ["0", "1", "2", "3", "4", "5"]


@pytest.mark.parametrize("form", ["slack", "discord", "ntfy"])
async def test_the_presets_say_what_happened_in_their_own_form(serve, receiver: Receiver, form: str) -> None:
    """Markup and mentions in a title stay text."""
    server = await serve()
    await add(server, receiver.url, format=form)
    await server.call("task_create", title="@everyone <b>ship</b>\nit")
    await passing(server, lambda: receiver.requests)
    body = receiver.requests[0][1]
    match form:
        case "slack":
            text = json.loads(body)["text"]
            assert text.endswith(": @everyone &lt;b&gt;ship&lt;/b&gt; it")
        case "discord":
            text = json.loads(body)["content"]
            assert json.loads(body)["allowed_mentions"] == {"parse": []}
        case _:
            text = body.decode()
    assert text.startswith("task.created task:TASK-")
    assert "\n" not in text


@pytest.mark.parametrize(
    ("url", "private"),
    [
        ("http://example.com/x", False),
        ("https://127.0.0.1/x", False),
        ("https://[::1]/x", False),
        ("https://[::ffff:10.0.0.1]/x", False),
        ("https://10.0.0.1/x", False),
        ("https://192.168.1.1/x", False),
        ("http://169.254.169.254/latest", True),
        ("http://[fe80::1]/x", True),
        ("http://0.0.0.0/x", True),
        ("https://user:pass@example.com/x", False),
        ("ftp://example.com/x", True),
        ("https:///x", True),
        ("https://example.com:99999/x", True),
    ],
)
def test_targets_that_are_not_allowed(url: str, *, private: bool) -> None:
    """Refused when they are added, naming the field."""
    with pytest.raises(InvalidArgumentError) as caught:
        check_url(url, private=private)
    assert caught.value.field == "url"


def test_targets_that_are_allowed() -> None:
    """Public ones by https; with --private this machine and its network too."""
    check_url("https://example.com/hook", private=False)
    check_url("https://93.184.215.14/hook", private=False)
    check_url("http://127.0.0.1:8080/hook", private=True)
    check_url("http://10.1.2.3/hook", private=True)
    assert not is_allowed("127.0.0.1", private=False)


async def test_a_name_that_means_this_machine_is_refused_when_it_is_used(serve, receiver: Receiver) -> None:
    """The name is judged by its addresses at the time: a public name cannot be turned into localhost."""
    server = await serve()
    url = receiver.url.replace("http://127.0.0.1", "https://localhost")
    await add(server, url, private=False)
    await server.call("task_create", title="one")
    await holds(server, lambda found: found.attempts)
    assert receiver.requests == []


def test_pauses_grow_with_jitter_and_have_an_end() -> None:
    """Between half and all of 5 s, 10 s, 20 s ... an hour."""
    clock = FakeClock()
    for attempt, most in ((1, 5), (2, 10), (5, 80), (20, 3_600)):
        found = {backoff(attempt, clock) for _ in range(50)}
        assert len(found) > 10
        assert all(most / 2 <= seconds <= most for seconds in found)


async def test_the_commands_and_a_kill_of_the_bridge(tmp_path: Path, receiver: Receiver) -> None:
    """add, list, test, dead, retry, remove; the secret is shown once; kill -9 of the bridge loses no event."""

    def command(*arguments: str, code: int = 0) -> Any:
        done = run(tmp_path, "webhook", *arguments, "--json", "--db", "tasks.db")
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout or done.stderr)

    do = partial(asyncio.to_thread, command)
    made = await do("add", receiver.url, "--private", "--topics", "task:*", "--types", "task.created")
    assert made["secret"].startswith("whsec_")
    (shown,) = await do("list")
    assert shown["id"] == made["id"]
    assert "secret" not in shown
    assert (await do("test", made["id"]))["delivered"]
    assert json.loads(receiver.requests.pop()[1])["type"] == "webhook.test"
    assert (await do("add", "http://127.0.0.1/x", code=2))["field"] == "url"
    assert (await do("remove", "wh_none", code=3))["code"] == "NOT_FOUND"
    with await asyncio.to_thread(stack_of_bridges, tmp_path) as killed:
        await asyncio.to_thread(run, tmp_path, "task", "create", "0", "--db", "tasks.db")
        await until(lambda: len(receiver.requests) >= 1)
        receiver.answers = [500]
        await asyncio.to_thread(run, tmp_path, "task", "create", "1", "--db", "tasks.db")
        await until(lambda: not receiver.answers)
        killed()
    with await asyncio.to_thread(stack_of_bridges, tmp_path):
        await until(lambda: "1" in receiver.titles)
    assert receiver.titles == ["0", "1"]
    assert await do("dead") == []
    assert (await do("retry", made["id"]))["retried"] == 0
    await do("remove", made["id"])
    assert await do("list") == []


@contextlib.contextmanager
def stack_of_bridges(home: Path):
    """Run a bridge on the workspace; gives a function that kills it."""
    with bridge(home, "--db", "tasks.db") as (process, _):
        yield process.popen.kill
