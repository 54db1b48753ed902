"""What the events of a service are: typed payloads that know their rooms and what they change in the state."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from taskcopilot.model import Identifier

__all__ = ["Document", "Fold", "Identifier", "JsonObject", "OpenEvent", "ServiceEvent", "fill", "merged"]

MAX_MEMBERS: Final = 200
"""Members of an object that is put together from what several events told."""

Document = dict[str, Any]
"""The state of one thing, as JSON."""

JsonObject = dict[str, JsonValue]
"""A value whose members belong to the publisher."""

Fold = Callable[[Document, Any], Document | None]
"""A pure function (state so far, event) -> state; {} when there is none so far, None to forget it.

It may refuse the event with a ConflictError, whose details tell the publisher what is so; then nothing is changed.
"""


class ServiceEvent(BaseModel):
    """Base of the payloads. Names are those of the wire; a wrong type or an unknown field is an error.

    Templates such as `pool:{pool_id}` are filled from the fields; one with a field that is None is left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    event: ClassVar[str]
    """The name on the wire; may be a glob, for families of events that share a payload."""
    about: ClassVar[str]
    """The topic on the main bus."""
    goes_to: ClassVar[tuple[str, ...]]
    """The rooms, the most specific first: a client in several of them gets one copy, with the first as its `room`."""
    folds: ClassVar[tuple[tuple[str, Fold], ...]] = ()
    """Documents (`kind:{id}`), and what the event makes of each."""
    passing: ClassVar[bool] = False
    """Delivered to who is there, and neither logged nor folded."""

    timestamp: str | None = Field(default=None, max_length=64)
    """When it happened, ISO 8601; by default when it was published."""

    def topic(self) -> str:
        """Return the topic on the main bus; never without an id."""
        return fill(self.about, vars(self)) or ""

    def rooms(self) -> tuple[str, ...]:
        """Return the rooms that it goes to, as clients name them."""
        return tuple(room for template in self.goes_to if (room := fill(template, vars(self))))

    def documents(self) -> Iterator[tuple[str, str, Fold]]:
        """Yield (kind, id, fold) of each document that it changes."""
        for template, fold in self.folds:
            if key := fill(template, vars(self)):
                kind, _, identifier = key.partition(":")
                yield kind, identifier, fold


class OpenEvent(ServiceEvent):
    """An event that carries whatever the publisher adds, beside its own fields."""

    model_config = ConfigDict(extra="allow")

    def added(self) -> Mapping[str, Any]:
        """Return what the publisher added."""
        return self.model_extra or {}


def fill(template: str, values: Mapping[str, Any]) -> str | None:
    """Fill a template; None when one of its values is missing or None."""
    wanted = {name: values.get(name) for name in fields_of(template)}
    return None if None in wanted.values() else template.format_map(wanted)


@cache
def fields_of(template: str) -> tuple[str, ...]:
    """Return the names in a template."""
    return tuple(name for _, name, _, _ in string.Formatter().parse(template) if name)


def merged(known: Mapping[str, Any], told: Mapping[str, Any]) -> Document:
    """Return what is known with what was told now; of more than MAX_MEMBERS members those that were told last."""
    before = {name: value for name, value in known.items() if name not in told}
    return dict(list({**before, **told}.items())[-MAX_MEMBERS:])
