"""Recorded invocations: the trigger keeps the metrics, the windows decay, and the unusual is noticed."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskcopilot.clock import iso
from taskcopilot.errors import InvalidArgumentError
from taskcopilot.services.skills.recording import Invocation, SkillRecorder, decay, has_decayed, record
from taskcopilot.services.skills.sources import OwnSkills
from taskcopilot.store.migrations import migrate
from taskcopilot.store.transaction import Surroundings, Tx
from taskcopilot.workspace import Workspace
from tests.helpers.bridge import Core, core
from tests.helpers.clock import FakeClock
from tests.helpers.work import rows

NOW = "2026-01-08T12:00:00.000Z"
HOUR, DAY = 3600, 86_400

steps = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.5, 60, HOUR - 1, HOUR, HOUR + 1, DAY - HOUR, DAY, DAY + HOUR, -90, -DAY]),
        st.sampled_from(["build", "test"]),
        st.booleans(),
        st.sampled_from([0.0, 1, HOUR - 1, HOUR, DAY, DAY + HOUR, 3 * DAY]),
    ),
    max_size=25,
)


class Memory:
    """A database in memory with the skills' tables, on a clock that a test moves."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.row_factory = sqlite3.Row
        migrate(self.connection, self.clock)
        self.surroundings = Surroundings(self.clock, Workspace.at(Path("/nowhere/tasks.db")))

    def tx(self) -> Tx:
        """Begin a unit of work, now."""
        return Tx(self.connection, self.surroundings)

    def counters(self, skill: str) -> list[Any]:
        """Return counts and completed counts of the three windows, and the rate of the day."""
        row = self.connection.execute("SELECT * FROM skill_metrics_cache WHERE skill_name = ?", (skill,)).fetchone()
        names = [f"{name}_count_{window}" for window in ("1h", "24h", "25h") for name in ("invocation", "completed")]
        return [row[name] for name in (*names, "avg_completion_rate_24h")]


def counted(done: list[tuple[datetime, bool]], now: datetime) -> list[Any]:
    """Count invocations the slow way."""
    found: list[Any] = []
    for hours in (1, 24, 25):
        inside = [completed for at, completed in done if iso(at) > iso(now - timedelta(hours=hours))]
        found += [len(inside), sum(inside)]
    return [*found, 100 * found[3] / found[2] if found[2] else None]


@settings(deadline=None, max_examples=60)
@given(steps)
def test_the_counters_are_those_of_their_windows_at_any_time(done: list[tuple[float, str, bool, float]]) -> None:
    """Whatever was recorded late, however long nothing was, and when the clock is set back, too."""
    memory = Memory()
    history: dict[str, list[tuple[datetime, bool]]] = {}
    for wait, skill, completed, age in done:
        memory.clock._now += timedelta(seconds=wait)
        at = memory.clock.now() - timedelta(seconds=age)
        record(memory.tx(), Invocation(skill_name=skill, completed=completed, invoked_at=at.isoformat()))
        history.setdefault(skill, []).append((at, completed))
        for name, past in history.items():
            assert memory.counters(name) == counted(past, memory.clock.now())
        assert not has_decayed(memory.tx())
    times = [at for past in history.values() for at, _ in past]
    memory.clock._now = max(times, default=memory.clock.now()) + timedelta(seconds=DAY + HOUR)
    decay(memory.tx())
    for name in history:
        assert memory.counters(name) == [0, 0, 0, 0, 0, 0, None]
    memory.connection.close()


async def use(bridge: Core, skill: str, *completed: bool, **more: Any) -> dict[str, Any]:
    """Record invocations of a skill; return the last answer."""
    answer: dict[str, Any] = {}
    for outcome in completed:
        answer = await bridge.call("skill_record", skillName=skill, completed=outcome, **more)
    return answer


async def anomalies(bridge: Core) -> list[tuple[Any, ...]]:
    """Return the anomalies: type, baseline, observed value, score to one digit, resolution."""
    return await rows(
        bridge,
        "SELECT anomaly_type, baseline_value, observed_value, round(deviation_score, 1), resolved_at"
        " FROM skill_anomalies ORDER BY id",
    )


async def test_the_trigger_keeps_totals_rates_and_averages(tmp_path: Path) -> None:
    """Rates in percent; an invocation without a duration does not count for the average."""
    async with core(tmp_path) as bridge:
        assert (await use(bridge, "build", True))["avgDurationSeconds"] is None
        await use(bridge, "build", True, durationSeconds=4)
        answer = await use(bridge, "build", False, durationSeconds=1, errorType="timeout", sessionId="s")
        assert answer == {
            "skillName": "build",
            "lastInvocationAt": NOW,
            "invocationCount1h": 3,
            "invocationCount24h": 3,
            "avgCompletionRate24h": pytest.approx(200 / 3),
            "isAnomalous": False,
            "anomalyScore": None,
            "totalInvocations": 3,
            "completionRate": pytest.approx(200 / 3),
            "avgDurationSeconds": 2.5,
        }
        assert await rows(bridge, "SELECT error_type, session_id, completed FROM skill_invocation WHERE id = 3") == [
            ("timeout", "s", 0)
        ]


