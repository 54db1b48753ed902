"""Our entry in `.mcp.json`, the file in which a project names its MCP servers.

Source: https://code.claude.com/docs/en/mcp (project scope; `${VAR:-default}` is expanded in urls and headers).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, Final

from taskcopilot.errors import ConflictError, InvalidArgumentError
from taskcopilot.hosts import json_edit

__all__ = ["COMMAND", "NAME", "http_entry", "install", "is_ours", "stdio_entry", "uninstall"]

NAME: Final = "task-copilot"
_SERVERS: Final = "mcpServers"
_PATH: Final = (_SERVERS, NAME)
_URL: Final = re.compile(r"https?://[^/]+/mcp")
COMMAND: Final = "taskcopilot"
"""What a host starts."""


def stdio_entry(arguments: Sequence[str] = ()) -> dict[str, Any]:
    """Return the entry of a server that the host starts itself."""
    return {"command": COMMAND, "args": ["mcp", *arguments]}


def http_entry(base: str, *, token: bool) -> dict[str, Any]:
    """Return the entry of a bridge that runs; with a token, the host takes it from its environment."""
    entry: dict[str, Any] = {"type": "http", "url": f"{base}/mcp"}
    return entry | ({"headers": {"Authorization": "Bearer ${TASKCOPILOT_TOKEN:-}"}} if token else {})


def is_ours(entry: Any) -> bool:
    """Tell by the command or the url whether an entry is one of these."""
    if not isinstance(entry, dict):
        return False
    command, arguments, url = entry.get("command"), entry.get("args"), entry.get("url")
    if isinstance(command, str) and isinstance(arguments, list):
        return PurePath(command).name == COMMAND and arguments[:1] == ["mcp"]
    return entry.get("type") == "http" and isinstance(url, str) and _URL.fullmatch(url) is not None


def install(text: str | None, entry: dict[str, Any]) -> str:
    """Return the file with our entry; the same text when it is there. None stands for no file.

    Raises InvalidArgumentError for what is no such file, and ConflictError when a server that is not ours has the name.
    """
    if text is None:
        return json_edit.create(_PATH, entry)
    servers = _servers(json_edit.read(text))
    if NAME not in servers:
        return json_edit.add(text, _PATH, entry)
    if not is_ours(servers[NAME]):
        raise ConflictError(f"{_SERVERS}.{NAME} is a server that is not ours", field=f"{_SERVERS}.{NAME}")
    return text if servers[NAME] == entry else json_edit.replace(text, _PATH, entry)


def uninstall(text: str | None) -> str | None:
    """Return the file without our entry; None when there is nothing else in it that was there before."""
    if text is None or not is_ours(_servers(json_edit.read(text)).get(NAME)):
        return text
    return json_edit.remove(text, _PATH)


def _servers(content: Any) -> dict[str, Any]:
    servers = content.get(_SERVERS, {}) if isinstance(content, dict) else None
    if not isinstance(servers, dict):
        raise InvalidArgumentError(f"{_SERVERS}: expected an object", field=_SERVERS)
    return servers
