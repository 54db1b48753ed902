"""kill -9 at any moment, also in the middle of a commit: the log rule holds after every restart."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.crowd import Crowd, crowd, free_port, log_of
from tests.helpers.processes import Running, bridge, environment, run
from tests.helpers.strace import SYNC, WRITE, injecting, require_strace
from tests.helpers.waiting import DEADLINE, wait_until

pytestmark = pytest.mark.timeout(180)  # seconds of starting again and again, on machines that are shared

FULL_SEEDS = [pytest.param(seed, marks=pytest.mark.full) for seed in range(2, 7)]

POINTS = [(SYNC, 1), (SYNC, 4), (WRITE, 9)]
"""Where the fast profile kills: at the sync of the first commit, of a later one, and between two writes of the WAL."""

FULL_POINTS = [
    pytest.param(call, count, marks=pytest.mark.full)
    for call in (SYNC, WRITE)
    for count in range(1, 21)
    if (call, count) not in POINTS
]


@pytest.mark.parametrize("seed", [1, *FULL_SEEDS])
def test_the_log_rule_survives_kills_at_random_moments(
    tmp_path: Path, seed: int, size: Callable[[int, int], int], say: Callable[[str], None]
) -> None:
    """Sixty kills at full size, 30 to 300 ms after the server was ready; the epoch stays what it was."""
    chance = random.Random(seed)
    where = ("--db", "tasks.db", "--port", str(free_port()))
    kills = size(5, 10)
    epochs, starts = set(), []

    def live(ready: dict[str, Any], process: Running, people: Crowd) -> None:
        epochs.add(ready["epoch"])
        people.is_up.set()
        survive_for(process, chance.uniform(0.03, 0.3))
        people.is_up.clear()
        process.popen.kill()
        process.wait()

    with bridge(tmp_path, *where) as (first, facts), crowd(facts["url"]) as people:
        live(facts, first, people)
        for _ in range(kills - 1):
            began = time.monotonic()
            with bridge(tmp_path, *where) as (process, ready):
                starts.append(time.monotonic() - began)
                live(ready, process, people)
        with bridge(tmp_path, *where) as (_, last):
            people.is_up.set()
            people.stop()
            epochs.add(last["epoch"])
            people.check_log_rule(tmp_path / "tasks.db")
    assert len(epochs) == 1
    assert people.acknowledged
    assert not people.refused
    assert max(starts) < 20
    say(
        f"{kills} kills: {len(people.acknowledged)} acknowledged, {people.lost} answers lost, "
        f"ready again after {sorted(starts)[len(starts) // 2]:.2f} s (median), {max(starts):.2f} s (longest)"
    )


@pytest.mark.parametrize(("call", "count"), [*POINTS, *FULL_POINTS])
def test_the_log_rule_survives_a_kill_inside_a_commit(tmp_path: Path, call: str, count: int) -> None:
    """Killed as it enters the n-th write or sync of the WAL: whole or not there, and told apart by the key."""
    require_strace()
    where = ("--db", "tasks.db", "--port", str(free_port()))
    with bridge(tmp_path, *where) as (process, ready), crowd(ready["url"]) as people:
        wait_until(lambda: people.acknowledged)
        with injecting(process.pid, call, f"signal=KILL:when={count}"):
            assert process.wait() == -9
        people.is_up.clear()
        with bridge(tmp_path, *where) as (_, again):
            assert again["epoch"] == ready["epoch"]
            before = len(people.acknowledged)
            people.is_up.set()
            wait_until(lambda: len(people.acknowledged) > before + 10)
            people.stop()
            people.check_log_rule(tmp_path / "tasks.db")


@pytest.mark.parametrize("count", [2, 23, *(pytest.param(n, marks=pytest.mark.full) for n in range(1, 23) if n != 2)])
def test_a_first_start_that_was_killed_is_finished_by_the_next(tmp_path: Path, count: int) -> None:
    """Killed at any sync of making the database and bringing its schema up to date: the next start carries on."""
    require_strace()
    create = [sys.executable, "-m", "taskcopilot", "task", "create", "first", "--db", "tasks.db"]
    strace = ["strace", "-f", "-o", "/dev/null", "-e", f"inject={SYNC}:signal=KILL:when={count}"]
    killed = subprocess.run([*strace, *create], cwd=tmp_path, env=environment(tmp_path), timeout=DEADLINE, check=False)
    assert killed.returncode in {-9, 128 + 9}
    with bridge(tmp_path, "--db", "tasks.db") as (_, ready):
        assert Crowd(ready["url"]).create("second").ok
    assert [data["taskTitle"] for _, _, data in log_of(tmp_path / "tasks.db")][-1] == "second"
    found = run(tmp_path, "doctor", "--db", "tasks.db")
    assert found.returncode == 0, found.stdout + found.stderr


def survive_for(process: Running, seconds: float) -> None:
    """Let the server work for a moment, in which it must not end by itself."""
    with pytest.raises(subprocess.TimeoutExpired):
        process.popen.wait(seconds)
