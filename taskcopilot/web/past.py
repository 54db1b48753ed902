"""What clients may need of the stored past: see `Past` in bridge/connection.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

from pydantic import BaseModel

from taskcopilot.bridge.hub import Hub
from taskcopilot.core import Core
from taskcopilot.store import task_rows
from taskcopilot.store.transaction import ReadTx
from taskcopilot.tools.in_view import first_hidden
from taskcopilot.tools.task_view import encoded
from taskcopilot.tools.views.streams import all_streams
from taskcopilot.topics import Selector

__all__ = ["StoredPast"]

MAX_SCAN: Final = 20_000
"""Events that one `last` looks back at: whoever asks for what hardly ever happens gets fewer."""


class StoredPast:
    """The past, from the database of this process."""

    def __init__(self, core: Core, hub: Hub) -> None:
        self._core = core
        self._hub = hub

    async def refresh(self) -> None:
        """See Past."""
        await self._core.recorder.catch_up()
        self._hub.note_pruned((await self._core.database.log_state()).pruned_to)

    async def seq_before_last(self, selectors: Sequence[Selector], count: int) -> int:
        """See Past."""
        seq, scanned = self._hub.head + 1, 0
        while scanned < MAX_SCAN and (page := await self._core.database.read_log_before(seq)):
            for event in page:
                seq = event.seq
                if any(selector.matches(event.topic, event.type, event.rooms, event.about) for selector in selectors):
                    count -= 1
                    if not count:
                        return seq - 1
            scanned += len(page)
        return seq - 1

    async def first_hidden(self, selectors: Sequence[Selector]) -> int | None:
        """See Past."""
        return await self._core.database.read(partial(first_hidden, selectors))

    async def snapshot(self, selectors: Sequence[Selector]) -> tuple[int, bytes]:
        """See Past."""
        return await self._core.database.read(partial(_snapshot, selectors))


def _snapshot(selectors: Sequence[Selector], tx: ReadTx) -> tuple[int, bytes]:
    """Read and encode on the reader's thread: a large workspace takes a while."""

    def wanted(topic: str, *about: str) -> bool:
        return any(selector.pattern.matches(topic) and selector.may_see(topic, about) for selector in selectors)

    streams = (stream for stream in all_streams(tx) if wanted(f"stream:{stream.stream_id}"))
    rows = task_rows.newest(tx, where={})
    if any(selector.view is not None for selector in selectors):
        stream_of = task_rows.streams(tx)
        tasks = [row for row in rows if wanted(f"task:{row['id']}", f"stream:{stream_of.get(row['id'], '')}")]
    else:
        tasks = [row for row in rows if wanted(f"task:{row['id']}")]
    state = b'{"streams":[%b],"tasks":[%b]}' % (_joined(streams), b",".join(encoded(tasks)))
    return tx.value("SELECT head FROM log_state WHERE id = 1"), state


def _joined(models: Iterable[BaseModel]) -> bytes:
    return b",".join(model.model_dump_json().encode() for model in models)
