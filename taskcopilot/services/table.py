"""The table of all services, in the order of the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from taskcopilot.errors import InvalidArgumentError, NotFoundError
from taskcopilot.services import (
    akosha,
    crackerjack,
    dhruva,
    excalidraw,
    fastblocks,
    mahavishnu,
    session_buddy,
    session_metrics,
)
from taskcopilot.services.service import Service

__all__ = ["SERVICES", "Services"]


class Services:
    """Services by name."""

    def __init__(self, services: Iterable[Service]) -> None:
        self._services = {service.name: service for service in services}

    def __iter__(self) -> Iterator[Service]:
        return iter(self._services.values())

    def __getitem__(self, name: str) -> Service:
        """Return a service; raises NotFoundError for a name that is none."""
        if name not in self._services:
            raise NotFoundError(f"Unknown service: {name}; known are {', '.join(self._services)}", field="service")
        return self._services[name]

    def chosen(self, names: Iterable[str], flag: str = "--services") -> tuple[Service, ...]:
        """Return the services of a list of names, in which `all` stands for all of them.

        Raises InvalidArgumentError for a name that is none; `flag` is where the names are from.
        """
        wanted = set(names)
        if unknown := wanted - {"all", *self._services}:
            known = ", ".join(self._services)
            raise InvalidArgumentError(f"{flag}: no service {min(unknown)!r}; known are all, {known}", field=flag)
        return tuple(service for service in self if "all" in wanted or service.name in wanted)


SERVICES: Final = Services(
    module.SERVICE
    for module in (session_metrics, session_buddy, mahavishnu, akosha, crackerjack, dhruva, excalidraw, fastblocks)
)
