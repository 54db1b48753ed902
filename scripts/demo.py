"""Start a bridge of its own, run the repository's own plan on it with a live view, and stop it again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PLAN: Final = ROOT / "scripts" / "plans" / "check.toml"

GRACE: Final = 10
"""Seconds that the bridge may take to stop; it promises three."""


def main() -> int:
    """Return the exit code of the orchestration."""
    plan = Path(sys.argv[1]) if len(sys.argv) > 1 else PLAN
    with tempfile.TemporaryDirectory(prefix="taskcopilot-demo-") as directory:
        bridge = _start(Path(directory) / "tasks.db")
        try:
            url = _ready(bridge)
            print(f"A bridge of its own runs at {url}. Now the plan {plan.name}:\n", file=sys.stderr)
            orchestrate = [sys.executable, str(ROOT / "scripts" / "orchestrate.py"), str(plan), "--url", url]
            return subprocess.run([*orchestrate, "--directory", str(ROOT)], check=False).returncode
        finally:
            _stop(bridge)


def _start(database: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "taskcopilot", "serve", "--port", "0", "--db", str(database), "--json"]
    environment = os.environ | {"LOG_LEVEL": "warning"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def _ready(bridge: subprocess.Popen[str]) -> str:
    line = bridge.stdout.readline() if bridge.stdout else ""
    if not line:
        raise SystemExit(f"error: the bridge did not start (exit code {bridge.wait()})")
    return str(json.loads(line)["url"])


def _stop(bridge: subprocess.Popen[str]) -> None:
    bridge.send_signal(signal.SIGTERM)
    try:
        bridge.wait(GRACE)
    except subprocess.TimeoutExpired:
        bridge.kill()
        bridge.wait()


if __name__ == "__main__":
    sys.exit(main())
