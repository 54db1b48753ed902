"""A wall clock that jumps, as after a sleep, a bad battery or a correction: order, pings and cursors do not care."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.crowd import crowd
from tests.helpers.peer import Peer
from tests.helpers.processes import bridge

FAST = ("+0", "@1970-01-01 00:00:10", "+3600")
FULL = ("+0", "+3600", "-7200", "+86400", "@1970-01-01 00:00:10", "+0")
Jumps = tuple[str, ...]
PING = 1.5
"""Seconds; a client that is not heard of for twice as long is cut off, and the machines are shared."""


def faked_clock(file: Path) -> dict[str, str]:
    """Return the environment of a process whose wall clock is what the file says; skip where that cannot be had."""
    libraries = [*Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), *Path("/usr/lib/faketime").glob("*MT.so.1")]
    if not libraries:
        pytest.skip("libfaketime is not installed")
    return {
        "LD_PRELOAD": str(libraries[0]),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


def test_jumps_of_the_clock_change_nothing_but_time_stamps(
    tmp_path: Path, size: Callable[[Jumps, Jumps], Jumps], say: Callable[[str], None]
) -> None:
    """D1, C3, D8: seq decides the order, a ping comes at every interval and not faster, nobody is cut off."""
    clock, jumps = tmp_path / "clock", size(FAST, FULL)
    clock.write_text(jumps[0])
    options = ("--db", "tasks.db", "--ping-interval", str(PING), "--sweep-interval", "0.2")
    with (
        bridge(tmp_path, *options, **faked_clock(clock)) as (process, ready),
        crowd(ready["url"], publishers=0) as people,
        Peer(ready["url"]) as peer,
    ):
        peer.subscribe("*")
        began, pings = time.monotonic(), 0
        for number, jump in enumerate(jumps, 1):
            clock.write_text(jump)
            people.acknowledged[str(number)] = people.create(str(number)).json()
            pings += pings_until(peer, number)
        seconds = time.monotonic() - began
        people.check_log_rule(tmp_path / "tasks.db")
        assert peer.seqs == list(range(1, len(jumps) + 1))
        process.stop()
        assert "Traceback" not in process.err.text()
        assert "WARNING" not in process.err.text()
    stamps = [answer["createdAt"] for answer in people.acknowledged.values()]
    assert stamps != sorted(stamps)
    assert min(stamps).startswith("1970-01-01T00:00:")
    assert pings <= seconds / PING + 1
    say(
        f"{len(jumps) - 1} jumps of the clock between {min(stamps)} and {max(stamps)}: {pings} pings in {seconds:.1f} s"
    )


def pings_until(peer: Peer, seq: int) -> int:
    """Read, and answer pings, up to the first ping that says that the event was delivered; return how many came."""
    pings = 0
    for message in peer.messages():
        if message["type"] == "ping":
            pings += 1
            peer.send({"type": "pong"})
            if message["payload"]["seq"] == seq:
                assert peer.seqs[-1] == seq
                return pings
    raise AssertionError(f"cut off with {peer.close_code}")
