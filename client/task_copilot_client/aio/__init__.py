"""The asynchronous client of the services: rooms, requests, and events that survive a lost connection.

    from task_copilot_client.aio import ChannelClient

    async with ChannelClient("ws://127.0.0.1:8690") as client:
        await client.subscribe("workflow:wf-1")
        async for event in client.events("workflow.*"):
            print(event.event, event.data)

Needs the extra `aio` (aiohttp); nothing else of this package imports it.
"""

from task_copilot_client.aio.client import ChannelClient
from task_copilot_client.aio.listeners import ChannelEvents
from task_copilot_client.aio.messages import ChannelError, ChannelMessage
from task_copilot_client.cursor import Cursor
from task_copilot_client.errors import CertificateError, UnreachableError

__all__ = [
    "CertificateError",
    "ChannelClient",
    "ChannelError",
    "ChannelEvents",
    "ChannelMessage",
    "Cursor",
    "UnreachableError",
]
