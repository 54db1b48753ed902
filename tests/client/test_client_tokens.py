"""What a client shows a bridge that wants a token, and what it says when the bridge wants another."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from task_copilot_client import AuthenticationError, TaskCopilotClient
from task_copilot_client.credentials import VARIABLE
from taskcopilot.web.keys import DOOR
from tests.auth.conftest import guarded, serve, tokens
from tests.auth.test_tokens import after
from tests.client.helpers import Recorder
from tests.helpers.server import RunningServer
from tests.helpers.tokens import Tokens
from tests.helpers.waiting import until

__all__ = ["guarded", "serve", "tokens"]

WRONG, CANARY = "wrong", "canary-canary"
QUICK: dict[str, Any] = {"max_backoff": 0.05, "probe_interval": 0.05, "poll_interval": 0.05}


@contextlib.asynccontextmanager
async def client_of(server: RunningServer, **options: Any) -> Any:
    """A client that is disconnected at the end; the bridge runs in this thread, the client does not."""
    client = TaskCopilotClient(server.url, **(QUICK | options))
    try:
        yield client
    finally:
        await asyncio.to_thread(client.disconnect)


@pytest.mark.parametrize("use_websocket", [True, False])
@pytest.mark.parametrize("given", [lambda token: token, lambda token: lambda: token], ids=["text", "function"])
async def test_a_token_opens_both_transports_and_tools(
    guarded: RunningServer, tokens: Tokens, use_websocket: bool, given: Callable[[str], Any]
) -> None:
    """A3: in the header Authorization of each."""
    token = given(await tokens.make("read", "write"))
    async with client_of(guarded, token=token, use_websocket=use_websocket) as client:
        recorder = Recorder()
        assert await asyncio.to_thread(client.connect)
        assert client.mode == ("websocket" if use_websocket else "http")
        await asyncio.to_thread(client.subscribe, ["task:*"], recorder)
        await asyncio.to_thread(client.call, "task_create", title="x")
        await until(lambda: recorder.calls, "the event")
        assert client.refusal is None


async def test_the_environment_gives_the_token(
    guarded: RunningServer, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To who gives none; what is given goes before."""
    monkeypatch.setenv(VARIABLE, await tokens.make("read"))
    assert await asyncio.to_thread(TaskCopilotClient(guarded.url).head)
    with pytest.raises(AuthenticationError):
        await asyncio.to_thread(TaskCopilotClient(guarded.url, token=WRONG).head)


async def test_without_a_good_token_nothing_connects_and_the_error_says_why(guarded: RunningServer) -> None:
    """A2: connect is False, the block and a call raise; an AuthenticationError is a ConnectionError too."""
    async with client_of(guarded, token=WRONG) as client:
        assert not await asyncio.to_thread(client.connect)
        assert isinstance(client.refusal, ConnectionError)
        for doing in (client.__enter__, lambda: client.call("task_list"), client.head):
            with pytest.raises(AuthenticationError, match="valid token"):
                await asyncio.to_thread(doing)


async def test_a_token_that_was_revoked_is_followed_by_a_fresh_one_without_a_loss(
    guarded: RunningServer, tokens: Tokens
) -> None:
    """A9: the function is asked again, and events of the meantime come."""
    shown = [await tokens.make("read")]
    recorder, modes = Recorder(), list[str]()
    async with client_of(guarded, token=lambda: shown[-1]) as client:
        client.on_state(modes.append)
        client.subscribe(["task:*"], recorder)
        assert await asyncio.to_thread(client.connect)
        await tokens.revoke(shown[0])

        def refused() -> bool:
            guarded.clock.advance(1)
            return client.refusal is not None

        await until(refused, "the end of the token")
        await until(lambda: "reconnecting" in modes, "the state")
        await guarded.call("task_create", title="meanwhile")
        shown.append(await tokens.make("read"))
        await until(lambda: client.refusal is None and recorder.calls, "the way back")
        assert [data["taskTitle"] for _, _, data in recorder.calls] == ["meanwhile"]


async def test_a_token_that_ends_soon_is_followed_by_a_fresh_one_on_the_same_connection(
    guarded: RunningServer, tokens: Tokens
) -> None:
    """A9: the function is asked when the bridge warns, and nothing is interrupted."""
    shown = [await tokens.make("read", life=timedelta(seconds=40))]
    modes, recorder = list[str](), Recorder()
    async with client_of(guarded, token=lambda: shown[-1]) as client:
        client.on_state(modes.append)
        client.subscribe(["task:*"], recorder)
        assert await asyncio.to_thread(client.connect)
        shown.append(await tokens.make("read"))
        await after(guarded, 11)
        (tenant,) = guarded.app[DOOR]._tenants
        await until(lambda: tenant.lease.identity.expires_at is None, "the fresh token")
        await after(guarded, 60)
        await guarded.call("task_create", title="still here")
        await until(lambda: recorder.calls, "the event")
        assert modes == ["websocket"]


async def test_a_function_that_raises_is_an_error_of_authentication(guarded: RunningServer) -> None:
    """The reason is its cause; nothing is sent."""

    def no_token() -> str:
        raise OSError("no agent")

    client = TaskCopilotClient(guarded.url, token=no_token)
    with pytest.raises(AuthenticationError, match="OSError") as caught:
        await asyncio.to_thread(client.head)
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX-Other: 1", "\u00e9"])
def test_what_can_be_no_token_is_refused_and_not_repeated(token: str) -> None:
    """A header holds one line; the error does not hold the token."""
    with pytest.raises(ValueError, match=r"^token: expected printable ASCII without spaces$"):
        TaskCopilotClient(token=token)


async def test_the_client_logs_no_token(guarded: RunningServer, caplog: pytest.LogCaptureFixture) -> None:
    """A4: at the level debug of all libraries, refused as it is by both transports."""
    caplog.set_level(logging.DEBUG)
    async with client_of(guarded, token=CANARY) as client:
        assert not await asyncio.to_thread(client.connect)
        assert "canary" not in str(client.refusal)
    assert caplog.messages
    assert not [line for line in caplog.messages if "canary" in line]
