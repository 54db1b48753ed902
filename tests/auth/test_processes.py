"""Tokens across processes: made, shown, revoked and forgotten nowhere but where they belong."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websocket

from tests.helpers.processes import Running, bridge, run
from tests.helpers.waiting import DEADLINE, wait_until

FILE = ("--db", "tasks.db")
AUTH = (*FILE, "--auth", "token")


def token_of(home: Path, *arguments: str) -> str:
    """Make a token as people do."""
    done = run(home, "token", "create", *arguments, *FILE)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def ask(url: str, path: str, token: str | None = None) -> int:
    """Return the status of a GET."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        with urllib.request.urlopen(  # noqa: S310 - ours
            urllib.request.Request(url + path, headers=headers),  # noqa: S310
            timeout=DEADLINE,
        ) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def socket_of(url: str, **options: Any) -> websocket.WebSocket:
    """Open `/ws`."""
    return websocket.create_connection(f"ws{url[4:]}/ws", timeout=DEADLINE, suppress_origin=True, **options)


def end_of(talk: websocket.WebSocket) -> int:
    """Read up to the close, and return its code."""
    while True:
        opcode, data = talk.recv_data(control_frame=True)
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return int.from_bytes(data[:2], "big")


def test_a_token_that_another_process_revokes_is_worth_nothing_anywhere(tmp_path: Path, say) -> None:
    """A9, A10: the socket ends with 4401 within seconds, requests are refused, and a restart does not forget."""
    with bridge(tmp_path, *AUTH) as (_, ready):
        token, other = token_of(tmp_path), token_of(tmp_path)
        talk = socket_of(ready["url"], header={"Authorization": f"Bearer {token}"})
        assert ask(ready["url"], "/api/tasks", token) == 200
        began = time.monotonic()
        assert run(tmp_path, "token", "revoke", token.split("_")[1], *FILE).returncode == 0
        assert end_of(talk) == 4401
        say(f"revoked by another process: closed after {time.monotonic() - began:.1f} s, its start included")
        talk.shutdown()
        assert [ask(ready["url"], "/api/tasks", each) for each in (token, other)] == [401, 200]
    with bridge(tmp_path, *AUTH) as (_, ready):
        assert [ask(ready["url"], "/api/tasks", each) for each in (token, other)] == [401, 200]
    listed = {each["id"]: each for each in json.loads(run(tmp_path, "token", "list", "--json", *FILE).stdout)}
    assert listed[token.split("_")[1]]["revokedAt"]
    assert not listed[other.split("_")[1]]["revokedAt"]


def test_a_token_that_was_made_a_moment_ago_is_good_at_once(tmp_path: Path) -> None:
    """A10: by another process, while the bridge runs; with its scopes, its topics and its end."""
    with bridge(tmp_path, *AUTH) as (_, ready):
        assert ask(ready["url"], "/api/tasks") == 401
        assert ask(ready["url"], "/api/tasks", token_of(tmp_path)) == 200
        assert ask(ready["url"], "/api/tasks", token_of(tmp_path, "--scopes", "write")) == 403
        small = token_of(tmp_path, "--topics", "stream:A", "--expires", "2s")
        assert ask(ready["url"], "/metrics", small) == 403
        assert ask(ready["url"], "/api/tasks", small) in (200, 401)
        wait_until(lambda: ask(ready["url"], "/api/tasks", small) == 401, "its end")


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("--scopes", "everything"), "--scopes"),
        (("--topics", "nonsense"), "topics"),
        (("--expires", "soon"), "--expires"),
    ],
)
def test_a_token_that_cannot_be_is_not_made(tmp_path: Path, arguments: tuple[str, ...], field: str) -> None:
    """A6, A7: the option is named, and nothing is stored."""
    done = run(tmp_path, "token", "create", *arguments, *FILE, "--json")
    assert done.returncode == 2
    assert field in done.stderr
    assert json.loads(run(tmp_path, "token", "list", "--json", *FILE).stdout) == []


@pytest.fixture
def process_lists() -> Iterator[set[str]]:
    """Command lines of all processes, looked at over and over while the test runs."""
    seen: set[str] = set()
    stopping = threading.Event()

    def look() -> None:
        while not stopping.wait(0.02):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(file.read_bytes().decode(errors="replace"))
                except OSError:
                    continue  # it has ended

    thread = threading.Thread(target=look)
    thread.start()
    yield seen
    stopping.set()
    thread.join()


def show_everywhere(url: str, token: str) -> None:
    """Show a token in every way there is, and in those that there are not."""
    for path in ("/api/tasks", "/metrics", "/nowhere", f"/api/tasks?token={token}", f"/ws?access_token={token}"):
        ask(url, path, token)
    shown: list[dict[str, Any]] = [
        {"header": {"Authorization": f"Bearer {token}"}},
        {"header": {"Authorization": f"Basic {token}"}},
        {"subprotocols": ["taskcopilot", f"bearer.{token}"]},
        {"subprotocols": [f"bearer.{token}", "other"]},
    ]
    for options in shown:
        try:
            socket_of(url, **options).shutdown()
        except (websocket.WebSocketException, OSError):
            continue
    talk = socket_of(url)
    for message in (
        {"type": "auth", "payload": {"token": token}},
        {"type": "auth", "payload": {"token": [token]}},
        {"type": token},
        {"type": "subscribe", "payload": {"topics": [f"task:{token}"]}},
        token,
    ):
        talk.send(json.dumps(message))
        talk.recv()
    talk.shutdown()


def _logged(server: Running) -> str:
    server.stop()
    return server.out.text() + server.err.text()


def test_no_token_is_in_a_log_a_file_or_a_process_list(tmp_path: Path, process_lists: set[str]) -> None:
    """A4: at the level debug, good ones and bad ones; the database keeps a hash."""
    with bridge(tmp_path, *AUTH, LOG_LEVEL="debug") as (server, ready):
        good = token_of(tmp_path, "--scopes", "read,write,admin")
        for token in (good, f"tcb_{'a' * 10}_canary{'A' * 37}", "canary.canary.canary"):
            show_everywhere(ready["url"], token)
        log = _logged(server)
    assert "a client connects" in log
    kept = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert good[4:14].encode() in kept
    seen = list(process_lists)
    assert [line for line in seen if "taskcopilot\0token\0create" in line]
    for text in (good[15:], "canary"):
        assert text not in log
        assert text.encode() not in kept
        assert not [line for line in seen if text in line]
