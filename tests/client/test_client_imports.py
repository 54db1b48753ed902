"""What importing and using the client costs, seen in fresh interpreters."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import task_copilot_client
from tests.client.fake_bridge import FakeBridge

CLIENT = Path(task_copilot_client.__file__).parent.parent
HEAVY = "{'requests', 'websocket', 'aiohttp', 'pydantic', 'taskcopilot', 'mcp', 'orjson', 'click', 'asyncio'}"


def run(code: str, **environment: str) -> str:
    """Run code in an interpreter that sees the client and installed packages; return what it prints."""
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(CLIENT)} | environment
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=variables, capture_output=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_importing_loads_the_standard_library_only() -> None:
    """Neither the two dependencies nor anything of the server's; the rest is loaded when it is needed."""
    code = f"import sys, task_copilot_client; print(sorted({HEAVY} & set(sys.modules)))"
    assert run(code).strip() == "[]"


def test_importing_is_quick() -> None:
    """Below 150 ms of processor time, whatever else the machine does."""
    code = (
        "import time; start = time.process_time(); import task_copilot_client; "
        "print(time.process_time() - start < 0.15)"
    )
    assert run(code).strip() == "True"


def test_all_names_are_there() -> None:
    """`__all__` is the public API."""
    code = "from task_copilot_client import *; print(TaskCopilotClient.__name__, ToolError.__name__)"
    assert run(code).split() == ["TaskCopilotClient", "ToolError"]


def test_following_over_a_websocket_loads_no_requests(bridge: FakeBridge) -> None:
    """`requests` takes a tenth of a second, and is for polling and tools."""
    code = f"""
import sys
from task_copilot_client import TaskCopilotClient
with TaskCopilotClient({bridge.url!r}) as client:
    client.subscribe(["*"], print)
    print(client.mode, "requests" in sys.modules)
"""
    assert run(code).split() == ["websocket", "False"]


def test_without_websocket_client_it_polls(bridge: FakeBridge) -> None:
    """A broken installation is a warning, not a crash."""
    code = f"""
import sys
sys.modules["websocket"] = None
from task_copilot_client import TaskCopilotClient
with TaskCopilotClient({bridge.url!r}) as client:
    print(client.mode)
"""
    assert run(code).split() == ["http"]


def test_ascii_terminals_are_no_danger(bridge: FakeBridge) -> None:
    """With debug, foreign letters, and stdout and stderr that take ASCII only."""
    code = f"""
from task_copilot_client import TaskCopilotClient
with TaskCopilotClient({bridge.url!r}, debug=True) as client:
    client.subscribe(["task:\\u2713"], lambda *_: None)
    client.unsubscribe(["task:\\u2717"])
client.api_base
"""
    assert run(code, LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0") == ""
