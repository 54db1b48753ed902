"""HTTP by hand, for what no decent client would send."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import orjson

DEADLINE = 20.0
"""Seconds after which an answer counts as never coming; far above anything seen, the machines are shared."""


@dataclass
class RawAnswer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON."""
        return orjson.loads(self.body)


async def raw(port: int, data: bytes, *, head: bool = False) -> RawAnswer:
    """Send the bytes and read one answer; that to a HEAD has no body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        return await read_answer(reader, head=head)
    finally:
        writer.close()


async def read_answer(reader: asyncio.StreamReader, *, head: bool = False) -> RawAnswer:
    """Read one answer that says how long it is."""
    async with asyncio.timeout(DEADLINE):
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        body = b"" if head else await reader.readexactly(int(headers.get("content-length", "0")))
    return RawAnswer(int(lines[0].split()[1]), headers, body)


def request(method: str, target: str, *headers: str, body: bytes = b"", host: str = "localhost") -> bytes:
    """Build a request. Headers are whole lines; a Host header is added unless `host` is empty."""
    lines = [f"{method} {target} HTTP/1.1", *([f"Host: {host}"] if host else []), *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
