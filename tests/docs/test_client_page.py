"""Every example of docs/client.md runs, against a real bridge at which agents are at work."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import task_copilot_client
from task_copilot_client import TaskCopilotClient
from tests.helpers.processes import running

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "client.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
README = re.findall(r"```python\n(.*?)```", (ROOT / "client" / "README.md").read_text("utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a bridge in a process of its own."""
    home = tmp_path_factory.mktemp("bridge")
    with running(home, "serve", "--db", "tasks.db", "--port", "0", "--json", LOG_LEVEL="error") as process:
        yield str(json.loads(process.out.next())["url"])


@contextlib.contextmanager
def agents_at_work(url: str) -> Iterator[None]:
    """Create tasks in a stream of their own and complete them, one after the other, until the block ends."""
    stopping = threading.Event()
    worker = TaskCopilotClient(url)

    def work() -> None:
        while not stopping.wait(0.05):
            task = worker.call("task_create", title="t", metadata={"streamId": "Stream-Z", "streamName": "z"})
            for status in ("in_progress", "completed"):
                worker.call("task_update", id=task["id"], status=status)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


@pytest.mark.parametrize("block", BLOCKS + README, ids=lambda block: block.split("\n")[0][:40])
def test_the_example_runs(bridge: str, block: str, caplog: pytest.LogCaptureFixture) -> None:
    """As it stands, but for the address; no callback of it fails."""
    source = block.replace("http://127.0.0.1:9090", bridge).replace("TASK-1", "{task}")
    with TaskCopilotClient(bridge) as client, agents_at_work(bridge):
        task = client.call("task_create", title="mine", metadata={"streamId": "Stream-B"})["id"]
        names: dict[str, Any] = {"client": client, "task": task}
        exec(compile(source.replace("{task}", task), "docs/client.md", "exec"), names)  # noqa: S102 - our own page
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


def test_every_public_name_is_on_the_page() -> None:
    """Methods and attributes of the client, options of its constructor, and what the package exports."""
    public = {name for name in vars(TaskCopilotClient) if not name.startswith("_")}
    options = set(TaskCopilotClient.__init__.__annotations__) - {"return", "clock"}
    wanted = public | options | set(task_copilot_client.__all__) - {"Event", "EventIterator"}
    assert {name for name in wanted if not re.search(rf"\b{name}\b", PAGE)} == set()
