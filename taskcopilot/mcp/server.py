"""The MCP server over the table of tools.

Built on the SDK's low-level `Server`, not on `MCPServer`: that one derives schemas from Python signatures, validates
arguments by its own lax rules and prefixes every error text, while our tools come from a table with models of their
own, whose schemas and messages must reach the client as they are. Both speak the handshake revisions and 2026-07-28.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from typing import Any, Final

import anyio
import mcp_types as types
from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server

from taskcopilot import __version__
from taskcopilot.core import Core
from taskcopilot.errors import BridgeError
from taskcopilot.mcp.contents import describe, failure, success
from taskcopilot.tools.lookout import Report

__all__ = ["NAME", "make_server"]

_log: Final = logging.getLogger(__name__)

NAME: Final = "task-copilot"
"""The name of the original server: configurations and prompts know it."""

_LISTING_LASTS: Final = CacheHint(ttl_ms=3_600_000, scope="public")
"""The table of tools changes only with the program."""

_INSTRUCTIONS: Final = """\
Task Copilot keeps the PRDs, tasks, work products and checkpoints of one project, shared by all agents that work on it.
Every change is delivered to watchers at once.

Start with progress_summary. Plan with initiative_link, prd_create and task_create; tasks with the same
metadata.streamId form a stream that runs beside the others. Before you work on a task take it with task_claim, so
that no other agent does the same; move it with task_update (in_progress, then completed, or blocked with a
blockedReason), send agent_heartbeat while it takes long, and give it back with task_release. Store what you made with
work_product_store and refer to it by id instead of repeating it. Save your place with checkpoint_create before a
risky step, and come back with checkpoint_resume. To learn what others do, wait with events_wait and go on with its
`next`; do not ask again and again.

Lists answer briefly; ask for one item to see all of it. A failed call changes nothing, and its message names the
argument at fault. A call with an idempotencyKey can be repeated safely."""
"""What a model is told once: which tool when, and what it can rely on."""


def make_server(core: Core) -> Server[dict[str, Any]]:
    """Build a server whose tools are those of the core; it may serve any number of conversations."""
    listing = types.ListToolsResult(tools=[describe(tool) for tool in core.toolbox.registry])
    schemas = {tool.name: tool.input_schema for tool in listing.tools}

    async def list_tools(
        _context: ServerRequestContext[dict[str, Any]], _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return listing

    async def call_tool(
        context: ServerRequestContext[dict[str, Any]], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        async def report(passed: float, total: float) -> None:
            with contextlib.suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
                await context.session.report_progress(passed, total, "nothing has happened yet")

        return await _call(core, params.name, params.arguments or {}, report)

    return Server(
        NAME,
        version=__version__,
        title="Task Copilot",
        instructions=_INSTRUCTIONS,
        cache_hints={"tools/list": _LISTING_LASTS},
        get_tool_input_schema=schemas.get,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


async def _call(core: Core, name: str, arguments: Mapping[str, Any], report: Report) -> types.CallToolResult:
    """Call a tool; every error becomes a result, so that the model sees it. A defect of ours tells no internals."""
    try:
        return success(await core.toolbox.call(name, arguments, report))
    except BridgeError as error:
        return failure(error)
    except Exception:  # noqa: BLE001 - a conversation goes on whatever a tool does
        error_id = core.clock.new_id()
        _log.exception("tool %s failed (errorId %s)", name, error_id)
        return failure(BridgeError(f"internal error; the log holds the details under {error_id}", errorId=error_id))