async def test_the_hour_and_the_day_go_by(tmp_path: Path) -> None:
    """The total stays, the counters of the windows do not."""
    async with core(tmp_path) as bridge:
        await use(bridge, "build", True, True)
        bridge.clock.advance(HOUR - 1)
        assert (await use(bridge, "build", True))["invocationCount1h"] == 3
        bridge.clock.advance(1)
        answer = await use(bridge, "build", True)
        assert (answer["invocationCount1h"], answer["invocationCount24h"]) == (2, 4)
        bridge.clock.advance(DAY)
        answer = await use(bridge, "build", False)
        assert (answer["invocationCount24h"], answer["totalInvocations"]) == (1, 5)
        assert answer["avgCompletionRate24h"] == 0


async def test_an_anomaly_is_noticed_grows_and_is_over(tmp_path: Path) -> None:
    """One row for as long as it goes on; it is over when the hour is as usual, or says too little, without a record."""
    async with core(tmp_path) as bridge:
        await use(bridge, "build", *[True] * 9, False)
        bridge.clock.advance(2 * HOUR)
        assert not (await use(bridge, "build", False))["isAnomalous"]
        answer = await use(bridge, "build", False)
        assert (answer["isAnomalous"], answer["anomalyScore"]) == (True, pytest.approx(3.0))
        await use(bridge, "build", False)
        assert await anomalies(bridge) == [("drop", 90, 0, 3, None)]
        bridge.clock.advance(HOUR + 1)
        source = OwnSkills(bridge.database, bridge.recorder)
        snapshot = await source.read({"build"})
        assert snapshot.anomalies == []
        ((_, _, _, _, resolved),) = await anomalies(bridge)
        assert resolved == "2026-01-08T15:00:01.000Z"
        assert await rows(bridge, "SELECT is_anomalous, anomaly_score FROM skill_metrics_cache") == [(0, None)]


async def test_a_drop_that_becomes_a_spike_is_another_anomaly(tmp_path: Path) -> None:
    """The first one is resolved when the second begins."""
    async with core(tmp_path) as bridge:
        await use(bridge, "build", *[True] * 40)
        bridge.clock.advance(2 * HOUR)
        await use(bridge, "build", False, False)
        bridge.clock.advance(26 * HOUR - 1)
        await use(bridge, "build", *[False] * 20)
        bridge.clock.advance(2 * HOUR)
        await use(bridge, "build", True, True)
        found = await anomalies(bridge)
        assert [(row[0], row[4] is None) for row in found] == [("drop", False), ("spike", True)]


async def test_skills_are_read_by_their_last_day(tmp_path: Path) -> None:
    """What was used much long ago comes after what is used now; each skill that is asked for is there."""
    async with core(tmp_path) as bridge:
        await use(bridge, "old", *[True] * 12)
        bridge.clock.advance(DAY)
        for number in range(10):
            await use(bridge, f"s{number}", True, True)
        snapshot = await OwnSkills(bridge.database, bridge.recorder).read({"old", "nobody"})
        assert [row["skill_name"] for row in snapshot.top] == [f"s{number}" for number in range(10)]
        assert snapshot.skills == {
            "old": {
                "skill_name": "old",
                "total_invocations": 12,
                "completion_rate": 100,
                "avg_duration_seconds": None,
            }
        }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("skillName", ""),
        ("completed", 1),
        ("durationSeconds", -1),
        ("invokedAt", "noon"),
        ("invokedAt", "2026-01-08T12:00:01Z"),
        ("sessionId", "a\nb"),
    ],
)
async def test_what_is_no_invocation_is_refused(tmp_path: Path, field: str, value: Any) -> None:
    """The error names the field, and nothing was counted."""
    async with core(tmp_path) as bridge:
        with pytest.raises(InvalidArgumentError) as refused:
            await bridge.call("skill_record", **{"skillName": "build", "completed": True, field: value})
        assert refused.value.field == field
        assert await rows(bridge, "SELECT 1 FROM skill_metrics UNION ALL SELECT 1 FROM skill_invocation") == []


async def test_the_recorder_is_the_tool_in_process(tmp_path: Path) -> None:
    """The same checks, the same row; a repetition of the tool with its key counts once."""
    async with core(tmp_path) as bridge:
        recorder = SkillRecorder(bridge.recorder)
        state = await recorder.record("build", completed=True, duration_seconds=2.0, invoked_at="2026-01-08 11:30:00")
        assert (state["total_invocations"], state["last_invocation_at"]) == (1, "2026-01-08T11:30:00.000Z")
        with pytest.raises(InvalidArgumentError) as refused:
            await recorder.record("build", completed=True, duration_seconds=-2.0)
        assert refused.value.field == "duration_seconds"
        for _ in range(2):
            answer = await use(bridge, "build", True, idempotencyKey="once")
        assert answer["totalInvocations"] == 2
        assert bridge.events == []
