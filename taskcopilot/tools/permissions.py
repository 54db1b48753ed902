"""What each tool needs of a token: its scope, and, of a token that sees a part of the workspace, which part.

A tool that is not in the table of confined ones is for those who see everything. A confined one asks for things that
have to be in view, leaves out of its answer what is not, and may cause only events that its caller sees itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from pydantic import BaseModel

from taskcopilot.auth.access import Access, Scope, View, forbidden
from taskcopilot.errors import InvalidArgumentError, NotFoundError
from taskcopilot.store import checkpoints, task_rows, work_products
from taskcopilot.store.transaction import ReadTx, Tx
from taskcopilot.tools.registry import Tool
from taskcopilot.tools.stream_info import stream_not_found

__all__ = ["ADMINISTRATIVE", "CONFINED", "permitted", "scope_of"]

ADMINISTRATIVE: Final = frozenset({"initiative_archive", "initiative_wipe", "checkpoint_cleanup", "stream_archive_all"})
"""Tools that delete or hide the work of many, or write files."""

Check = Callable[[ReadTx, View, str, str], None]
"""Raises NotFoundError, as for an unknown id, when a thing is not in view: (tx, view, id, name of the argument)."""

Confine = Callable[[ReadTx, View, Any], Any]
"""Returns the answer without what is not in view."""


@dataclass(frozen=True, slots=True)
class Confined:
    """How a tool serves who sees a part: the checks of its arguments, by name, and of its answer."""

    checks: Mapping[str, Check]
    confine: Confine | None = None


def scope_of(tool: Tool) -> Scope:
    """Return the scope that a tool needs."""
    if tool.name in ADMINISTRATIVE:
        return Scope.ADMIN
    return Scope.WRITE if tool.writes else Scope.READ


def permitted(tool: Tool, access: Access) -> Tool:
    """Return the tool as this caller may use it; raises RefusedError (FORBIDDEN) for one that it may not.

    `run` of the returned tool raises NotFoundError for what is not in view, and FORBIDDEN for a change of it.
    """
    access.require(scope_of(tool))
    if access.view is None:
        return tool
    confined = CONFINED.get(tool.name)
    if confined is None:
        raise forbidden(f"{tool.name} is for tokens that see everything")
    if tool.waits:
        return tool  # it looks out for what is in view
    return tool.with_run(_Guarded(tool, confined, access.view))


@dataclass(frozen=True, slots=True)
class _Guarded:
    """Runs a tool for who sees a part."""

    tool: Tool
    confined: Confined
    view: View

    def __call__(self, tx: Any, call: BaseModel) -> BaseModel:
        for name, check in self.confined.checks.items():
            value = getattr(call, name)
            if value is not None:
                alias = type(call).model_fields[name].alias or name
                check(tx, self.view, value, alias)
        answer: BaseModel = self._run(tx, call)
        if isinstance(tx, Tx):
            self._refuse_foreign(tx)
        return answer if self.confined.confine is None else self.confined.confine(tx, self.view, answer)

    def _run(self, tx: Any, call: BaseModel) -> BaseModel:
        """Run the tool; its word on circular dependencies would name the streams on the way."""
        try:
            answer: BaseModel = self.tool.run(tx, call)
        except InvalidArgumentError as error:
            if error.field == "metadata.streamDependencies":
                raise InvalidArgumentError("these dependencies are not possible", field=error.field) from None
            raise
        return answer

    def _refuse_foreign(self, tx: Tx) -> None:
        for event in (*tx.emitted, *tx.passed):
            if not self.view.sees((event.topic, *event.about)):
                raise forbidden("the token does not see what this would change")


def _task(tx: ReadTx, view: View, task_id: str, field: str) -> None:
    stream = task_rows.stream_of(tx, task_id)
    if stream is None or not view.sees_task(task_id, stream):
        raise NotFoundError(f"Task not found: {task_id}", field=field)


def _stream(tx: ReadTx, view: View, stream_id: str, field: str) -> None:
    del tx, field
    if not view.sees_stream(stream_id):
        raise stream_not_found(stream_id)


def _checkpoint(tx: ReadTx, view: View, checkpoint_id: str, field: str) -> None:
    row = checkpoints.find(tx, checkpoint_id)
    if row is None or not _sees(tx, view, row["task_id"]):
        raise NotFoundError(f"Checkpoint not found: {checkpoint_id}", field=field)


def _work_product(tx: ReadTx, view: View, product_id: str, field: str) -> None:
    product = work_products.find(tx, product_id)
    if product is None or not _sees(tx, view, product.task_id):
        raise NotFoundError(f"Work product not found: {product_id}", field=field)


def _sees(tx: ReadTx, view: View, task_id: str) -> bool:
    return view.sees_task(task_id, task_rows.stream_of(tx, task_id))


def _only_tasks(tx: ReadTx, view: View, answer: Any) -> Any:
    streams = task_rows.streams(tx)
    return type(answer)([item for item in answer.root if view.sees_task(item.id, streams.get(item.id))])


def _only_streams(tx: ReadTx, view: View, answer: Any) -> Any:
    del tx
    return answer.model_copy(update={"streams": [each for each in answer.streams if view.sees_stream(each.stream_id)]})


def _only_subtasks(tx: ReadTx, view: View, answer: Any) -> Any:
    if answer.subtasks is None:
        return answer
    return answer.model_copy(update={"subtasks": [each for each in answer.subtasks if _sees(tx, view, each.id)]})


def _only_states(tx: ReadTx, view: View, answer: Any) -> Any:
    states = [each for each in answer.subtask_states if isinstance(each, dict) and _sees(tx, view, str(each.get("id")))]
    return answer.model_copy(update={"subtask_states": states})


CONFINED: Final[Mapping[str, Confined]] = MappingProxyType(
    {
        "task_create": Confined({"parent_id": _task}),
        "task_get": Confined({"id": _task}, _only_subtasks),
        "task_list": Confined({"parent_id": _task}, _only_tasks),
        "task_update": Confined({"id": _task}),
        "task_claim": Confined({"id": _task}),
        "task_release": Confined({"id": _task}),
        "work_product_store": Confined({"task_id": _task}),
        "work_product_get": Confined({"id": _work_product}),
        "work_product_list": Confined({"task_id": _task}),
        "checkpoint_create": Confined({"task_id": _task}),
        "checkpoint_get": Confined({"id": _checkpoint}, _only_states),
        "checkpoint_list": Confined({"task_id": _task}),
        "checkpoint_resume": Confined({"task_id": _task, "checkpoint_id": _checkpoint}),
        "agent_handoff": Confined({"task_id": _task, "work_product_id": _work_product}),
        "agent_chain_get": Confined({"task_id": _task}),
        "agent_heartbeat": Confined({"task_id": _task}),
        "events_wait": Confined({}),
        "stream_list": Confined({}, _only_streams),
        "stream_get": Confined({"stream_id": _stream}),
        "stream_unarchive": Confined({"stream_id": _stream}),
        "service_publish": Confined({}),
    }
)
"""The tools for tokens that see a part of the workspace."""
