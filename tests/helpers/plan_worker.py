"""An agent of a plan, in a process of its own: `plan_worker ROLE NAME URL`, or `-` for a server of its own over stdio.

A builder takes pending tasks, saves its place, and hands what it made to the checkers; a checker takes what was handed
over, resumes from the place, and completes it. When it is connected, and after its first task, it waits for a line, so
that all begin at once and nobody is left without. Its last line says what it did, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

STREAM = "Stream-Plan"


class Agent:
    """Who works, and what came of it."""

    def __init__(self, client: Client, name: str) -> None:
        self.client = client
        self.name = name
        self.done: list[str] = []
        self.refused: Counter[str] = Counter()

    async def call(self, tool: str, **arguments: Any) -> Any:
        """Call a tool; a refusal is counted by its code, and None."""
        result = await self.client.call_tool(tool, arguments)
        if not result.is_error:
            return result.structured_content
        self.refused[next(each["code"] for each in (result.meta or {}).values() if "code" in each)] += 1
        return None

    async def build(self) -> None:
        """Take tasks as long as there are any that nobody began."""
        while waiting := await self.pending():
            for task in waiting:
                if await self.claim(task, "pending"):
                    await self.begin(task)

    async def pending(self) -> list[str]:
        """Return what nobody began."""
        tasks = (await self.call("stream_get", streamId=STREAM))["tasks"]
        return [task["id"] for task in tasks if task["status"] == "pending"]

    async def claim(self, task: str, status: str) -> bool:
        """Claim a task, and make sure that it still stands as it stood when it was chosen."""
        if not await self.call("task_claim", id=task, agent=self.name):
            return False
        if (await self.call("task_get", id=task))["status"] == status:
            return True
        await self.call("task_release", id=task, agent=self.name)
        return False

    async def begin(self, task: str) -> None:
        """Do the first half."""
        await self.call("task_update", id=task, status="in_progress")
        await self.call("agent_heartbeat", taskId=task, agent=self.name, phase="building")
        context = {"builtBy": self.name}
        await self.call("checkpoint_create", taskId=task, executionPhase="built", executionStep=2, agentContext=context)
        product = await self.call("work_product_store", taskId=task, type="other", title="built", content="of stone")
        chain = {"chainPosition": 1, "chainLength": 2, "handoffContext": "built, please check"}
        sent = {"taskId": task, "fromAgent": self.name, "toAgent": "checkers", "workProductId": product["id"]}
        await self.call("task_release", id=task, agent=self.name)
        await self.call("agent_handoff", **sent, **chain)
        await self.did(task)

    async def check(self) -> None:
        """Complete what is handed over, until the stream is complete.

        Who finds a task claimed keeps it in mind: its holder may only have had a look, and give it back.
        """
        wanted = {"topics": ["agent:*", f"stream:{STREAM}"], "eventTypes": ["agent.handoff", "stream.completed"]}
        since: str | int = 0
        builders: dict[str, str] = {}
        while True:
            heard = await self.call("events_wait", **wanted, since=since, wait=1 if builders else 30)
            since = heard["next"]
            if any(event["eventType"] == "stream.completed" for event in heard["events"]):
                return
            builders |= {event["data"]["taskId"]: event["data"]["fromAgent"] for event in heard["events"]}
            for task, builder in list(builders.items()):
                if await self.claim(task, "in_progress"):
                    await self.finish(task, builder)
            tasks = (await self.call("stream_get", streamId=STREAM))["tasks"]
            builders = {
                each["id"]: builders[each["id"]]
                for each in tasks
                if each["id"] in builders and each["status"] != "completed"
            }

    async def finish(self, task: str, builder: str) -> None:
        """Do the second half, from where the builder says that it is."""
        place = await self.call("checkpoint_resume", taskId=task)
        assert (place["restoredPhase"], place["restoredStep"]) == ("built", 2), place
        assert place["agentContext"] == {"builtBy": builder}, place
        await self.call("task_update", id=task, status="completed")
        await self.did(task)

    async def did(self, task: str) -> None:
        """Note what was done; after the first, let the others have theirs."""
        self.done.append(task)
        if len(self.done) == 1:
            await signal("one is done")


async def signal(word: str) -> None:
    """Say a word and wait for a line."""
    sys.stdout.write(word + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)


async def main(role: str, name: str, target: str) -> None:
    """Work until there is nothing left to do."""
    command = ["-m", "taskcopilot", "mcp", "--db", "tasks.db", "--port", "0"]
    own = StdioServerParameters(command=sys.executable, args=command, env=dict(os.environ))
    async with Client(stdio_client(own) if target == "-" else f"{target}/mcp") as client:
        agent = Agent(client, name)
        await signal("connected")
        await (agent.build() if role == "builder" else agent.check())
    sys.stdout.write(json.dumps({"done": agent.done, "refused": agent.refused}) + "\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
