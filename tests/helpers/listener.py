"""The real client in a process of its own, which tells what it hears."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from task_copilot_client import TaskCopilotClient
from tests.helpers.processes import ROOT, Running, running


def main(url: str, options: str) -> None:
    """Follow a bridge until standard input ends; a line for every title and every change of the mode."""
    client = TaskCopilotClient(url, **json.loads(options))
    lock = threading.Lock()

    def tell(**what: Any) -> None:
        with lock:
            print(json.dumps(what), flush=True)  # noqa: T201

    client.on_state(lambda mode: tell(mode=mode))
    with client:
        client.subscribe(["task:*"], lambda _topic, _kind, data: tell(title=data["taskTitle"]))
        tell(subscribed=True)
        sys.stdin.read()


class Listener:
    """A client process, and what it has told so far."""

    def __init__(self, process: Running) -> None:
        self.process = process
        self.modes: list[str] = []
        self.is_subscribed = False
        self._titles: list[str] = []

    def titles(self, count: int) -> list[str]:
        """Return the titles of all events so far, in the order of the callbacks, once there are so many."""
        while len(self._titles) < count:
            self.hear()
        return self._titles

    def hear(self) -> None:
        """Wait for one line and take it."""
        told = json.loads(self.process.out.next())
        if "title" in told:
            self._titles.append(told["title"])
        elif "mode" in told:
            self.modes.append(told["mode"])
        else:
            self.is_subscribed = True

    def wait_for_mode(self, mode: str) -> None:
        """Take what it tells until it is in that mode."""
        while self.modes[-1:] != [mode]:
            self.hear()


@contextlib.contextmanager
def listening(home: Path, url: str, **options: Any) -> Iterator[Listener]:
    """Run a client of all tasks; it is subscribed when the block begins. `options` are those of the client."""
    code = f"import sys; from {__name__} import main; main(*sys.argv[1:])"
    with running(home, url, json.dumps(options), code=code, PYTHONPATH=f"{ROOT}:{ROOT / 'client'}") as process:
        listener = Listener(process)
        while not listener.is_subscribed:
            listener.hear()
        yield listener


def numbers(last: int) -> list[str]:
    """Return the titles of events 1 to `last` of a Writer."""
    return [str(number) for number in range(1, last + 1)]
