"""What `debug=True` does: everything that the client logs goes to stderr."""

from __future__ import annotations

import logging
import sys
from typing import Final

__all__ = ["log_to_stderr"]

_NAME: Final = "task_copilot_client.debug"


def log_to_stderr() -> None:
    """Show what the clients of this process do; once, however many of them want it."""
    log = logging.getLogger("task_copilot_client")
    log.setLevel(logging.DEBUG)
    if any(handler.get_name() == _NAME for handler in log.handlers):
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.set_name(_NAME)
    handler.setFormatter(logging.Formatter("%(asctime)s task_copilot_client %(levelname)s %(message)s"))
    log.addHandler(handler)
