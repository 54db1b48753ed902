"""Request bodies: whatever comes, it is never a 500 and changes nothing (promise H5)."""

from __future__ import annotations

import asyncio
import gzip
import zlib

import orjson
import pytest

from taskcopilot.json_values import MAX_DEPTH
from tests.helpers.raw import raw, read_answer, request
from tests.helpers.server import RunningServer
from tests.helpers.waiting import until

TOOL = "/api/tools/task_create"
JSON = {"Content-Type": "application/json"}


async def post(server: RunningServer, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, dict]:
    """POST bytes to task_create and return the status and the problem, after a look that nothing was changed."""
    async with server.http.post(TOOL, data=body, headers=JSON if headers is None else headers) as response:
        answer = await response.json(content_type=None)
    if response.status != 200:
        assert response.content_type == "application/problem+json"
        assert await server.call("task_list") == []
    return response.status, answer


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=UTF-8", "application/x+json"])
async def test_json_is_taken_by_any_of_its_names(server: RunningServer, content_type: str) -> None:
    """H5."""
    status, answer = await post(server, b'{"title":"Ship it"}', {"Content-Type": content_type})
    assert (status, answer["status"]) == (200, "pending")


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/jsonp"},
        {"Content-Type": "text/plain; application/json"},
        {"Content-Type": ""},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json; charset=no-such-thing"},
        JSON | {"Content-Encoding": "gzip"},
        JSON | {"Content-Encoding": "br"},
    ],
    ids=str,
)
async def test_what_is_not_said_to_be_json_is_415(server: RunningServer, headers: dict[str, str]) -> None:
    """H5: pages of other origins can send these types without asking."""
    status, problem = await post(server, b'{"title":"Ship it"}', headers)
    assert (status, problem["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert problem["error"] == "Unsupported Media Type"


async def test_a_body_without_a_type_is_415(server: RunningServer) -> None:
    """H5: nor is one that says nothing."""
    data = request("POST", TOOL, body=b'{"title":"Ship it"}', host=f"localhost:{server.port}")
    assert (await raw(server.port, data)).status == 415


BROKEN = {
    "nothing": b"",
    "blank": b"  ",
    "half": b'{"title":',
    "two": b'{"title":"a"}{"title":"b"}',
    "single quotes": b"{'title':'a'}",
    "a comment": b'{"title":"a" /* b */}',
    "NaN": b'{"title":"a","metadata":{"x":NaN}}',
    "Infinity": b'{"title":"a","metadata":{"x":-Infinity}}',
    "beyond a double": b'{"title":"a","metadata":{"x":1e999}}',
    "5,000 digits": b'{"title":"a","metadata":{"x":' + b"9" * 5_000 + b"}}",
    "no UTF-8": b'{"title":"\xff\xfe"}',
    "overlong": b'{"title":"\xc0\xaf"}',
    "a surrogate": b'{"title":"\xed\xa0\x80"}',
    "an escaped surrogate": b'{"title":"\\ud800"}',
    "UTF-16": '{"title":"a"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + b'{"title":"a"}',
    "raw control characters": b'{"title":"a\x00b"}',
    "deep": b'{"title":"a","metadata":' + b'{"x":' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH + b"}",
    "deeper than a parser": b"[" * 100_000,
    "deep and closed": b'{"title":"a","metadata":{"x":' + b"[" * 1_000 + b"]" * 1_000 + b"}}",
    "an array": b'[{"title":"a"}]',
    "a string": b'"title"',
    "null": b"null",
    "a number": b"5",
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_body_is_400(server: RunningServer, name: str) -> None:
    """H5: malformed, too deep, badly encoded."""
    status, problem = await post(server, BROKEN[name])
    assert (status, problem["code"]) == (400, "INVALID_ARGUMENT")
    assert problem["error"] == "Bad Request"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"title":"a","metadata":{"x":9223372036854775808}}', "metadata.x"),
        (b'{"title":"a","metadata":{"x":[[18446744073709551615]]}}', "metadata.x.0.0"),
    ],
)
async def test_a_number_beyond_64_bits_is_400(server: RunningServer, body: bytes, field: str) -> None:
    """H5, H4: what the database cannot hold is refused by its place."""
    status, problem = await post(server, body)
    assert (status, problem["code"], problem["field"]) == (400, "INVALID_ARGUMENT", field)


