"""Rules for all modules of a layer, or for all there are."""

from __future__ import annotations

import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.support.server_process import child_environment

CODE = """
import sys
import ma_signaling.cluster.node
import ma_signaling.core.hub
forbidden = {"twisted", "autobahn", "txaio", "zope", "nats", "asyncio"}
print([name for name in sys.modules if name.partition(".")[0] in forbidden])
"""

PLAIN_SERVER = """
import sys
from twisted.application.app import run
from twisted.scripts._twistd_unix import ServerOptions, UnixApplicationRunner
run(lambda options: UnixApplicationRunner(options).createOrGetApplication(), ServerOptions)
optional = {
    "OpenSSL", "click", "cryptography", "nats", "prometheus_client", "pycparser", "tomllib",
    "autobahn.twisted.wamp", "twisted.spread.pb", "twisted.web.util", "websockets.version",
    "ma_signaling.acme", "ma_signaling.admin.site", "ma_signaling.cluster", "ma_signaling.http.web_app",
    "ma_signaling.http.web_app_pages", "ma_signaling.runtime.certificates", "ma_signaling.runtime.check_config",
    "ma_signaling.runtime.proof_process",
}
print(sorted(optional & sys.modules.keys()))
"""

PATTERNS = r"""
import pkgutil, re, sys
from importlib import import_module
import ma_signaling

def repeats_a_group(pattern):
    text = pattern if isinstance(pattern, str) else pattern.decode("latin-1")
    plain = re.sub(r"\\.|\[\^?\]?(?:\\.|[^]\\])*\]", "x", text)
    return re.search(r"\)(?:[*+?]|\{[\d,]+\})\+|\(\?>", plain) is not None

names = [each.name for each in pkgutil.walk_packages(ma_signaling.__path__, "ma_signaling.")]
# What the command "check" uses of Autobahn can't be loaded beside what the server uses.
names = [name for name in names if name.startswith("ma_signaling.check") == (sys.argv[1] == "check")]
modules = [import_module(name) for name in names if not name.endswith("__main__")]
patterns = {each for module in modules for each in vars(module).values() if type(each) is re.Pattern}
assert patterns
assert repeats_a_group("(?:[^a]|b)*+") and repeats_a_group("(a)?+") and not repeats_a_group("[)*+]*+")
print([each.pattern for each in patterns if repeats_a_group(each.pattern)])
"""


class PurityTest(SynchronousTestCase):
    """What importing shows."""

    def printed(self, code: str, *arguments: str) -> str:
        command = [sys.executable, "-c", code, *arguments]
        # What `make coverage` has in every process imports things itself.
        environment = {
            name: value for name, value in child_environment().items() if not name.startswith("COVERAGE_")
        }
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def test_no_twisted(self) -> None:
        """The core, and what nodes of a cluster think, know nothing of sockets: plain objects suffice to test them."""
        assert self.printed(CODE) == "[]"

    def test_a_plain_server_imports_nothing_optional(self) -> None:
        """Each of these takes time at every start, and memory."""
        # The first may make twistd's cache of plugins, for which it imports them.
        for attempt in range(2):
            imported = self.printed(
                PLAIN_SERVER, "--nodaemon", "--pidfile=", "ma-signaling", "--port", "tcp6:0"
            )
            assert imported == "[]" or attempt == 0

    def test_no_possessive_quantifier_of_a_group(self) -> None:
        """Before Python 3.11.5, one that fails counts as found (python/cpython#106052)."""
        for part in ("check", "the rest"):
            assert self.printed(PATTERNS, part) == "[]"
