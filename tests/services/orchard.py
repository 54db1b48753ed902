"""orchard: trees that grow, wind, and visitors. A service of the tests, and the example of docs/adding-a-service.md."""

from __future__ import annotations

from typing import Any, Final

from taskcopilot.errors import ConflictError
from taskcopilot.services.event import Document, Identifier, JsonObject, OpenEvent, ServiceEvent
from taskcopilot.services.publishing import Broadcaster
from taskcopilot.services.service import Arguments, Relay, Request, Service
from taskcopilot.services.state import State

__all__ = ["SERVICE", "Orchard"]

_TREE: Final = "tree:{tree_id}"


def _planted(state: Document, event: TreePlanted) -> Document:
    del state
    return {"tree_id": event.tree_id, "height": 0.0, "version": 1, **event.added()}


def _grown(state: Document, event: TreeGrown) -> Document:
    """Refuse what was measured before somebody else measured: the publisher is told the version that is so."""
    tree = {"tree_id": event.tree_id, "height": 0.0, "version": 0} | state
    if event.version != tree["version"] + 1:
        raise ConflictError(f"tree {event.tree_id} is at version {tree['version']}", version=tree["version"])
    return {**tree, "height": event.height, "version": event.version}


def _felled(state: Document, event: TreeFelled) -> None:
    """Forget the tree."""
    del state, event


class TreePlanted(OpenEvent):
    """There is a new tree. What else the publisher says of it goes on as it is, and is kept."""

    event = "tree.planted"
    about = _TREE
    goes_to = (_TREE, "global")
    folds = ((_TREE, _planted),)
    tree_id: Identifier


class TreeGrown(ServiceEvent):
    """A tree was measured, in metres; the version counts the measurements."""

    event = "tree.grown"
    about = _TREE
    goes_to = (_TREE, "global")
    folds = ((_TREE, _grown),)
    tree_id: Identifier
    height: float
    version: int


class TreeFelled(ServiceEvent):
    """A tree is no more."""

    event = "tree.felled"
    about = _TREE
    goes_to = (_TREE, "global")
    folds = ((_TREE, _felled),)
    tree_id: Identifier


class WindFelt(ServiceEvent):
    """The wind blew. Nobody needs to know tomorrow: it is delivered, and not logged."""

    event = "wind.felt"
    about = _TREE
    goes_to = ("wind:{tree_id}",)
    passing = True
    tree_id: Identifier
    speed: float


class VisitorCame(ServiceEvent):
    """Somebody stands under a tree."""

    event = "visitor.came"
    about = _TREE
    goes_to = ("visitors:{tree_id}",)
    tree_id: Identifier
    visitor: Identifier


class VisitorLeft(VisitorCame):
    """Somebody does so no longer."""

    event = "visitor.left"


class _Which(Arguments):
    tree_id: Identifier


def _status(state: State, asked: _Which) -> dict[str, Any]:
    return state.require("tree", asked.tree_id)


def _gone(event: VisitorCame) -> VisitorLeft:
    return VisitorLeft(tree_id=event.tree_id, visitor=event.visitor)


SERVICE: Final = Service(
    name="orchard",
    port=8699,
    greeting="Connected to the orchard",
    channels=(_TREE, "wind:{tree_id}", "visitors:{tree_id}", "global"),
    events=(TreePlanted, TreeGrown, TreeFelled, WindFelt, VisitorCame, VisitorLeft),
    requests=(Request("get_tree_status", _Which, _status),),
    relays=(
        Relay(TreeGrown),
        Relay(WindFelt, every=0.05),
        Relay(VisitorCame, undone_by=_gone),
        Relay(VisitorLeft, undoes=VisitorCame),
    ),
)


class Orchard(Broadcaster):
    """The broadcasts of the orchard."""

    service = SERVICE

    async def broadcast_tree_planted(self, tree_id: str, metadata: JsonObject) -> None:
        """Say that there is a new tree."""
        await self._broadcast(TreePlanted, **{**metadata, "tree_id": tree_id})

    async def broadcast_tree_grown(self, tree_id: str, height: float, version: int) -> None:
        """Say how high a tree is now."""
        await self._broadcast(TreeGrown, tree_id=tree_id, height=height, version=version)

    async def broadcast_wind_felt(self, tree_id: str, speed: float) -> None:
        """Say how fast the wind blows."""
        await self._broadcast(WindFelt, tree_id=tree_id, speed=speed)
