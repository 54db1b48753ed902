"""GET /api/streams and GET /api/streams/:id."""

from __future__ import annotations

from taskcopilot.auth.access import View
from taskcopilot.store.transaction import ReadTx
from taskcopilot.tools.fields import ToolOutput
from taskcopilot.tools.stream_info import StreamDetail, StreamInfo, stream_not_found
from taskcopilot.tools.streams import read_stream, read_streams

__all__ = ["StreamViews", "all_streams", "get_stream", "list_streams"]


class StreamViews(ToolOutput):
    """Streams by phase and name, and how many there are."""

    streams: list[StreamInfo]
    total_streams: int


def list_streams(
    tx: ReadTx, *, initiative_id: str | None = None, include_archived: bool = False, sight: View | None = None
) -> StreamViews:
    """Return the streams of an initiative, by default of the current one; an unknown initiative has none.

    `sight` is what the caller sees, None for everything; here and below.
    """
    streams = read_streams(tx, initiative_id=initiative_id, include_archived=include_archived)
    if sight is not None:
        streams = [stream for stream in streams if sight.sees_stream(stream.stream_id)]
    return StreamViews(streams=streams, total_streams=len(streams))


def all_streams(tx: ReadTx) -> list[StreamInfo]:
    """Return the streams of all initiatives that have tasks which are not archived."""
    return read_streams(tx, everywhere=True)


def get_stream(
    tx: ReadTx, stream_id: str, *, include_archived: bool = False, sight: View | None = None
) -> StreamDetail:
    """Return one stream with its tasks over all initiatives; raises NotFoundError with the detail `streamId`.

    A stream whose tasks are all archived is not found unless `include_archived`.
    """
    if sight is not None and not sight.sees_stream(stream_id):
        raise stream_not_found(stream_id)
    return read_stream(tx, stream_id, include_archived=include_archived)
