"""Five processes work one plan: two agents over stdio, two over HTTP, and a host that sends its hooks."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from tests.helpers.plan_worker import STREAM
from tests.helpers.processes import Running, bridge, running

TASKS = 12
HOOKS = 6

HOST = """
import json, sys, urllib.request
url, count = sys.argv[1], int(sys.argv[2])
for number in range(1, count + 1):
    for name in ("TaskCreated", "TaskCompleted", "TaskCompleted"):
        hook = {"hook_event_name": name, "session_id": "s", "team_name": "team", "teammate_name": "host",
                "task_id": str(number), "task_subject": f"Of the host {number}"}
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{url}/hooks/claude-code", json.dumps(hook).encode(), headers)
        assert json.load(urllib.request.urlopen(request)) == {}
print("sent")
"""
"""A host whose team has a list of its own; it sends one hook twice."""


def post(url: str, tool: str, **arguments: Any) -> Any:
    answer = requests.post(f"{url}/api/tools/{tool}", json=arguments, timeout=20)
    answer.raise_for_status()
    return answer.json()


@contextlib.contextmanager
def crew(home: Path, url: str) -> Iterator[dict[str, Running]]:
    """Start all five at once."""
    worker = "import runpy; runpy.run_module('tests.helpers.plan_worker', run_name='__main__')"
    ways = {"builder-stdio": "-", "builder-http": url, "checker-stdio": "-", "checker-http": url}
    with contextlib.ExitStack() as stack:
        agents = {
            name: stack.enter_context(running(home, name.partition("-")[0], name, target, code=worker))
            for name, target in ways.items()
        }
        agents["host"] = stack.enter_context(running(home, url, str(HOOKS), code=HOST))
        yield agents


def together(agents: dict[str, Running], *words: str) -> None:
    """Wait at each word until all agents have said it."""
    workers = [agent for name, agent in agents.items() if name != "host"]
    for word in words:
        for worker in workers:
            assert worker.out.next() == word, worker.popen.args
        for worker in workers:
            worker.stdin.write("\n")
            worker.stdin.flush()


def log(url: str) -> list[dict[str, Any]]:
    page = requests.get(f"{url}/api/events", params={"since": 0, "limit": 1000}, timeout=20).json()
    assert len(page["events"]) == page["head"] < 1000
    return list(page["events"])


def test_five_processes_work_one_plan(tmp_path: Path, say) -> None:
    """D1, H6, H11: nobody does what another does, nothing is left over, and one watcher sees all of it in order."""
    metadata = {"streamId": STREAM, "streamName": "the plan"}
    with (
        bridge(tmp_path, "--db", "tasks.db") as (_, ready),
        running(tmp_path, "watch", "--json", "--since", "0", "--db", "tasks.db") as watcher,
    ):
        url = ready["url"]
        tasks = [post(url, "task_create", title=f"part {n}", metadata=metadata)["id"] for n in range(TASKS)]
        with crew(tmp_path, url) as agents:
            together(agents, "connected", "one is done")
            said = {name: agent.out.next() for name, agent in agents.items()}
            assert {name: agent.wait() for name, agent in agents.items()} == dict.fromkeys(agents, 0)
        assert said.pop("host") == "sent"
        events = log(url)
        seen = [json.loads(watcher.out.next()) for _ in events]
    reports = {name: json.loads(line) for name, line in said.items()}
    for role in ("builder", "checker"):
        done = [task for name, report in reports.items() if name.startswith(role) for task in report["done"]]
        assert all(report["done"] for report in reports.values())
        assert sorted(done) == sorted(tasks), f"every {role}'s task once"
    assert seen == events
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    kinds = Counter(event["payload"]["eventType"] for event in events)
    assert kinds["task.completed"] == TASKS + HOOKS
    assert kinds["agent.handoff"] == kinds["checkpoint.created"] == kinds["checkpoint.resumed"] == TASKS
    refused = sum((Counter(report["refused"]) for report in reports.values()), Counter())
    say(
        f"{len(events)} events of five processes; refused: {dict(refused)}; done: "
        + ", ".join(f"{name} {len(report['done'])}" for name, report in reports.items())
    )
    assert set(refused) <= {"CLAIMED", "CONFLICT"}
