"""work_product_store, work_product_get, work_product_list."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Any, Final

from pydantic import Field

from taskcopilot.errors import ConflictError, NotFoundError
from taskcopilot.model import whole
from taskcopilot.store import activity_log, stream_rows, work_products
from taskcopilot.store.stream_rows import Scope
from taskcopilot.store.tasks import Task, decode_metadata
from taskcopilot.store.transaction import ReadTx, Tx
from taskcopilot.store.work_products import WorkProduct
from taskcopilot.tools.fields import (
    Identifier,
    Metadata,
    Omittable,
    Text,
    Title,
    ToolInput,
    ToolList,
    ToolOutput,
    WorkProductType,
    WriteInput,
)
from taskcopilot.tools.registry import Tool
from taskcopilot.tools.tasks import require_task
from taskcopilot.tools.text import preview, utf16_length
from taskcopilot.tools.work_product_rules import Flag, check, feedback

__all__ = [
    "TOOLS",
    "WorkProductDetails",
    "WorkProductGet",
    "WorkProductItem",
    "WorkProductItems",
    "WorkProductList",
    "WorkProductStore",
    "WorkProductStored",
    "work_product_get",
    "work_product_list",
    "work_product_store",
]

_SUMMARY_UNITS: Final = 300
_CHARACTERS_PER_TOKEN: Final = 4


class WorkProductStore(WriteInput):
    """Arguments of work_product_store."""

    task_id: Identifier
    type: WorkProductType
    title: Title
    content: Text
    metadata: Metadata = Field(default_factory=dict, description="modelUsed (opus, sonnet, haiku), ...")
    confidence: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="how sure you are of it, from 0 to 1"
    )


class Validation(ToolOutput):
    """The rules for its type that a work product does not keep. They never reject it."""

    valid: bool
    flag_count: int
    warnings: list[str]
    rejected: bool
    feedback: str


class WorkProductStored(ToolOutput):
    """Answer of work_product_store. `validation` is absent when there is nothing to warn of."""

    id: str
    task_id: str
    summary: str
    word_count: int
    created_at: str
    validation: Omittable[Validation]


def work_product_store(tx: Tx, call: WorkProductStore) -> WorkProductStored:
    """Keep what a task produced (a design, an implementation, a test plan, ...) under the task.
    Warns where the content lacks what its type usually holds; refuses it when the task's stream has a token budget
    (metadata.streamTokenBudget) that it would exceed.
    """
    task = require_task(tx, call.task_id, field="taskId")
    _refuse_over_budget(tx, task, call.content)
    flags = check(call.content, call.type)
    product = work_products.insert(
        tx,
        task_id=task.id,
        kind=call.type,
        title=call.title,
        content=call.content,
        metadata=_with_flags(call.metadata, flags, tx.at),
        confidence=call.confidence,
    )
    _write_diary(tx, task, product, flags)
    return WorkProductStored(
        id=product.id,
        task_id=task.id,
        summary=preview(product.content, _SUMMARY_UNITS),
        word_count=_count_words(product.content),
        created_at=product.created_at,
        validation=_validation(flags) if flags else None,
    )


def _refuse_over_budget(tx: ReadTx, task: Task, content: str) -> None:
    """Raise ConflictError when the stream of the task has a budget and this content does not fit in it.

    The stream is taken within the initiative of the task's PRD, and over all initiatives for a task without one.
    """
    if task.stream_id is None:
        return
    scope = Scope.of(activity_log.initiative_of_prd(tx, task.prd_id))
    rows = stream_rows.tasks_of(tx, task.stream_id, scope)
    budget = _budget(decode_metadata(row["metadata"]) for row in rows)
    if budget is None:
        return
    used = stream_rows.token_usage_of(tx, task.stream_id, scope.visible(include_archived=False))
    total = _tokens(used) + (_tokens(utf16_length(content)) if content.strip() else 0)
    if total > budget:
        raise ConflictError(
            f"the token budget of stream {task.stream_id} is exceeded: {total} of {whole(budget)} tokens (estimated); "
            "shorten the work product or raise metadata.streamTokenBudget of a task of the stream",
            field="content",
        )


def _budget(metadata: Iterable[dict[str, Any]]) -> float | None:
    """Return the largest budget that a task of the stream declares; what is no number above zero declares none."""
    declared = (entry.get("streamTokenBudget") for entry in metadata)
    numbers = (value for value in declared if isinstance(value, int | float) and not isinstance(value, bool))
    return max((value for value in numbers if value > 0), default=None)


def _tokens(characters: int) -> int:
    return math.ceil(characters / _CHARACTERS_PER_TOKEN)


def _with_flags(metadata: Metadata, flags: list[Flag], at: str) -> Metadata:
    if not flags:
        return metadata
    return {**metadata, "validation": {"flags": [flag.as_metadata() for flag in flags], "validatedAt": at}}


def _write_diary(tx: Tx, task: Task, product: WorkProduct, flags: list[Flag]) -> None:
    warnings = f" ({len(flags)} warnings)" if flags else ""
    activity_log.write(
        tx,
        activity_log.initiative_of_prd(tx, task.prd_id),
        kind="work_product_created",
        entity_type="work_product",
        entity_id=product.id,
        summary=f"Created {product.type}: {product.title}{warnings}",
    )


def _validation(flags: list[Flag]) -> Validation:
    return Validation(
        valid=False,
        flag_count=len(flags),
        warnings=[flag.message for flag in flags],
        rejected=False,
        feedback=feedback(flags),
    )


def _count_words(text: str) -> int:
    return len(text.split())


class WorkProductGet(ToolInput):
    """Arguments of work_product_get."""

    id: Identifier


class WorkProductDetails(ToolOutput):
    """A whole work product. `confidence` is null when the agent did not state any."""

    id: str
    task_id: str
    type: str
    title: str
    content: str
    metadata: Metadata
    created_at: str
    confidence: int | float | None


def work_product_get(tx: ReadTx, call: WorkProductGet) -> WorkProductDetails:
    """Read one work product with its whole content."""
    product = work_products.find(tx, call.id)
    if product is None:
        raise NotFoundError(f"Work product not found: {call.id}", field="id")
    return WorkProductDetails(
        id=product.id,
        task_id=product.task_id,
        type=product.type,
        title=product.title,
        content=product.content,
        metadata=product.metadata,
        created_at=product.created_at,
        confidence=_number(product.confidence),
    )


class WorkProductList(ToolInput):
    """Arguments of work_product_list."""

    task_id: Identifier


class WorkProductItem(ToolOutput):
    """A work product as work_product_list shows it: the first 300 characters of its content."""

    id: str
    type: str
    title: str
    summary: str
    word_count: int
    created_at: str
    confidence: int | float | None


WorkProductItems = ToolList[WorkProductItem]


def work_product_list(tx: ReadTx, call: WorkProductList) -> ToolList[WorkProductItem]:
    """List the work products of a task, newest first, with the beginning of their content."""
    task = require_task(tx, call.task_id, field="taskId")
    return WorkProductItems([_item(product) for product in work_products.of_task(tx, task.id)])


def _item(product: WorkProduct) -> WorkProductItem:
    return WorkProductItem(
        id=product.id,
        type=product.type,
        title=product.title,
        summary=preview(product.content, _SUMMARY_UNITS),
        word_count=_count_words(product.content),
        created_at=product.created_at,
        confidence=_number(product.confidence),
    )


def _number(confidence: float | None) -> int | float | None:
    return None if confidence is None else whole(confidence)


TOOLS: Final = (
    Tool(
        name="work_product_store", input=WorkProductStore, output=WorkProductStored, run=work_product_store, writes=True
    ),
    Tool(name="work_product_get", input=WorkProductGet, output=WorkProductDetails, run=work_product_get),
    Tool(name="work_product_list", input=WorkProductList, output=WorkProductItems, run=work_product_list),
)
