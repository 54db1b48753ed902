"""The ways to follow a bridge, each behind the same few words, so that a promise is tested once for all of them."""

from tests.helpers.paths.event_stream import EventStreamPath
from tests.helpers.paths.path import Facts, Path, RefusedError
from tests.helpers.paths.polling import LongPollPath, PollPath
from tests.helpers.paths.websocket import WebSocketPath

__all__ = ["PATHS", "Facts", "Path", "RefusedError"]

PATHS: dict[str, type[Path]] = {
    "websocket": WebSocketPath,
    "event-stream": EventStreamPath,
    "long-poll": LongPollPath,
    "poll": PollPath,
}
"""Every way to resume from a cursor, by name."""