async def test_depth_and_numbers_at_the_limit_are_taken(server: RunningServer) -> None:
    """H5: the limits are no lower than said."""
    deep: dict = {"last": 2**63 - 1, "first": -(2**63) + 1, "digits": "9" * 40}
    for _ in range(MAX_DEPTH - 2):
        deep = {"x": deep}
    status, answer = await post(server, orjson.dumps({"title": "Deep", "metadata": deep}))
    assert status == 200
    stored = await server.call("task_get", id=answer["id"])
    assert {**stored["metadata"], "activationMode": None} == deep | {"activationMode": None}


async def test_a_body_above_the_limit_is_413(serve) -> None:
    """H5: by its declared length, and by its real one."""
    server = await serve(max_body=1_000)
    exact = b'{"title":"' + b"a" * (1_000 - 12) + b'"}'
    assert (await post(server, exact + b" "))[0] == 413
    status, answer = await post(server, exact)
    assert (status, answer["status"]) == (200, "pending")

    async def chunks():
        for _ in range(20):
            yield b" " * 100

    async with server.http.post(TOOL, data=chunks(), headers=JSON) as response:
        assert response.status == 413
        assert (await response.json(content_type=None))["code"] == "PAYLOAD_TOO_LARGE"


async def test_a_body_is_not_read_when_its_length_is_too_much_already(server: RunningServer) -> None:
    """H5: the answer does not wait for what would be thrown away."""
    head = request(
        "POST", TOOL, "Content-Type: application/json", "Content-Length: 99999999", host=f"[::1]:{server.port}"
    )
    assert (await raw(server.port, head)).status == 413


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_compressed_bomb_is_not_unpacked(server: RunningServer, encoding: str) -> None:
    """H5: 40 MB in 40 KB are refused by their name."""
    pack = gzip.compress if encoding == "gzip" else zlib.compress
    status, _ = await post(server, pack(b" " * 40_000_000), JSON | {"Content-Encoding": encoding})
    assert status == 415


async def test_a_broken_chunk_is_400(server: RunningServer) -> None:
    """H5."""
    headers = ("Content-Type: application/json", "Transfer-Encoding: chunked")
    data = request("POST", TOOL, *headers, host=f"localhost:{server.port}") + b"zz\r\n{}\r\n0\r\n\r\n"
    assert (await raw(server.port, data)).status == 400


async def test_a_chunk_that_breaks_later_is_given_up(server: RunningServer) -> None:
    """H5: aiohttp does not always tell who reads already; then the time for the body ends it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    headers = ("Content-Type: application/json", "Transfer-Encoding: chunked")
    writer.write(request("POST", TOOL, *headers, host=f"localhost:{server.port}") + b"1\r\n{\r\n")
    await until(lambda: server.clock.sleeping(10.0), "the server reading the body")
    writer.write(b"zz\r\n}\r\n")
    await writer.drain()
    server.clock.advance(10.0)
    answer = await read_answer(reader)
    writer.close()
    assert answer.status in (400, 408)


async def test_length_and_chunks_together_are_400(server: RunningServer) -> None:
    """Request smuggling is aiohttp's to refuse, and it does."""
    headers = ("Content-Type: application/json", "Content-Length: 2", "Transfer-Encoding: chunked")
    data = request("POST", TOOL, *headers, host=f"localhost:{server.port}") + b"2\r\n{}\r\n0\r\n\r\n"
    assert (await raw(server.port, data)).status == 400


async def test_a_body_that_drips_is_given_up(server: RunningServer) -> None:
    """H5: 408 after ten seconds, however lively the drip."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    headers = ("Content-Type: application/json", "Content-Length: 100")
    writer.write(request("POST", TOOL, *headers, host=f"localhost:{server.port}") + b'{"tit')
    await until(lambda: server.clock.sleeping(10.0), "the server reading the body")
    server.clock.advance(10.0 - 1)
    writer.write(b"l")
    await writer.drain()
    server.clock.advance(1)
    answer = await read_answer(reader)
    writer.close()
    assert (answer.status, answer.json()["code"]) == (408, "REQUEST_TIMEOUT")


async def test_a_peer_that_leaves_in_the_middle_troubles_nobody(
    server: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    """H5: nothing is changed, nothing is logged as a defect."""
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    headers = ("Content-Type: application/json", "Content-Length: 100")
    writer.write(request("POST", TOOL, *headers, host=f"localhost:{server.port}") + b'{"title":"a"')
    await until(lambda: server.clock.sleeping(10.0), "the server reading the body")
    writer.close()
    await until(lambda: not server.clock.sleeping(10.0), "the server giving up")
    assert (await server.get("/health"))["seq"] == 0
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
