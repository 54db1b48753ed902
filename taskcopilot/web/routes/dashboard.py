"""GET / and GET /dashboard/{file}: the page that shows a run, as plain files out of the package.

Nothing is built and nothing comes from elsewhere: the page works offline. The files are those of one directory, read
once; a name that is not among them is not looked for.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from aiohttp import hdrs, web

from taskcopilot.web.route import Route

__all__ = ["POLICY", "ROUTES"]

_DIRECTORY: Final = Path(__file__).parent.parent / "dashboard"

_PAGE: Final = "index.html"

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""The kinds of files that are served; anything else in the directory is not."""

POLICY: Final = (
    "default-src 'self'; connect-src 'self' ws:; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""No script or style but our files, and no text that becomes markup: titles of tasks are anybody's."""

_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    hdrs.CACHE_CONTROL: "no-cache",
}


@dataclass(frozen=True, slots=True)
class _File:
    """A file as it is sent; `tag` changes when its bytes do."""

    body: bytes
    media: str
    tag: str


async def get_dashboard(request: web.Request) -> web.Response:
    """Answer the page."""
    return await _answer(request, _PAGE)


async def get_dashboard_file(request: web.Request) -> web.Response:
    """Answer one of the page's files; 404 for any other name."""
    return await _answer(request, request.match_info["file"])


async def _answer(request: web.Request, name: str) -> web.Response:
    """Answer a file, or 304 to who has it: a new version of the package is seen at the next load."""
    file = (await asyncio.to_thread(_files)).get(name)
    if file is None:
        raise web.HTTPNotFound
    known = {tag.value for tag in request.if_none_match or ()}
    response = web.Response(status=304) if file.tag in known else web.Response(body=file.body)
    response.headers.update(_HEADERS)
    if response.status == web.HTTPOk.status_code:
        response.headers[hdrs.CONTENT_TYPE] = file.media
    response.etag = file.tag
    return response


@cache
def _files() -> Mapping[str, _File]:
    """Read the directory, once in the life of the process."""
    found = (path for path in sorted(_DIRECTORY.iterdir()) if path.suffix in _TYPES)
    return MappingProxyType({path.name: _read(path) for path in found})


def _read(path: Path) -> _File:
    body = path.read_bytes()
    return _File(body, _TYPES[path.suffix], hashlib.sha256(body).hexdigest()[:16])


ROUTES: Final = (
    Route(
        method="GET",
        path="/",
        handler=get_dashboard,
        summary="The dashboard: a page for people",
        answer={"type": "string"},
        media="text/html",
    ),
    Route(
        method="GET",
        path="/dashboard/{file}",
        handler=get_dashboard_file,
        summary="A script, style or image of the dashboard",
        answer={"type": "string"},
        media="text/*",
        problems=(404,),
    ),
)
