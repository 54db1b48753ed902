"""What a tool is, and the registry that MCP, HTTP and the command line are fed from."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

from taskcopilot.errors import NotFoundError

__all__ = ["Registry", "Tool"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool: its models, and the function that runs inside a transaction on the database's thread.

    `run` takes (Tx, input) when the tool writes and (ReadTx, input) when it reads. The first paragraph of its
    docstring is what agents read as the description.

    A tool that `waits` is a coroutine function instead, which takes (Lookout, input) and runs on the event loop.
    """

    name: str
    input: type[BaseModel]
    output: type[BaseModel]
    run: Callable[[Any, Any], Any]
    writes: bool = False
    destructive: bool = False
    """Deletes or hides what others may still want."""
    repeatable: bool = False
    """A second call with the same arguments leaves everything as the first one did."""
    waits: bool = False
    """Reads, and answers when something has happened: seconds or minutes later. It holds no reader meanwhile."""

    described_by: Callable[[Any, Any], BaseModel] | None = None
    """The function whose docstring describes the tool, where that is not `run`."""

    def with_run(self, run: Callable[[Any, Any], BaseModel]) -> Tool:
        """Return the same tool with another function around its own."""
        return replace(self, run=run, described_by=self.described_by or self.run)

    @property
    def description(self) -> str:
        """The first paragraph of the tool's docstring, as one line."""
        return " ".join((inspect.getdoc(self.described_by or self.run) or "").split("\n\n")[0].split())

    def input_schema(self) -> dict[str, Any]:
        """Return the JSON schema of the arguments."""
        return self.input.model_json_schema()

    def output_schema(self) -> dict[str, Any]:
        """Return the JSON schema of the answer."""
        return self.output.model_json_schema(mode="serialization")


class Registry:
    """The tools by name, in their stable order."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._tools = {tool.name: tool for tool in tools}

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def __getitem__(self, name: str) -> Tool:
        """Return a tool; raises NotFoundError for a name that is none."""
        if name not in self._tools:
            raise NotFoundError(f"Unknown tool: {name}", field="tool")
        return self._tools[name]
