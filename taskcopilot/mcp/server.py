"""The MCP server over the table of tools.

Built on the SDK's low-level `Server`, not on `MCPServer`: that one derives schemas from Python signatures, validates
arguments by its own lax rules and prefixes every error text, while our tools come from a table with models of their
own, whose schemas and messages must reach the client as they are. Both speak the handshake revisions and 2026-07-28.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

import anyio
import mcp_types as types
from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.subscriptions import ListenHandler

from taskcopilot import __version__
from taskcopilot.auth.access import EVERYTHING, Access, Scope, forbidden
from taskcopilot.core import Core
from taskcopilot.errors import BridgeError
from taskcopilot.mcp.changes import Changes, Watch
from taskcopilot.mcp.contents import describe, failure, refusal, success
from taskcopilot.mcp.resources import TEMPLATES, list_resources, read_resource
from taskcopilot.mcp.uris import RECENT, Address
from taskcopilot.tools.lookout import Report

__all__ = ["NAME", "make_server"]

Context = ServerRequestContext[dict[str, Any]]
Result = TypeVar("Result")

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
    """Build a server whose tools and resources are those of the core; it may serve any number of conversations."""
    listing = types.ListToolsResult(tools=[describe(tool) for tool in core.toolbox.registry])
    changes = Changes(core.bus)
    return Server(
        NAME,
        version=__version__,
        title="Task Copilot",
        instructions=_INSTRUCTIONS,
        cache_hints={"tools/list": _LISTING_LASTS, "resources/templates/list": _LISTING_LASTS},
        get_tool_input_schema={tool.name: tool.input_schema for tool in listing.tools}.get,
        on_list_tools=_always(listing),
        on_call_tool=partial(_call_tool, core),
        on_list_resources=partial(_list_resources, core),
        on_list_resource_templates=_always(TEMPLATES),
        on_read_resource=partial(_read_resource, core),
        on_subscribe_resource=partial(_subscribe, core, changes),
        on_unsubscribe_resource=partial(_unsubscribe, changes),
        on_subscriptions_listen=partial(_listen, ListenHandler(changes)),
    )


def _always(result: Result) -> Callable[[Context, Any], Awaitable[Result]]:
    """Return a handler that answers the same whatever is asked."""

    async def handle(_context: Context, _params: Any) -> Result:
        return result

    return handle


async def _call_tool(core: Core, context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
    async def report(passed: float, total: float) -> None:
        with contextlib.suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
            await context.session.report_progress(passed, total, "nothing has happened yet")

    return await _call(core, params.name, params.arguments or {}, report, access_of(context))


def access_of(context: Context) -> Access:
    """Return what the caller may do: over HTTP what its token permits, over stdio everything.

    Each request has its own token, whoever began the session.
    """
    request = context.request
    if request is None:
        return EVERYTHING
    access: Access = request.state.access
    return access


async def _list_resources(core: Core, context: Context, _params: Any) -> types.ListResourcesResult:
    try:
        return await list_resources(core, access_of(context))
    except BridgeError as error:
        raise refusal(RECENT, error) from error


async def _read_resource(
    core: Core, context: Context, params: types.ReadResourceRequestParams
) -> types.ReadResourceResult:
    try:
        return await read_resource(core, params.uri, access_of(context))
    except BridgeError as error:
        raise refusal(params.uri, error) from error
    except Exception as error:
        raise refusal(params.uri, _defect(core, params.uri)) from error


async def _subscribe(
    core: Core, changes: Changes, context: Context, params: types.SubscribeRequestParams
) -> types.EmptyResult:
    access = access_of(context)
    try:
        _refuse_notices(access, params.uri)
        Address.parse(params.uri)
        if access.view is not None:
            await read_resource(core, params.uri, access)
    except BridgeError as error:
        raise refusal(params.uri, error) from error
    Watch.of(context, changes).uris.add(params.uri)
    return types.EmptyResult()


def _refuse_notices(access: Access, uri: str) -> None:
    """Notices of the newest events tell that something happened, whatever it was: for who sees everything."""
    access.require(Scope.READ)
    if access.view is not None and uri.partition("?")[0] == RECENT:
        raise forbidden("notices of events are for tokens that see everything", field="uri")


async def _listen(handler: ListenHandler, context: Context, params: Any) -> Any:
    """Let those listen who see everything: the notices of a listener are not sorted by what it sees."""
    try:
        _refuse_notices(access_of(context), RECENT)
    except BridgeError as error:
        raise refusal(RECENT, error) from error
    return await handler(context, params)


async def _unsubscribe(changes: Changes, context: Context, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
    Watch.of(context, changes).uris.discard(params.uri)
    return types.EmptyResult()


async def _call(
    core: Core, name: str, arguments: Mapping[str, Any], report: Report, access: Access
) -> types.CallToolResult:
    """Call a tool; every error becomes a result, so that the model sees it. A defect of ours tells no internals."""
    try:
        return success(await core.toolbox.call(name, arguments, report, access=access))
    except BridgeError as error:
        return failure(error)
    except Exception:  # noqa: BLE001 - a conversation goes on whatever a tool does
        return failure(_defect(core, f"tool {name}"))


def _defect(core: Core, what: str) -> BridgeError:
    """Log the exception that is being handled, and return the error that tells nothing of it but where it is logged."""
    error_id = core.clock.new_id()
    _log.exception("%s failed (errorId %s)", what, error_id)
    return BridgeError(f"internal error; the log holds the details under {error_id}", errorId=error_id)
