"""The documentation says what the code does, and every promise has a test."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from taskcopilot import errors
from taskcopilot.bridge.protocol import CloseCode, ErrorCode
from taskcopilot.rooms.protocol import Code
from taskcopilot.tools.table import REGISTRY

ROOT = Path(__file__).resolve().parent.parent.parent
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text("utf-8")
SERVICES = (ROOT / "docs" / "services.md").read_text("utf-8")
PROMISES = re.findall(r"^- \*\*([A-Z]\d+)\*\*", PROTOCOL + SERVICES, re.MULTILINE)


def test_the_tables_of_the_docs_are_those_of_the_code() -> None:
    """scripts/render_docs.py writes them anew."""
    result = subprocess.run(
        [sys.executable, "scripts/render_docs.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize("promise", PROMISES)
def test_every_promise_is_cited_by_a_test(promise: str) -> None:
    """A promise that nothing breaks is a wish."""
    cited = re.compile(rf"\b{promise}\b|{promise[0]}(\d+) to {promise[0]}(\d+)")
    number = int(promise[1:])
    for file in ROOT.glob("tests/**/test_*.py"):
        for match in cited.finditer(file.read_text("utf-8")):
            if match[1] is None or int(match[1]) <= number <= int(match[2]):
                return
    pytest.fail(f"no test cites {promise}")


def test_every_code_is_in_the_protocol() -> None:
    """Codes of errors, of messages, and of closing."""
    classes = [errors.BridgeError, *subclasses(errors.BridgeError)]
    wire = {cls.code for cls in classes} - {"PORT_TAKEN"}
    for code in (*wire, *ErrorCode, *(str(int(code)) for code in CloseCode)):
        assert f"`{code}`" in PROTOCOL or f"| {code} |" in PROTOCOL, code


def test_every_code_of_the_services_is_on_their_page() -> None:
    """What clients of the services are refused with."""
    for code in Code:
        assert f"`{code}`" in SERVICES, code


def test_every_tool_says_what_it_does() -> None:
    """In a sentence, and every argument has a type."""
    for tool in REGISTRY:
        assert len(tool.description) > 20, tool.name
        assert tool.description.endswith("."), tool.name


def test_the_python_of_the_readme_compiles() -> None:
    """Syntax at least; the client's tests run its calls."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        compile(block, "README.md", "exec")


def subclasses(cls: type) -> list[type]:
    """All classes below one."""
    return [found for sub in cls.__subclasses__() for found in (sub, *subclasses(sub))]
