"""Short-lived work on a workspace: open the core, do one thing, close it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click
from pydantic import BaseModel

from taskcopilot.cli.options import settings_from
from taskcopilot.config import Settings
from taskcopilot.core import Core
from taskcopilot.logs import configure_log
from taskcopilot.tools.table import REGISTRY

__all__ = ["call_tool", "with_core"]

T = TypeVar("T")


def with_core(ctx: click.Context, work: Callable[[Core], Awaitable[T]], *, follow: bool = False) -> T:
    """Do the work on the workspace that the command line names, in this process."""
    settings = settings_from(ctx)
    configure_log(_quiet(settings), settings.log_format)

    async def run() -> T:
        async with Core.open(settings, follow=follow) as core:
            return await work(core)

    return asyncio.run(run())


def call_tool(ctx: click.Context, name: str, arguments: dict[str, Any]) -> BaseModel:
    """Call a tool: the same table, the same recorder and the same events as through a bridge."""
    waits = any(tool.waits for tool in REGISTRY if tool.name == name)
    return with_core(ctx, lambda core: core.toolbox.call(name, arguments), follow=waits)


def _quiet(settings: Settings) -> str:
    """People who run one command want its output; the log only when they ask for all of it."""
    return settings.log_level if settings.log_level == "debug" else "warning"
