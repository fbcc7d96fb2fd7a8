"""``python -m tests.soak.attacks``: each attack of ``tests/integration/attacks`` once, and what it costs the server.

For each attacked server, it prints whether the server held, the longest turn of its loop in processor time, the whole
processor time of the server and its child processes, and how long an owner waited for its Remote ID. Exits with 1 if an
attack succeeded.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar
from unittest import TestCase, TestResult, TestSuite, defaultTestLoader, mock

from tests import ROOT
from tests.soak.turn_clock import Longest
from tests.support.server_process import ServerProcess

ATTACKS = Path("tests", "integration", "attacks")
ROW = "{:84} {:>5} {:>9} {:>7}  {}"


class WatchedServer(ServerProcess):
    """A server that reports at its end what it has used."""

    rows: ClassVar[list[tuple[bool, float, float, list[str]]]] = []

    def __init__(self, *options: str, plain: str = "--port", **more: Any) -> None:
        self._is_secure = plain != "--port"
        self._clock = Path(tempfile.mkdtemp(prefix="turns-"), "turns")
        self._longest = Longest(self._clock)
        prefix = (sys.executable, "-m", "tests.soak.turn_clock", str(self._clock))
        super().__init__(*options, plain=plain, prefix=prefix, **more)

    def start(self) -> None:
        super().start()
        # Neither the start nor the turn that has answered this process belongs to the attack.
        time.sleep(0.2)
        self._longest.write(0, 0)
        self._began = processor_seconds(self.pid)

    def stop(self, *arguments: Any) -> int:
        if self.is_running():
            taken = processor_seconds(self.pid) - self._began
            waited = re.findall(r"won by proof after ([\d.]+) s", self.log())
            self.rows.append((self._is_secure, self._longest.read()[1], taken, waited))
        return super().stop(*arguments)

    def close(self) -> None:
        super().close()
        self._clock.unlink()
        self._clock.parent.rmdir()


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process and its children, ended ones included (proc(5))."""
    seconds = 0.0
    with suppress(OSError):
        process = Path("/proc", str(pid))
        fields = (process / "stat").read_text(encoding="ascii").rpartition(")")[2].split()
        seconds = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
        children = (process / "task" / str(pid) / "children").read_text(encoding="ascii").split()
        seconds += sum(processor_seconds(int(child)) for child in children)
    return seconds


def each_test(suite: TestSuite | TestCase) -> Iterator[TestCase]:
    """Yield the tests of a suite."""
    if isinstance(suite, TestSuite):
        for part in suite:
            yield from each_test(part)
    else:
        yield suite


def main() -> int:
    """Play all attacks; return the exit status."""
    held = True
    print(ROW.format("", "", "turn, ms", "CPU, s", ""))  # noqa: T201
    with mock.patch("tests.integration.attacks.base.ServerProcess", WatchedServer):
        for test in each_test(defaultTestLoader.discover(str(ROOT / ATTACKS), top_level_dir=str(ROOT))):
            WatchedServer.rows.clear()
            result = TestResult()
            test.run(result)
            held = held and result.wasSuccessful()
            name = test.id().removeprefix("tests.integration.attacks.")
            for is_secure, turn, taken, waited in sorted(WatchedServer.rows):
                outcome = "held" if result.wasSuccessful() else "FAILED"
                outcome += "".join(f", the owner after {seconds} s" for seconds in waited)
                via = "TLS" if is_secure else "TCP"
                print(ROW.format(name, via, f"{turn * 1000:.0f}", f"{taken:.1f}", outcome), flush=True)  # noqa: T201
            for _, problem in [*result.failures, *result.errors]:
                print(problem)  # noqa: T201
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
