"""Claims: of all agents that want a task at once exactly one gets it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest

from taskcopilot.errors import BridgeError, ClaimedError, ConflictError, InvalidArgumentError, NotFoundError
from tests.helpers.bridge import Core, core
from tests.helpers.processes import running
from tests.helpers.work import execute, new_task, rows

NOW = "2026-01-08T12:00:00.000Z"


async def claim(bridge: Core, task: str, agent: str, **arguments: Any) -> dict[str, Any]:
    """Claim a task for an agent and return the answer."""
    return dict(await bridge.call("task_claim", id=task, agent=agent, **arguments))


async def held(bridge: Core) -> list[tuple[Any, ...]]:
    """Return the rows of the claims, expired ones too."""
    return await rows(bridge, "SELECT agent, claimed_at, expires_at FROM task_claims")


class TestClaim:
    async def test_a_free_task_is_claimed_and_assigned(self, tmp_path: Path) -> None:
        """For five minutes; the assignment is an update like any other."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            bridge.forget()
            answer = await claim(bridge, task, "me")
            assert list(answer.items()) == [
                ("id", task),
                ("agent", "me"),
                ("claimedAt", NOW),
                ("leaseExpiresAt", "2026-01-08T12:05:00.000Z"),
                ("renewed", False),
            ]
            ((topic, kind, data),) = bridge.events
            assert (topic, kind, data["assignedAgent"]) == (f"task:{task}", "task.updated", "me")
            assert data["changes"] == [{"field": "assignedAgent", "oldValue": None, "newValue": "me"}]
            assert (await bridge.call("task_get", id=task))["assignedAgent"] == "me"

    async def test_an_agent_that_has_the_task_already_claims_it_silently(self, tmp_path: Path) -> None:
        """Nothing that events tell of has changed."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge, assignedAgent="me")
            bridge.forget()
            await claim(bridge, task, "me")
            assert bridge.events == []

    async def test_while_it_is_held_others_hear_by_whom(self, tmp_path: Path) -> None:
        """A conflict, 409, with the holder and the end of the lease; nothing changes."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            await claim(bridge, task, "me", leaseSeconds=60)
            bridge.forget()
            bridge.clock.advance(59)
            with pytest.raises(ClaimedError, match=r"held by me until 2026-01-08T12:01:00\.000Z") as caught:
                await claim(bridge, task, "qa")
            assert (caught.value.code, caught.value.status, caught.value.field) == ("CLAIMED", 409, "id")
            assert caught.value.details == {"holder": "me", "leaseExpiresAt": "2026-01-08T12:01:00.000Z"}
            assert (bridge.events, await held(bridge)) == ([], [("me", NOW, "2026-01-08T12:01:00.000Z")])

    async def test_a_whole_number_may_be_printed_with_a_point(self, tmp_path: Path) -> None:
        """60.0 is 60 to JSON; 60.5 and what no 64 bits hold are refused by name."""
        async with core(tmp_path) as bridge:
            answer = await claim(bridge, await new_task(bridge), "me", leaseSeconds=60.0)
            assert answer["leaseExpiresAt"] == "2026-01-08T12:01:00.000Z"
            for wrong in (60.5, 1e300, True, "60"):
                with pytest.raises(InvalidArgumentError) as caught:
                    await claim(bridge, await new_task(bridge), "me", leaseSeconds=wrong)
                assert caught.value.field == "leaseSeconds"

    async def test_the_holder_renews_by_claiming_again(self, tmp_path: Path) -> None:
        """From now on, also for a shorter time; since when it holds the task stays."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            await claim(bridge, task, "me")
            bridge.clock.advance(10)
            answer = await claim(bridge, task, "me", leaseSeconds=60)
            assert (answer["renewed"], answer["claimedAt"]) == (True, NOW)
            assert answer["leaseExpiresAt"] == "2026-01-08T12:01:10.000Z"

    async def test_an_expired_lease_is_free_for_all(self, tmp_path: Path) -> None:
        """From the very moment of its end; for its old holder too it is a new claim."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            await claim(bridge, task, "me", leaseSeconds=60)
            bridge.clock.advance(60)
            answer = await claim(bridge, task, "qa", leaseSeconds=1)
            assert (answer["agent"], answer["renewed"]) == ("qa", False)
            bridge.clock.advance(1)
            assert (await claim(bridge, task, "qa"))["renewed"] is False
            outcomes = await rows(bridge, "SELECT agent_id, outcome FROM agent_performance")
            assert outcomes == [("me", "reassigned")]

    @pytest.mark.parametrize("status", ["completed", "cancelled"])
    async def test_a_claim_ends_with_the_task(self, tmp_path: Path, status: str) -> None:
        """A task taken up again is free; one that is over cannot be claimed."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            await claim(bridge, task, "me")
            await bridge.call("task_update", id=task, status=status)
            assert await held(bridge) == []
            with pytest.raises(ConflictError, match=status) as caught:
                await claim(bridge, task, "me")
            assert caught.value.code == "CONFLICT"
            await bridge.call("task_update", id=task, status="pending")
            assert (await claim(bridge, task, "qa"))["renewed"] is False

    @pytest.mark.parametrize("status", ["in_progress", "blocked", "pending"])
    async def test_a_claim_outlives_other_changes_and_does_not_stand_against_them(
        self, tmp_path: Path, status: str
    ) -> None:
        """task_update is open to everybody: claims are between agents that ask."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            await claim(bridge, task, "me")
            await bridge.call("task_update", id=task, status=status, assignedAgent="qa")
            with pytest.raises(ClaimedError, match="held by me"):
                await claim(bridge, task, "qa")

    @pytest.mark.parametrize(
        ("arguments", "error", "field"),
        [
            ({"id": "TASK-none"}, NotFoundError, "id"),
            ({"agent": ""}, InvalidArgumentError, "agent"),
            ({"agent": None}, InvalidArgumentError, "agent"),
            ({"leaseSeconds": 0}, InvalidArgumentError, "leaseSeconds"),
            ({"leaseSeconds": 86_401}, InvalidArgumentError, "leaseSeconds"),
            ({"leaseSeconds": "60"}, InvalidArgumentError, "leaseSeconds"),
            ({"force": True}, InvalidArgumentError, "force"),
        ],
    )
    async def test_what_is_refused_claims_nothing_and_names_its_field(
        self, tmp_path: Path, arguments: dict[str, Any], error: type[BridgeError], field: str
    ) -> None:
        """Promise D6: a failing call delivers nothing; and it writes nothing."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            bridge.forget()
            with pytest.raises(error) as caught:
                await bridge.call("task_claim", **{"id": task, "agent": "me"} | arguments)
            assert caught.value.field == field
            assert (bridge.events, await held(bridge)) == ([], [])

    async def test_an_archived_task_cannot_be_claimed(self, tmp_path: Path) -> None:
        """It has to be unarchived first."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            await execute(bridge, "UPDATE tasks SET archived = 1")
            with pytest.raises(ConflictError, match="archived"):
                await claim(bridge, task, "me")


