"""What MCP clients read: how a tool is described, and how its answer or its error looks."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import mcp_types as types
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel

from taskcopilot.errors import BridgeError
from taskcopilot.tools.registry import Tool

__all__ = ["ERROR_KEY", "describe", "failure", "refusal", "success"]

ERROR_KEY: Final = "task-copilot/error"
"""The key in `_meta` of a failed call, whose value holds code, message, field and details.

Not in structuredContent: that must match the output schema, and some clients check it in failed calls too.
"""


def describe(tool: Tool) -> types.Tool:
    """Describe a tool with the very schemas that its calls are held to."""
    return types.Tool(
        name=tool.name,
        title=tool.name.replace("_", " ").capitalize(),
        description=tool.description,
        input_schema=tool.input_schema(),
        output_schema=_object_schema(tool.output_schema()),
        annotations=types.ToolAnnotations(
            read_only_hint=not tool.writes,
            destructive_hint=tool.destructive,
            idempotent_hint=tool.repeatable or not tool.writes,
            open_world_hint=False,
        ),
    )


def success(answer: BaseModel) -> types.CallToolResult:
    """Show an answer: as text the compact JSON that the original gave, as structured content an object."""
    value: Any = answer.model_dump(mode="json")
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=answer.model_dump_json())],
        structured_content={"result": value} if isinstance(value, list) else value,
    )


def failure(error: BridgeError) -> types.CallToolResult:
    """Show an error such that a model can correct itself and a program can tell what went wrong."""
    facts = {"code": error.code, "message": error.message, "field": error.field, **error.details}
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=f"Error: {error.message}")],
        is_error=True,
        _meta={ERROR_KEY: {name: fact for name, fact in facts.items() if fact is not None}},
    )


def refusal(uri: str, error: BridgeError) -> MCPError:
    """Show an error of a resource, which has no result to carry it, as one of JSON-RPC; its data hold our own code."""
    code = types.INVALID_PARAMS if error.status < HTTPStatus.INTERNAL_SERVER_ERROR else types.INTERNAL_ERROR
    return MCPError(code, error.message, {"uri": uri, "code": error.code, **error.details})


def _object_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Wrap the schema of an array: until 2025-11-25 structured content had to be an object, and clients rely on it."""
    if schema.get("type") != "array":
        return schema
    definitions = schema.pop("$defs", None)
    wrapped = {"type": "object", "properties": {"result": schema}, "required": ["result"]}
    return wrapped if definitions is None else {**wrapped, "$defs": definitions}
