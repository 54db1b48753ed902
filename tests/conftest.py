"""What holds for every test: nothing blocks the event loop, the environment is clean, and events fit their schemas."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import HealthCheck, settings

from tests.helpers.vocabulary import check_events

settings.register_profile("ci", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("ci")

Size = TypeVar("Size")

OURS = ("TASKCOPILOT_", "TASK_DB_PATH", "WORKSPACE_ID", "HTTP_API_", "LOG_LEVEL")


def pytest_configure() -> None:
    """Let the processes that tests start be interrupted, also where a shell started the suite in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that scripts/test hands on."""
    parser.addoption("--all", action="store_true", help="run the fault and load tests at their full size")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked `full` in the fast profile, and say so."""
    if config.getoption("--all"):
        return
    left_out = pytest.mark.skip(reason="full size only: scripts/test --all")
    for item in items:
        if item.get_closest_marker("full"):
            item.add_marker(left_out)


@pytest.fixture
def size(request: pytest.FixtureRequest) -> Callable[[Size, Size], Size]:
    """Choose a test's size: `size(fast, full)` is the second with --all, and the first without."""
    everything: bool = request.config.getoption("--all")
    return lambda fast, full: full if everything else fast


@pytest.fixture
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Print a line of numbers that was measured; scripts/test shows it in the summary, passed or not."""
    return lambda line: request.node.user_properties.append(("measured", line))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what the tests measured."""
    lines = [
        f"{report.nodeid}: {line}"
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        for name, line in report.user_properties
        if name == "measured"
    ]
    if lines:
        terminalreporter.section("measured")
        for line in sorted(lines):
            terminalreporter.write_line(line)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no setting of whoever runs the tests into them."""
    for name in os.environ:
        if name.startswith(OURS):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def events_that_fit(request: pytest.FixtureRequest) -> Iterator[None]:
    """H12: fail a test in whose databases an event is not what its schema says, whichever process wrote it.

    The mark `other_events` is for tests that edit the log by hand, or declare a service of their own.
    """
    directory = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    yield
    if directory is not None and not request.node.get_closest_marker("other_events"):
        check_events(directory)


@pytest.fixture(autouse=True)
def no_blocking() -> Iterator[BlockBuster]:
    """Fail a test in which our code blocks the event loop."""
    with blockbuster_ctx("taskcopilot") as blockbuster:
        for name, function in blockbuster.functions.items():
            if "lock" in name.lower():
                function.deactivate()  # coverage takes locks inside of what it measures: wrapped, they can deadlock
            function.can_block_in("workspace.py", {"at", "of"})  # before anything is served
            function.can_block_in("follower.py", {"_metadata"})  # 2 us, and a thread hop would cost fifty
        yield blockbuster
