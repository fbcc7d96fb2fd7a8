"""Remote access of one's own, with nothing patched and no stub in the middle.

The real web app in Chromium, from this server by TLS; the agent as a process; real coturn; and behind the agent what
Music Assistant's web server offers.
"""

from __future__ import annotations

import base64
import hashlib
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import TestCase

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.browser_thread import BrowserThread, HomeThread, Visit
from tests.support.certificates import make_certificate
from tests.support.coturn_process import coturn
from tests.support.free_ports import free_port
from tests.support.home_process import HomeProcess
from tests.support.music_assistant_stand_in import PICTURE, MusicAssistantStandIn
from tests.support.server_process import ServerProcess

RELAY_ONLY = """
    const Original = RTCPeerConnection;
    window.connections = [];
    window.RTCPeerConnection = function (configuration) {
        const made = new Original({...configuration, iceTransportPolicy: "relay"});
        window.connections.push(made);
        return made;
    };
"""

CANDIDATE_TYPE = """async () => {
    const stats = [...(await window.connections.at(-1).getStats()).values()];
    const pair = stats.find((each) => each.type === "candidate-pair" && each.nominated);
    return stats.find((each) => each.id === pair.localCandidateId).candidateType;
}"""

FETCH_PICTURE = """async (path) => {
    const reply = await fetch(path).catch(() => new Response());
    const bytes = new Uint8Array(await reply.arrayBuffer());
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}"""


class OwnRemoteAccessTest(TestCase):
    """What a person sees who opens the link that the agent has printed."""

    browser: BrowserThread
    certificate: Path
    key: Path
    relay: Path
    """A file with the process id of the relay."""

    @classmethod
    def setUpClass(cls) -> None:
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.certificate, cls.key = Path(directory.name) / "certificate.pem", Path(directory.name) / "key.pem"
        public = x509.load_pem_x509_certificate(make_certificate(cls.key, cls.certificate)).public_key()
        pin = hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
        cls.browser = BrowserThread(f"--ignore-certificate-errors-spki-list={base64.b64encode(pin).decode()}")
        cls.browser.start()
        cls.addClassCleanup(cls.browser.stop)

    @contextmanager
    def everything(self) -> Iterator[tuple[ServerProcess, HomeProcess, MusicAssistantStandIn, HomeThread]]:
        """Start all parts."""
        with ExitStack() as stack:
            relay, secret = stack.enter_context(coturn())
            self.relay = secret.with_name("pid")
            port = free_port()
            server = stack.enter_context(
                ServerProcess(
                    *("--port", f"tcp:{port}:interface=127.0.0.1", "--web-app", "on"),
                    *("--tls-cert", str(self.certificate), "--tls-key", str(self.key)),
                    *(
                        "--turn-urls",
                        f"turn:127.0.0.1:{relay}?transport=udp",
                        "--turn-secret-file",
                        str(secret),
                    ),
                    plain="--http-port",
                )
            )
            loop = stack.enter_context(HomeThread())
            assistant = MusicAssistantStandIn()
            loop.run(assistant.start())
            stack.callback(lambda: loop.run(assistant.stop()))
            home = stack.enter_context(
                HomeProcess(f"https://localhost:{port}", assistant.url, SSL_CERT_FILE=str(self.certificate))
            )
            yield server, home, assistant, loop

    def test_from_the_link_to_the_login(self) -> None:
        with self.everything() as (server, home, assistant, loop):

            def log_in(visit: Visit) -> None:
                visit.page.goto(home.link)
                visit.page.get_by_role("button", name="Sign In").wait_for()
                self.assertIn(home.remote_id, visit.page.inner_text("body"))

            def by_relay(visit: Visit) -> None:
                visit.page.add_init_script(RELAY_ONLY)
                log_in(visit)
                self.assertEqual(visit.page.evaluate(CANDIDATE_TYPE), "relay")
                self.see_picture(visit, "by the relay")
                os.kill(int(self.relay.read_text()), signal.SIGKILL)
                visit.page.get_by_text("Reconnecting").wait_for()

            def through_losses(visit: Visit) -> None:
                log_in(visit)
                self.assertIn("auth/providers", [each.get("command") for each in assistant.commands])
                self.see_picture(visit, "first")
                refused = [line for line in visit.complaints if "Content Security Policy" in line]
                self.assertEqual(refused, [])

                # The server: the call goes on, and the person sees nothing of it.
                server.stop(signal.SIGKILL)
                self.see_picture(visit, "without the server")
                self.assertTrue(visit.page.get_by_role("button", name="Sign In").is_visible())
                registered = home.log().count("Registered")
                server.start()
                home.until_registered(registered)

                # Music Assistant, then the agent: the web app says that it tries again, and does. Of an agent that is
                # gone without a word it knows after some 16 seconds. Who has not logged in yet is asked for the Remote
                # ID then, which is the web app's own way.
                for stop, start in (
                    (lambda: loop.run(assistant.stop()), lambda: loop.run(assistant.start())),
                    (home.kill, home.start),
                ):
                    stop()
                    visit.page.get_by_text("Reconnecting").wait_for()
                    start()
                    visit.page.get_by_text("Find this in your server settings").wait_for()
                    log_in(visit)
                    self.see_picture(visit, "after a restart")

            self.browser.visit(by_relay)
            self.browser.visit(through_losses)

    def see_picture(self, visit: Visit, when: str) -> None:
        """Have the web app's service worker fetch a picture through the data channel."""
        wanted = hashlib.sha256(PICTURE).hexdigest()
        # The service worker may take its time until it stands between the page and the network.
        for attempt in range(20):
            found = visit.page.evaluate(FETCH_PICTURE, f"/imageproxy/picture?{when} {attempt}")
            if found == wanted:
                return
            visit.page.wait_for_timeout(500)
        self.fail(f"no picture {when}")
