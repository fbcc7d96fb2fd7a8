"""Mark each test by the folder that it is in, and hold units to what they are: in memory and fast."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Generator, Iterator

import pytest

from tests import ROOT

KINDS = {"unit": "unit", "model": "long"}
"""The marks of folders; what is in any other one is `real`."""

OUTSIDE = {"subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty", "socket.bind", "socket.connect"}
MAX_SECONDS = 15.0
"""Of the processor's time: several times what any unit takes, on a slow machine too."""

for _number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        # A shell has what it runs in the background ignore the one, and nohup the other: so would all servers of tests.
        signal.signal(_number, lambda *_: None)

_is_unit = False
_went_outside: set[str] = set()


def _watch(event: str, arguments: object) -> None:
    if _is_unit and event in OUTSIDE:
        _went_outside.add(event)


sys.addaudithook(_watch)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them."""
    for item in items:
        folder = item.path.relative_to(ROOT / "tests").parts[0]
        item.add_marker(KINDS.get(folder, "real"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that skips for another reason than those that CI names (``.ci/run``)."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and "MAY_SKIP" in os.environ:
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if not re.search(os.environ["MAY_SKIP"] or "(?!)", reason):
            report.outcome, report.longrepr = "failed", f"{item.nodeid} must not be skipped here: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a unit that starts a process, opens a socket or takes long."""
    global _is_unit  # noqa: PLW0603 - an audit hook can't be removed again, only told
    if item.get_closest_marker("unit") is None:
        return (yield)
    _went_outside.clear()
    _is_unit, began = True, time.process_time()
    try:
        outcome = yield
    finally:
        _is_unit = False
    took = time.process_time() - began
    assert not _went_outside, f"a unit must not use {_went_outside}: such a test belongs in tests/integration"
    assert took < MAX_SECONDS or sys.gettrace() is not None, (
        f"a unit must not take {took:.1f} s: such a test belongs in tests/model"
    )
    return outcome
