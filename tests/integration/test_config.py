"""`taskcopilot config show`, and what the log of a bridge holds."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from taskcopilot.config import TABLE
from tests.helpers.peer import Peer
from tests.helpers.processes import bridge, run, running

CANARY = "canary-secret-0123456789-0123456789"


def test_every_setting_is_shown_with_where_it_comes_from(tmp_path: Path) -> None:
    """Flag, variable, the original's variable, default."""
    done = run(
        tmp_path,
        "config",
        "show",
        "--json",
        "--port",
        "7",
        TASKCOPILOT_MAX_BODY="9",
        HTTP_API_HOST="::1",
        LOG_LEVEL=" ",
    )
    assert done.returncode == 0, done.stderr
    told = {row["name"]: (row["value"], row["origin"]) for row in json.loads(done.stdout)}
    assert list(told) == [setting.name for setting in TABLE]
    assert told["port"] == (7, "--port")
    assert told["max_body"] == (9, "TASKCOPILOT_MAX_BODY")
    assert told["host"] == ("::1", "HTTP_API_HOST")
    assert told["log_level"] == ("info", "default")


def test_people_get_a_table(tmp_path: Path) -> None:
    """With --origin a third column; the database of `--db` anywhere on the line."""
    plain = run(tmp_path, "--db", "shop/tasks.db", "config", "show").stdout.splitlines()
    assert ["db", "shop/tasks.db"] in [line.split() for line in plain]
    full = run(tmp_path, "config", "show", "--origin", TASKCOPILOT_SERVICE_ADDRESSES="dhruva=0,akosha=::1:7").stdout
    rows = [line.split() for line in full.splitlines()]
    assert ["service_addresses", "dhruva=0,akosha=::1:7", "TASKCOPILOT_SERVICE_ADDRESSES"] in rows
    assert ["max_message_rate", "100", "default"] in rows


def test_secrets_are_masked(tmp_path: Path) -> None:
    """Wherever they come from and however they are shown, in errors too."""
    secrets = [setting for setting in TABLE if setting.is_secret]
    assert secrets
    for setting in secrets:
        for form in ([], ["--json"], ["--origin"]):
            shown = run(tmp_path, "config", "show", *form, **{setting.variable: CANARY})
            assert "********" in shown.stdout
            assert CANARY not in shown.stdout + shown.stderr


def test_a_wrong_value_is_named(tmp_path: Path) -> None:
    """As `serve` would."""
    done = run(tmp_path, "config", "show", "--json", TASKCOPILOT_PORT="x")
    assert done.returncode == 2
    assert json.loads(done.stderr)["field"] == "TASKCOPILOT_PORT"


def test_the_log_of_a_bridge_is_json_with_connections_and_without_secrets(tmp_path: Path) -> None:
    """Standard error is no terminal here; the tokens of clients and the secret of the services are in no line."""
    options = ("--log-level", "debug", "--services", "dhruva", "--service-addresses", "dhruva=0")
    with bridge(tmp_path, *options, TASKCOPILOT_SERVICES_SECRET=CANARY) as (process, ready):
        with Peer(ready["url"]) as peer:
            peer.subscribe("task:*")
        with Peer(ready["url"], "/ws/dhruva") as peer:
            peer.send({"type": "request", "event": "auth", "data": {"token": CANARY}})
            peer.read_to_end()
        process.stop(signal.SIGTERM)
        text = process.err.text()
    assert CANARY not in text
    records = [json.loads(line) for line in text.splitlines()]
    connects = [record for record in records if record["message"].startswith("a client connects")]
    assert len(connects[0]["connection"]) == 36
    assert any("stopping" in record["message"] for record in records)


def test_mcp_logs_to_standard_error_only(tmp_path: Path) -> None:
    """Standard output belongs to the protocol."""
    with running(tmp_path, "mcp", "--port", "0", "--log-level", "debug", "--db", "tasks.db") as process:
        served = json.loads(process.err.until(lambda line: "is served at" in line))
        assert served["level"] == "info"
        process.stdin.close()
        assert process.wait() == 0
        assert process.out.text() == ""
