"""Which tests are units: everything in memory, and fast. `make unit` runs those alone.

Others are named here, by file or by class, and held to it: a test that is not named must not start a process or open a
socket, and not take long.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import pytest

REAL = {
    "test_access_lists.ProcessTest",
    "test_asyncapi",
    "test_benchmark",
    "test_check.OnlineTests",
    "test_check.WebRtcTests",
    "test_cluster_process",
    "test_cluster_recipes",
    "test_configuration.CheckConfigTest",
    "test_conformance",
    "test_docker",
    "test_doctor",
    "test_doctor_logic",
    "test_end_to_end",
    "test_exhaustion",
    "test_habits.CommandTest",
    "test_hosting",
    "test_install",
    "test_late_pong",
    "test_logs.ProcessTest",
    "test_metrics.ProcessTest",
    "test_nats_bus.AdmissionTest",
    "test_nats_bus.StartTest",
    "test_openapi",
    "test_operator",
    "test_page_looks",
    "test_process",
    "test_proxies",
    "test_purity",
    "test_readme",
    "test_reload",
    "test_reuse_port",
    "test_service",
    "test_socket_activation",
    "test_state_file.FileTest",
    "test_stopping",
    "test_systemd",
    "test_tls_process",
    "test_turn.RelayTest",
    "test_turn.StartTest",
}
"""Processes, sockets, browsers, proxies."""

LONG = {
    "test_cluster_model",
    "test_flat_growth",
    "test_fuzz",
    "test_hub_model.HubModelTest",
    "test_leaving_model",
    "test_resources.MemoryTest",
    "test_short_path.SameTest",
    "test_tls_renewal",
}
"""In memory, but they try hundreds of things by chance, or let weeks pass."""

OUTSIDE = {"subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty", "socket.bind", "socket.connect"}
MOST_SECONDS = 5.0
"""Of the processor's time, which doesn't depend on what else the machine does; ten times what any unit takes."""

_unit = False
_went_outside: set[str] = set()


def _watch(event: str, arguments: object) -> None:
    if _unit and event in OUTSIDE:
        _went_outside.add(event)


sys.addaudithook(_watch)


def _name(item: pytest.Item) -> set[str]:
    """What a test may be named by in the sets above."""
    kind = getattr(item, "cls", None)
    return {item.path.stem, f"{item.path.stem}.{kind.__name__}"} if kind else {item.path.stem}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them."""
    for item in items:
        names = _name(item)
        if names & REAL:
            item.add_marker("real")
        elif names & LONG:
            item.add_marker("long")
        else:
            item.add_marker("unit")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Hold a unit to what it says."""
    global _unit  # noqa: PLW0603 - an audit hook can't be removed again, only told
    if item.get_closest_marker("unit") is None:
        return (yield)
    _went_outside.clear()
    _unit, began = True, time.process_time()
    try:
        outcome = yield
    finally:
        _unit = False
    took = time.process_time() - began
    assert not _went_outside, f"no unit, says {_went_outside}: name it in {__file__}"
    assert took < MOST_SECONDS or sys.gettrace() is not None, f"no unit, it takes {took:.1f} s: name it there"
    return outcome
