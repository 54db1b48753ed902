"""Noticing what other processes commit."""

from __future__ import annotations

from pathlib import Path

from taskcopilot.core import background
from taskcopilot.follower import INTERVAL, LOOKS_AFTER_A_CHANGE, LOOKS_UNTIL_SURE, Follower, WalWatch
from tests.helpers.bridge import core
from tests.helpers.waiting import until
from tests.unit.test_recorder import emit


def test_a_quiet_file_is_left_alone_but_not_for_ever() -> None:
    """After a change it looks some more times, and now and then whatever the file says."""
    watch = WalWatch()
    looks = [watch.is_due((1, 1)) for _ in range(2 * LOOKS_UNTIL_SURE)]
    assert all(looks[: 1 + LOOKS_AFTER_A_CHANGE])
    assert sum(looks) == 1 + LOOKS_AFTER_A_CHANGE + 1


def test_any_change_of_the_file_is_noticed() -> None:
    """Time stamp or size, and also that the file is gone."""
    watch = WalWatch()
    for metadata in ((1, 1), (2, 1), (2, 2), None, (2, 2)):
        while watch.is_due(metadata):
            pass
    assert watch.is_due((3, 2))


async def test_a_foreign_commit_is_published_without_a_commit_of_ours(tmp_path: Path) -> None:
    """Within a look or two of the follower."""
    async with core(tmp_path) as ours, core(tmp_path) as theirs:
        follower = Follower(ours.recorder, ours.database.wal_path, ours.clock)
        async with background(follower.run(), "follower"):
            for number in range(5):
                await theirs.recorder.record(emit(str(number)))

                def told(number: int = number) -> bool:
                    ours.clock.advance(INTERVAL)
                    return len(ours.published) == number + 1

                await until(told)
        assert [event.seq for event in ours.published] == [1, 2, 3, 4, 5]
