"""Every change that your agents make, as callbacks: the synchronous client of the Task Copilot bridge.

    from task_copilot_client import TaskCopilotClient

    client = TaskCopilotClient()
    client.connect()
    client.subscribe(["task:*"], lambda topic, event_type, data: print(topic, event_type, data))

Importing this loads the standard library only; `websocket-client` and `requests` are loaded when they are needed.
"""

from task_copilot_client.client import TaskCopilotClient
from task_copilot_client.errors import (
    AuthenticationError,
    CertificateError,
    EventsLostError,
    NoEventLogError,
    SubscriptionError,
    TaskCopilotError,
    ToolError,
    UnreachableError,
)
from task_copilot_client.iteration import EventIterator
from task_copilot_client.messages import Event

__all__ = [
    "AuthenticationError",
    "CertificateError",
    "Event",
    "EventIterator",
    "EventsLostError",
    "NoEventLogError",
    "SubscriptionError",
    "TaskCopilotClient",
    "TaskCopilotError",
    "ToolError",
    "UnreachableError",
]
