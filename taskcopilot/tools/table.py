"""The table of all tools, in the order in which agents and people see them."""

from __future__ import annotations

from typing import Final

from taskcopilot.tools import (
    checkpoint_resume,
    checkpoints,
    claims,
    events_wait,
    handoffs,
    heartbeats,
    initiative_archive,
    initiative_wipe,
    initiatives,
    prds,
    services,
    skills,
    stream_archive,
    stream_conflicts,
    streams,
    summary,
    task_update,
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
    task_update,
    claims,
    work_products,
    checkpoints,
    checkpoint_resume,
    handoffs,
    heartbeats,
    streams,
    stream_conflicts,
    stream_archive,
    summary,
    events_wait,
    services,
    skills,
)

REGISTRY: Final = Registry(tool for module in _MODULES for tool in module.TOOLS)
