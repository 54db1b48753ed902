"""The table of all tools, in the order in which agents and people see them."""

from __future__ import annotations

from typing import Final

from taskcopilot.tools import streams, tasks
from taskcopilot.tools.registry import Registry

__all__ = ["REGISTRY"]

_MODULES: Final = (tasks, streams)

REGISTRY: Final = Registry(tool for module in _MODULES for tool in module.TOOLS)
