"""The rows of the route table: where a handler lives, and what the API description says of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from pydantic import BaseModel
from pydantic.alias_generators import to_camel

__all__ = ["Handler", "Parameter", "Route"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter. Those of the path are read from the path."""

    name: str
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    repeated: bool = False
    """May be given several times; all others may not."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Route:
    """One operation of the API. GET answers HEAD as well."""

    method: str
    path: str
    handler: Handler
    summary: str
    answer: type[BaseModel] | Mapping[str, Any]
    """The model of the answer, or its JSON schema."""
    media: str = "application/json"
    """The media type of the answer."""
    status: int = 200
    parameters: tuple[Parameter, ...] = ()
    body: type[BaseModel] | Mapping[str, Any] | None = None
    body_required: bool = True
    problems: tuple[int, ...] = ()
    """Statuses of the errors that are this route's own."""
    name: str | None = None
    """The operation's id in the description; by default made from the handler's name."""
    confined: bool = False
    """Keeps to what the caller's token sees. Any other is for tokens that see everything."""
    also: tuple[str, ...] = ()
    """Further paths of the same operation that old clients use."""

    @property
    def operation_id(self) -> str:
        """The name of the operation in camelCase."""
        return self.name or to_camel(getattr(self.handler, "__name__", ""))

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that are registered for it."""
        return ("GET", "HEAD") if self.method == "GET" else (self.method,)