class TestRelease:
    async def test_the_holder_gives_the_task_back(self, tmp_path: Path) -> None:
        """It is free at once; doing so again does no harm and says so."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            await claim(bridge, task, "me")
            bridge.forget()
            release = {"id": task, "agent": "me"}
            assert await bridge.call("task_release", **release) == {"id": task, "agent": "me", "released": True}
            assert await bridge.call("task_release", **release) == {"id": task, "agent": "me", "released": False}
            assert bridge.events == []
            assert (await claim(bridge, task, "qa"))["agent"] == "qa"

    async def test_nobody_else_can(self, tmp_path: Path) -> None:
        """Until the lease has ended: then there is nothing to give back."""
        async with core(tmp_path) as bridge:
            task = await new_task(bridge)
            await claim(bridge, task, "me", leaseSeconds=60)
            with pytest.raises(ClaimedError, match="held by me") as caught:
                await bridge.call("task_release", id=task, agent="qa")
            assert caught.value.details["holder"] == "me"
            assert len(await held(bridge)) == 1
            bridge.clock.advance(60)
            assert (await bridge.call("task_release", id=task, agent="qa"))["released"] is False
            with pytest.raises(NotFoundError):
                await bridge.call("task_release", id="TASK-none", agent="me")


async def test_of_many_claims_at_once_exactly_one_succeeds(tmp_path: Path) -> None:
    """Over two cores on one file, so that transactions of their own compete too."""
    async with core(tmp_path) as first, core(tmp_path) as second:
        tasks = [await new_task(first, f"t{number}") for number in range(5)]
        attempts = [
            claim(bridge, task, f"{name}-{number}")
            for number in range(20)
            for name, bridge in (("first", first), ("second", second))
            for task in tasks
        ]
        results = await asyncio.gather(*attempts, return_exceptions=True)
        won = {result["id"]: result["agent"] for result in results if isinstance(result, dict)}
        refused = [result for result in results if isinstance(result, ClaimedError)]
        assert (len(won), len(refused), len(results)) == (5, 195, 200)
        assert set(won.values()) == {error.details["holder"] for error in refused}
        assigned = await rows(first, "SELECT id, assigned_agent FROM tasks")
        assert dict(assigned) == won
        await first.recorder.catch_up()
        assert Counter(first.types)["task.updated"] == 5


_CLAIMER: Final = """
import asyncio, sys
from pathlib import Path
from taskcopilot.errors import ClaimedError
from tests.helpers.bridge import core

async def main(directory, agent, tasks):
    async with core(Path(directory)) as bridge:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        for task in tasks:
            try:
                answer = await bridge.call("task_claim", id=task, agent=agent)
            except ClaimedError as error:
                print(task, "refused", error.details["holder"], flush=True)
            else:
                print(task, "won", answer["agent"], flush=True)

asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
"""
"""A process that opens the database, waits for a word, and claims all tasks in turn."""


async def test_processes_that_claim_on_one_file_at_once_agree_on_the_winner(tmp_path: Path) -> None:
    """Real processes, real locks: one winner a task, and everybody hears the same name."""
    async with core(tmp_path) as bridge:
        tasks = [await new_task(bridge, f"t{number}") for number in range(12)]
    told = await asyncio.to_thread(_compete, tmp_path, tasks)
    for task in tasks:
        verdicts = [line.split()[1:] for line in told if line.startswith(task)]
        assert Counter(verdict for verdict, _ in verdicts) == {"won": 1, "refused": 3}
        assert len({holder for _, holder in verdicts}) == 1
    async with core(tmp_path) as bridge:
        assert await rows(bridge, "SELECT count(*), count(DISTINCT task_id) FROM task_claims") == [(12, 12)]
        assert await rows(bridge, "SELECT count(*) FROM events WHERE type = 'task.updated'") == [(12,)]


def _compete(directory: Path, tasks: list[str]) -> list[str]:
    """Let four processes claim the tasks at once, and return the lines that they wrote."""
    with contextlib.ExitStack() as stack:
        claimers = [
            stack.enter_context(running(directory, str(directory), f"agent-{number}", *tasks, code=_CLAIMER))
            for number in range(4)
        ]
        for claimer in claimers:
            assert claimer.out.next() == "ready"
        for claimer in claimers:
            claimer.stdin.write("go\n")
            claimer.stdin.flush()
        for claimer in claimers:
            code = claimer.wait()
            assert code == 0, claimer.err.text()
        return [line for claimer in claimers for line in claimer.out.text().splitlines()]
