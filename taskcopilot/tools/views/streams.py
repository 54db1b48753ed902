"""GET /api/streams and GET /api/streams/:id."""

from __future__ import annotations

from taskcopilot.store.transaction import ReadTx
from taskcopilot.tools.fields import ToolOutput
from taskcopilot.tools.stream_info import StreamDetail, StreamInfo
from taskcopilot.tools.streams import read_stream, read_streams

__all__ = ["StreamViews", "all_streams", "get_stream", "list_streams"]


class StreamViews(ToolOutput):
    """Streams by phase and name, and how many there are."""

    streams: list[StreamInfo]
    total_streams: int


def list_streams(tx: ReadTx, *, initiative_id: str | None = None, include_archived: bool = False) -> StreamViews:
    """Return the streams of an initiative, by default of the current one; an unknown initiative has none."""
    streams = read_streams(tx, initiative_id=initiative_id, include_archived=include_archived)
    return StreamViews(streams=streams, total_streams=len(streams))


def all_streams(tx: ReadTx) -> list[StreamInfo]:
    """Return the streams of all initiatives that have tasks which are not archived."""
    return read_streams(tx, everywhere=True)


def get_stream(tx: ReadTx, stream_id: str, *, include_archived: bool = False) -> StreamDetail:
    """Return one stream with its tasks over all initiatives; raises NotFoundError with the detail `streamId`.

    A stream whose tasks are all archived is not found unless `include_archived`.
    """
    return read_stream(tx, stream_id, include_archived=include_archived)
