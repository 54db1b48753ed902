"""GET / and its files: what browsers are told about them, and what is in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from taskcopilot.web.routes.dashboard import POLICY
from tests.helpers.server import RunningServer

FILES = Path(__file__).parents[2] / "taskcopilot" / "web" / "dashboard"
NAMES = sorted(path.name for path in FILES.iterdir())
SCRIPTS = [name for name in NAMES if name.endswith(".js")]

MARKUP = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|createContextualFragment|DOMParser")
CODE = re.compile(r"\beval\b|new Function|set(?:Timeout|Interval)\(\s*[\"'`]|javascript:")


async def test_the_page_is_html_under_a_strict_policy(server: RunningServer) -> None:
    """No script, style or connection but ours, no frame around it, and no guessing of types."""
    async with server.http.get("/") as response:
        assert (response.status, response.content_type) == (200, "text/html")
        assert response.headers["Content-Security-Policy"] == POLICY
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        page = await response.text()
    for directive in ("default-src 'self'", "connect-src 'self' ws:", "frame-ancestors 'none'", "object-src 'none'"):
        assert directive in POLICY
    assert "unsafe" not in POLICY
    assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=|https?://", page)


async def test_whoever_has_the_page_gets_304(server: RunningServer) -> None:
    """The tag is that of the bytes; every load asks, so that a new version is seen at once."""
    async with server.http.get("/") as response:
        tag, caching = response.headers["ETag"], response.headers["Cache-Control"]
    assert caching == "no-cache"
    async with server.http.get("/", headers={"If-None-Match": tag}) as response:
        assert (response.status, await response.read()) == (304, b"")
        assert response.headers["ETag"] == tag
    async with server.http.get("/", headers={"If-None-Match": '"another"'}) as response:
        assert response.status == 200


async def test_everything_that_the_page_refers_to_is_served(server: RunningServer) -> None:
    """Offline: each reference, in the page and in its modules, is a file of ours with its type."""
    text = "".join((FILES / name).read_text("utf-8") for name in NAMES)
    wanted = set(re.findall(r'"/dashboard/([\w.-]+)"', text)) | set(re.findall(r'from "\./([\w.-]+)"', text))
    assert wanted == set(NAMES) - {"index.html"}
    for name in wanted:
        async with server.http.get(f"/dashboard/{name}") as response:
            assert response.status == 200, name
            assert (
                response.content_type
                == {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}[Path(name).suffix]
            )
            assert await response.read() == (FILES / name).read_bytes()


@pytest.mark.parametrize(
    "name", ["nothing.js", "..%2froutes%2fdashboard.py", "%2e%2e%2fapp.py", ".js", "__init__.py", "%00"]
)
async def test_no_other_file_is_served(server: RunningServer, name: str) -> None:
    """A name is looked up in a table, never in the file system."""
    problem = await server.get(f"/dashboard/{name}", expect=404)
    assert problem["code"] == "NOT_FOUND"


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_script_makes_markup_or_code_of_text(name: str) -> None:
    """Titles of tasks are anybody's: text only ever becomes text."""
    script = (FILES / name).read_text("utf-8")
    assert not MARKUP.search(script)
    assert not CODE.search(script)


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith((".js", ".css"))])
def test_no_file_outgrows_what_a_screen_explains(name: str) -> None:
    """The house's limit."""
    assert len((FILES / name).read_text("utf-8").splitlines()) <= 250
