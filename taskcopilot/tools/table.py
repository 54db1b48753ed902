"""The table of all tools, in the order in which agents and people see them."""

from __future__ import annotations

from typing import Final

from taskcopilot.tools import (
    initiative_archive,
    initiative_wipe,
    initiatives,
    prds,
    stream_archive,
    stream_conflicts,
    streams,
    summary,
    tasks,
    work_products,
)
from taskcopilot.tools.registry import Registry

__all__ = ["REGISTRY"]

_MODULES: Final = (
    prds,
    initiatives,
    initiative_archive,
    initiative_wipe,
    tasks,
    work_products,
    streams,
    stream_conflicts,
    stream_archive,
    summary,
)

REGISTRY: Final = Registry(tool for module in _MODULES for tool in module.TOOLS)
