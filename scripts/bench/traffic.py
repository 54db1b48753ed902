"""What following an orchestration costs on the wire: pushed over a WebSocket, or polled in several ways."""

from __future__ import annotations

import argparse
import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import requests

from bench import report
from bench.bridge import serving
from bench.processes import scratch
from bench.rehearsal import NOTES, STREAMS, TASK_SECONDS, TASKS, planned, timetable
from bench.relay import relaying
from bench.result import Plan, Result, Row, at_least
from task_copilot_client import TaskCopilotClient

__all__ = ["run"]

SPEED: Final = 20.0
"""How much faster than a clock everything runs: work, polls and pings alike, so bytes a minute stay what they are."""

PING: Final = 30.0
"""Seconds between two pings of the server, by default."""

_EVERYTHING: Final = ("stream:*", "task:*")
_FULL: Final = "the state of all streams every {:g} s, as the original client asked"
_PUSHED: Final = "WebSocket, stream:* and task:*"
_LEAN: Final = "WebSocket, stream:* only"
_LOG: Final = "the log every {:g} s"
_REGION: Final = f"""\
One orchestration of {len(STREAMS)} streams with {TASKS} tasks each: in each stream an agent starts a task, writes
{NOTES} notes and completes it, {TASK_SECONDS:g} seconds a task. `taskcopilot serve` as it is; each way of following it
goes through a relay of its own that counts the bytes in both directions, handshakes and pings included, TCP and IP
headers not. All ways follow the same run at the same time, {{clients}} clients each; numbers are KB (1,000 bytes) a
minute and client, for all streams together. The clock runs {SPEED:g} times as fast for the work, the polls and the
pings alike."""

Follow = Callable[[str, threading.Event], contextlib.AbstractContextManager[None]]


@dataclass(frozen=True)
class Way:
    """A way to follow: what it is, and how one client does it until it is told to stop."""

    name: str
    follow: Follow


def run(plan: Plan) -> Result:
    """Measure all ways at once, on one run of ten minutes (quick: one)."""
    minutes, clients = plan.size(1, 10), plan.size(1, 3)
    runs: dict[str, list[float]] = {}
    for _ in range(plan.size(1, 3)):
        for name, count in _round(minutes * 60.0, clients).items():
            runs.setdefault(name, []).append(count / clients / minutes / 1000)
    rows = [Row(name, "KB/min", values) for name, values in runs.items()]
    found = {row.what: row.median for row in rows}
    claims = [
        at_least(f"{name} saves 95 % of {baseline}", 100 * (1 - found[name] / found[baseline]), 95, "%")
        for name in (_PUSHED, _LEAN)
        for baseline in (_FULL.format(30), _FULL.format(2))
    ]
    return Result("traffic", "Traffic", _REGION.format(clients=clients), rows, claims)


def _round(seconds: float, clients: int) -> dict[str, int]:
    """Return the bytes of each way."""
    with scratch() as directory, contextlib.ExitStack() as stack:
        relays = {way.name: stack.enter_context(relaying()) for way in _ways()}
        hosts = ",".join(f"127.0.0.1:{relay.port}" for relay in relays.values())
        options = ("--ping-interval", str(PING / SPEED), "--allow-hosts", hosts)
        bridge = stack.enter_context(serving(directory / "tasks.db", *options))
        worker = TaskCopilotClient(f"http://127.0.0.1:{bridge.port}")
        ids = [worker.call("task_create", **arguments)["id"] for arguments in planned()]
        stopping = threading.Event()
        for way in _ways():
            relays[way.name].target = bridge.port
            for _ in range(clients):
                stack.enter_context(way.follow(f"http://127.0.0.1:{relays[way.name].port}", stopping))
        _work(worker, ids, seconds)
        counts = {name: relay.bytes for name, relay in relays.items()}
        stopping.set()
        return counts


def _work(worker: TaskCopilotClient, ids: Sequence[str], seconds: float) -> None:
    """Do what the timetable says, in time, and wait for its end."""
    began = time.monotonic()
    for step in timetable(seconds):
        _wait_until(began + step.at / SPEED)
        worker.call("task_update", id=ids[step.task], **step.arguments)
    _wait_until(began + seconds / SPEED)


def _wait_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


def _ways() -> list[Way]:
    return [
        Way(_PUSHED, _client(_EVERYTHING, use_websocket=True, every=30)),
        Way(_LEAN, _client(("stream:*",), use_websocket=True, every=30)),
        Way(_LOG.format(30), _client(_EVERYTHING, use_websocket=False, every=30)),
        Way(_LOG.format(2), _client(_EVERYTHING, use_websocket=False, every=2)),
        Way(_LOG.format(2) + ", If-None-Match on one connection", _thread(_poll_tagged, 2)),
        Way(_FULL.format(30), _thread(_poll_state, 30)),
        Way(_FULL.format(2), _thread(_poll_state, 2)),
    ]


def _client(topics: Sequence[str], *, use_websocket: bool, every: float) -> Follow:
    @contextlib.contextmanager
    def follow(url: str, _: threading.Event) -> Iterator[None]:
        client = TaskCopilotClient(
            url, use_websocket=use_websocket, poll_interval=every / SPEED, ping_interval=PING / SPEED
        )
        with client:
            client.subscribe(topics, lambda *_: None)
            yield

    return follow


def _thread(poll: Callable[[str, Callable[[], bool]], None], every: float) -> Follow:
    @contextlib.contextmanager
    def follow(url: str, stopping: threading.Event) -> Iterator[None]:
        thread = threading.Thread(target=poll, args=(url, lambda: stopping.wait(every / SPEED)))
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join()

    return follow


def _poll_state(url: str, is_over: Callable[[], bool]) -> None:
    """Ask for the list of streams and for each stream, a connection each: a cycle of the original's fallback."""
    while not is_over():
        for stream in _get(f"{url}/api/streams").json()["streams"]:
            _get(f"{url}/api/streams/{stream['streamId']}")


def _get(url: str) -> requests.Response:
    return requests.get(url, timeout=20)


def _poll_tagged(url: str, is_over: Callable[[], bool]) -> None:
    """Ask for what is new in the log, on one connection; an answer that is known already has no body."""
    with requests.Session() as session:
        query: dict[str, Any] = {"since": _get(f"{url}/api/events?limit=1").json()["head"], "topics": _EVERYTHING}
        tag = ""
        while not is_over():
            answer = session.get(f"{url}/api/events", params=query, headers={"If-None-Match": tag}, timeout=20)
            tag = answer.headers["ETag"]
            if answer.ok and answer.content:
                query["since"] = answer.json()["next"]


def main() -> None:
    """Measure this alone: `python -m bench.traffic`; docs/traffic.md says what it found."""
    parser = argparse.ArgumentParser(prog="bench.traffic", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one minute and once: shows that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers of every repetition")
    options = parser.parse_args()
    result = run(Plan(options.quick))
    report.show(result)
    if options.json:
        options.json.write_text(json.dumps(result.as_json(), indent=1), "utf-8")


if __name__ == "__main__":
    main()
