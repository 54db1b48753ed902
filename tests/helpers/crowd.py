"""Publishers with idempotency keys, a listener, and the rule that binds both to the log, whatever happens."""

from __future__ import annotations

import contextlib
import json
import socket
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from task_copilot_client import TaskCopilotClient
from tests.helpers.processes import run
from tests.helpers.waiting import DEADLINE, wait_until

__all__ = ["Crowd", "crowd", "free_port", "log_of"]

Row = tuple[str, str, Any]


class Crowd:
    """Threads that create tasks, each with a key of its own, and repeat the call until it is acknowledged."""

    def __init__(self, url: str, publishers: int = 3) -> None:
        self.url = url
        self.heard: list[Row] = []
        """(topic, type, data) of what the listener got, in its order."""
        self.gaps: list[tuple[int, int]] = []
        self.acknowledged: dict[str, Any] = {}
        """The answer to each key."""
        self.refused: list[tuple[int, str]] = []
        """(status, code) of every answer that was an error."""
        self.lost = 0
        """Calls to which no answer came."""
        self.given_up: set[str] = set()
        """Keys whose calls may have been carried out or not."""
        self.is_up = threading.Event()
        """Set while calls make sense; who kills the server clears it."""
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._publish, args=(number,)) for number in range(publishers)]

    def start(self) -> None:
        """Let them work as soon as the server is up."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the publishers; calls under way end first. Idempotent."""
        self._stopping.set()
        self.is_up.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def create(self, key: str, session: requests.Session | None = None) -> requests.Response:
        """Create the task of a key, for the first time or again."""
        post = requests.post if session is None else session.post
        return post(f"{self.url}/api/tools/task_create", json={"title": key, "idempotencyKey": key}, timeout=DEADLINE)

    def _publish(self, number: int) -> None:
        with requests.Session() as session:
            count = 0
            while not self._stopping.is_set():
                key = f"{number}-{count}"
                if self._insist(key, session):
                    count += 1
                else:
                    self.given_up.add(key)

    def _insist(self, key: str, session: requests.Session) -> bool:
        while not self._stopping.is_set():
            self.is_up.wait(DEADLINE)
            try:
                answer = self.create(key, session)
            except requests.RequestException:
                self.lost += 1
                continue
            if answer.ok:
                self.acknowledged[key] = answer.json()
                return True
            self.refused.append((answer.status_code, answer.json()["code"]))
        return False

    def check_log_rule(self, database: Path) -> None:
        """What was acknowledged is in the log, once and as it was answered; what is in the log was asked for; the
        numbers have no hole; a repeated call answers as before and adds nothing; the listener got all, once, in order.

        The server must be up, and the publishers stopped.
        """
        rows = log_of(database)
        tasks = {data["taskTitle"]: data["taskId"] for _, _, data in rows}
        assert len(tasks) == len(rows), "a key was carried out twice"
        for key, answer in self.acknowledged.items():
            assert tasks[key] == answer["id"], key
        assert set(tasks) <= set(self.acknowledged) | self.given_up
        for key in list(self.acknowledged)[-20:]:
            assert self.create(key).json() == self.acknowledged[key]
        assert len(log_of(database)) == len(rows)
        wait_until(lambda: len(self.heard) >= len(rows))
        assert self.heard == rows
        assert self.gaps == []
        found = run(database.parent, "doctor", "--db", str(database))
        assert found.returncode == 0, found.stdout + found.stderr


@contextlib.contextmanager
def crowd(url: str, publishers: int = 3) -> Iterator[Crowd]:
    """Publish and listen while the block runs; the server must answer when it begins."""
    people = Crowd(url, publishers)
    with TaskCopilotClient(url, max_backoff=0.2, probe_interval=0.1) as client:
        client.on_gap(lambda first, last: people.gaps.append((first, last)))
        client.subscribe(["*"], lambda topic, kind, data: people.heard.append((topic, kind, data)), since=0)
        people.start()
        try:
            people.is_up.set()
            yield people
        finally:
            people.stop()


def log_of(database: Path) -> list[Row]:
    """Return (topic, type, data) of all events, in order; their numbers have no hole."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT seq, topic, type, data FROM events ORDER BY seq").fetchall()
        (head,) = connection.execute("SELECT head FROM log_state").fetchone()
    assert [row[0] for row in rows] == list(range(1, head + 1)), "the log has a hole"
    return [(topic, kind, json.loads(data)) for _, topic, kind, data in rows]


def free_port() -> int:
    """Return a port that nobody holds now, for a server that has to come back on it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
