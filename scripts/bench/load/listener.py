"""A client as an agent developer has it: the synchronous client, and when its callback is called.

    python -m bench.load.listener PORT

For each `{"seen": N}` answers, once N changes of notes have come, when each came: notes -> ns of the monotonic clock.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any, Final

from task_copilot_client import TaskCopilotClient

_PATIENCE: Final = 120.0


class Listener:
    """Notes down when the callback was called for which notes."""

    def __init__(self) -> None:
        self._times: dict[str, int] = {}
        self._changed = threading.Condition()

    def __call__(self, _topic: str, event_type: str, data: Any) -> None:
        """The callback."""
        now = time.perf_counter_ns()
        if event_type != "task.updated":
            return
        with self._changed:
            self._times.update((change["newValue"], now) for change in data["changes"] if change["field"] == "notes")
            self._changed.notify_all()

    def seen(self, count: int) -> dict[str, int]:
        """Wait until so many have come, and forget them."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._times) >= count, _PATIENCE):
                raise TimeoutError(f"{len(self._times)} of {count} changes came")
            times, self._times = self._times, {}
        return times


def main() -> None:
    """Obey the commands of standard input."""
    listener = Listener()
    client = TaskCopilotClient(f"http://127.0.0.1:{sys.argv[1]}")
    if not client.connect():
        raise SystemExit("error: no bridge")
    client.subscribe(["task:*"], listener)
    print(json.dumps({"mode": client.get_mode()}), flush=True)
    for line in sys.stdin:
        print(json.dumps({"times": listener.seen(json.loads(line)["seen"])}), flush=True)


if __name__ == "__main__":
    main()
