"""The Python example of a service's client, run as its page says."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from tests.helpers.processes import Running, running

ROOT = Path(__file__).resolve().parents[2]


def test_two_of_the_example_draw_one_diagram(tmp_path: Path) -> None:
    """Each draws on top of the other, hears the other's updates, and that the other went away."""
    code = (ROOT / "examples" / "channel_client.py").read_text("utf-8")
    serve = ("serve", "--services", "excalidraw", "--service-addresses", "excalidraw=0", "--port", "0", "--json")
    with contextlib.ExitStack() as stack:
        service = stack.enter_context(running(tmp_path, *serve, "--db", "tasks.db"))
        url = json.loads(service.out.next())["services"]["excalidraw"]

        def start(user: str) -> Running:
            flags = ("--url", url, "--diagram", "plan", "--user", user)
            path = str(ROOT / "client")
            return stack.enter_context(running(tmp_path, *flags, code=code, PYTHONPATH=f"{path}:{ROOT}"))

        ann = start("ann")
        assert json.loads(ann.out.next()) == {"drawn": 1}
        ben = start("ben")
        assert json.loads(ben.out.next()) == {"drawn": 2}
        joined, updated = json.loads(ann.out.next()), json.loads(ann.out.next())
        assert (joined["event"], joined["data"]["user_id"]) == ("user.joined", "ben")
        assert (updated["event"], updated["data"]["version"]) == ("diagram.updated", 2)
        assert [box["id"] for box in updated["data"]["elements"]] == ["box-of-ann", "box-of-ben"]
        ben.popen.kill()
        left = json.loads(ann.out.next())
        assert (left["event"], left["data"]["user_id"]) == ("user.left", "ben")
