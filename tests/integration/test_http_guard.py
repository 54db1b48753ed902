"""The guard at the door, over real sockets: no route lets a foreign page or a foreign name in (promise C2)."""

from __future__ import annotations

import pytest

from tests.helpers.raw import RawAnswer, raw, request
from tests.helpers.server import RunningServer

UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)

EVERYWHERE = [
    ("GET", "/health", ()),
    ("HEAD", "/health", ()),
    ("GET", "/api/tasks", ()),
    ("GET", "/api/streams/Stream-A", ()),
    ("GET", "/api/events", ()),
    ("POST", "/api/tools/task_list", ("Content-Type: application/json", "Content-Length: 2")),
    ("POST", "/api/streams/Stream-A/checkpoint", ()),
    ("GET", "/openapi.json", ()),
    ("GET", "/ws", ()),
    ("GET", "/ws", UPGRADE),
    ("GET", "/elsewhere", UPGRADE),
    ("GET", "/nothing/here", ()),
    ("OPTIONS", "/api/tasks", ("Access-Control-Request-Method: POST",)),
    ("DELETE", "/api/tasks", ()),
]


async def ask(server: RunningServer, method: str, target: str, *headers: str, host: str | None = None) -> RawAnswer:
    """Send a request as a browser would not; HEAD is read without a body."""
    data = request(method, target, *headers, host=f"localhost:{server.port}" if host is None else host)
    return await raw(server.port, data + (b"{}" if "Content-Length: 2" in headers else b""), head=method == "HEAD")


@pytest.mark.parametrize(("method", "target", "headers"), EVERYWHERE)
async def test_a_foreign_origin_is_refused_everywhere(
    server: RunningServer, method: str, target: str, headers: tuple[str, ...]
) -> None:
    """C2, before the upgrade and before a route is looked for."""
    answer = await ask(server, method, target, *headers, "Origin: http://evil.example")
    assert answer.status == 403
    assert method == "HEAD" or answer.json()["code"] == "FOREIGN_ORIGIN"


@pytest.mark.parametrize(("method", "target", "headers"), EVERYWHERE)
async def test_a_foreign_host_is_refused_everywhere(
    server: RunningServer, method: str, target: str, headers: tuple[str, ...]
) -> None:
    """C2: a page of evil.example, whose name now points to this machine, has its own origin on its side."""
    answer = await ask(server, method, target, *headers, host=f"evil.example:{server.port}")
    assert answer.status == 421
    assert method == "HEAD" or answer.json()["code"] == "FOREIGN_HOST"


@pytest.mark.parametrize(
    "origins",
    [
        ["http://evil.example"],
        ["null"],
        [""],
        ["http://localhost.evil.example"],
        ["http://127.0.0.1:1"],
        ["https://localhost:{port}"],
        ["http://localhost.:{port}"],
        ["http://user@localhost:{port}"],
        ["http://localhost:{port}", "http://localhost:{port}"],
    ],
    ids=repr,
)
async def test_a_foreign_page_opens_no_socket(server: RunningServer, origins: list[str]) -> None:
    """C2: cross-site WebSocket hijacking ends with 403 before the upgrade."""
    lines = [f"Origin: {origin.format(port=server.port)}" for origin in origins]
    assert (await ask(server, "GET", "/ws", *UPGRADE, *lines)).status == 403


@pytest.mark.parametrize("origin", [None, "http://localhost:{port}", "HTTP://127.0.0.1:{port}", "http://[::1]:{port}"])
async def test_programs_and_our_own_pages_open_a_socket(server: RunningServer, origin: str | None) -> None:
    """C2: no Origin is fine."""
    lines = () if origin is None else (f"Origin: {origin.format(port=server.port)}",)
    assert (await ask(server, "GET", "/ws", *UPGRADE, *lines)).status == 101


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:{port}", 200),
        ("LOCALHOST:{port}", 200),
        ("[::1]:{port}", 200),
        ("localhost.:{port}", 421),
        ("localhost", 421),
        ("localhost:1", 421),
        ("evil.example", 421),
    ],
)
async def test_the_name_decides(server: RunningServer, host: str, status: int) -> None:
    """C2: DNS rebinding."""
    assert (await ask(server, "GET", "/health", host=host.format(port=server.port))).status == status


async def test_an_absolute_target_must_be_ours_too(server: RunningServer) -> None:
    """C2: a good Host header does not cover for it."""
    assert (await ask(server, "GET", f"http://localhost:{server.port}/health")).status == 200
    assert (await ask(server, "GET", "http://evil.example/health")).status == 421


async def test_no_host_and_two_hosts_are_refused(server: RunningServer) -> None:
    """C2, and HTTP/1.1."""
    assert (await ask(server, "GET", "/health", host="")).status in (400, 421)
    assert (await ask(server, "GET", "/health", f"Host: localhost:{server.port}")).status in (400, 421)
    old = await raw(server.port, b"GET /health HTTP/1.0\r\n\r\n")
    assert old.status == 421


async def test_a_page_of_another_site_cannot_write(server: RunningServer) -> None:
    """C2: browsers say so in Sec-Fetch-Site; reading is refused to the page by the browser itself."""
    body = ("Content-Type: application/json", "Content-Length: 2")
    refused = await ask(server, "POST", "/api/tools/task_list", *body, "Sec-Fetch-Site: cross-site")
    assert (refused.status, refused.json()["code"]) == (403, "FOREIGN_ORIGIN")
    welcome = await ask(server, "POST", "/api/tools/task_list", *body, "Sec-Fetch-Site: same-origin")
    assert welcome.status == 200


async def test_a_refused_call_changes_nothing(server: RunningServer) -> None:
    """C2: the body is not even read."""
    async with server.http.post(
        "/api/tools/task_create", json={"title": "Planted"}, headers={"Origin": "http://evil.example"}
    ) as response:
        assert response.status == 403
    assert await server.call("task_list") == []


async def test_allowed_names_and_origins_are_let_in(serve) -> None:
    """C2: --allow-hosts and --allow-origins."""
    server = await serve(allow_hosts="bridge.example", allow_origins="https://app.example")
    assert (await ask(server, "GET", "/health", host="bridge.example")).status == 200
    assert (await ask(server, "GET", "/ws", *UPGRADE, "Origin: https://app.example")).status == 101
    assert (await ask(server, "GET", "/ws", *UPGRADE, "Origin: https://evil.example")).status == 403
