"""The command line. Importing it costs next to nothing; each command imports what it needs when it is asked for."""

from __future__ import annotations

from taskcopilot.cli.entry import main

__all__ = ["main"]
