"""Follow a diagram of excalidraw with others: draw a box, say what they do, and outlive a restart of the bridge.

taskcopilot serve --services excalidraw &
python examples/channel_client.py --diagram plan --user ann      # and --user ben in another terminal

Prints one JSON line per event, until it is ended. Needs `taskcopilot-client[aio]`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys

from task_copilot_client.aio import ChannelClient, ChannelError, ChannelMessage


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Follow a diagram, and draw a box.")
    parser.add_argument("--url", default="ws://127.0.0.1:3042", help="the service's address")
    parser.add_argument("--token", help="what to show to a service that has a secret")
    parser.add_argument("--diagram", default="plan")
    parser.add_argument("--user", default="ann")
    return parser.parse_args()


async def diagram_now(client: ChannelClient, diagram: str) -> dict[str, object]:
    """Return the diagram, an empty one at version 0 when nobody has drawn it yet."""
    try:
        found = await client.request("get_diagram_status", {"diagram_id": diagram})
    except ChannelError as error:
        if error.code != "NOT_FOUND":
            raise
        return {"version": 0, "elements": []}
    return dict(found["diagram"])


async def draw(client: ChannelClient, diagram: str, box: dict[str, object]) -> int:
    """Add a box; where somebody else was quicker, add it to what they made. Returns the new version."""
    while True:
        now = await diagram_now(client, diagram)
        version = int(str(now["version"])) + 1
        elements = [*now.get("elements", []), box]  # type: ignore[misc]
        try:
            await client.publish("diagram.updated", {"diagram_id": diagram, "elements": elements, "version": version})
        except ChannelError as error:
            if error.code != "CONFLICT":
                raise
            continue
        return version


def show(message: ChannelMessage) -> None:
    """Print an event."""
    print(json.dumps({"event": message.event, "seq": message.seq, "data": message.data}), flush=True)


async def main() -> None:
    """Draw, then follow."""
    chosen = parse()
    diagram, user = chosen.diagram, chosen.user
    async with ChannelClient(chosen.url, chosen.token) as client:
        events = client.events()
        await client.subscribe(*(f"{kind}:{diagram}" for kind in ("diagram", "cursor", "presence")))
        await client.publish("user.joined", {"diagram_id": diagram, "user_id": user, "user_info": {"name": user}})
        version = await draw(client, diagram, {"id": f"box-of-{user}", "type": "rectangle", "x": 10, "y": 10})
        print(json.dumps({"drawn": version}), flush=True)
        async for message in events:
            show(message)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
    sys.exit(0)
