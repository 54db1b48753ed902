"""Calling tools over HTTP."""

from __future__ import annotations

import math
from typing import Any

import pytest

from task_copilot_client import TaskCopilotClient, ToolError, UnreachableError
from tests.client.fake_bridge import FakeBridge


def test_a_tool_is_called_with_its_arguments(bridge: FakeBridge) -> None:
    """H3: without a connect, with names that are keywords here."""
    answer = TaskCopilotClient(bridge.url).call("task_create", title="ä ✓", tool="x", self=1)
    assert answer == {"tool": "task_create", "arguments": {"title": "ä ✓", "tool": "x", "self": 1}}


def test_a_refusal_carries_code_status_field_and_details(bridge: FakeBridge) -> None:
    """H4: what the problem says, as fields."""
    with pytest.raises(ToolError, match="CLAIMED: taken") as caught:
        TaskCopilotClient(bridge.url).call("refuse")
    error = caught.value
    assert (error.code, error.status, error.field, error.message) == ("CLAIMED", 409, "id", "taken")
    assert error.details == {"holder": "qa"}


def test_a_refusal_that_is_no_problem_is_an_error_all_the_same(bridge: FakeBridge) -> None:
    """What a proxy answers is told by its status."""
    with pytest.raises(ToolError) as caught:
        TaskCopilotClient(bridge.url).call("html")
    assert (caught.value.code, caught.value.status) == ("HTTP_502", 502)


def test_an_answer_that_is_no_object_is_none(bridge: FakeBridge) -> None:
    """No bridge says that."""
    with pytest.raises(UnreachableError):
        TaskCopilotClient(bridge.url).call("list")


def test_nobody_there_is_an_unreachable_error(bridge: FakeBridge) -> None:
    """Which is a ConnectionError too."""
    bridge.stop()
    with pytest.raises(ConnectionError):
        TaskCopilotClient(bridge.url).call("task_get", id="1")


@pytest.mark.parametrize(("value", "error"), [(math.nan, ValueError), ({1}, TypeError)])
def test_arguments_that_json_cannot_hold_are_not_sent(bridge: FakeBridge, value: Any, error: type[Exception]) -> None:
    """The mistake is told where it is made."""
    with pytest.raises(error):
        TaskCopilotClient(bridge.url).call("task_create", title=value)
    assert bridge.requests == []


def test_a_local_bridge_is_reached_past_a_proxy(bridge: FakeBridge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over both transports, whatever the environment says."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9" if "no" not in name.lower() else "example.com")
    with TaskCopilotClient(bridge.url) as client:
        assert client.mode == "websocket"
        assert client.call("x") == {"tool": "x", "arguments": {}}
