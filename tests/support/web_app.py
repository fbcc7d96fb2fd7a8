"""The web app that people use, as PyPI has it, with its signaling address replaced; and a home with an API for it."""

from __future__ import annotations

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import aiortc
import music_assistant_frontend

from tests.support.webrtc_peers import Home, Message

SIGNALING = b"wss://signaling.music-assistant.io/ws"

SERVER_INFO = {
    "server_id": "test",
    "server_version": "2.10.0",
    "schema_version": 999,  # at least as new as any web app's
    "min_supported_schema_version": 24,
    "base_url": "http://127.0.0.1:8095",
    "homeassistant_addon": False,
    "onboard_done": True,
}


class _Files(SimpleHTTPRequestHandler):
    """Serves the package below ``/app/``."""

    signaling = b""

    def translate_path(self, path: str) -> str:
        return super().translate_path(path.removeprefix("/app"))

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path.partition("?")[0]))
        if path.is_dir():
            path /= "index.html"
        if not path.is_file():
            self.send_error(404)
            return
        body = path.read_bytes().replace(SIGNALING, self.signaling)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class WebApp:
    """The web app on a port of its own."""

    def __init__(self, signaling: str) -> None:
        """``signaling`` is the address of the server that it is to use."""
        root = music_assistant_frontend.where()
        places = [path for path in root.rglob("*.js") if SIGNALING in path.read_bytes()]
        assert len(places) == 1, f"the address stands in {places}"
        handler = type("Files", (_Files,), {"signaling": signaling.encode()})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(root)))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/app/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class MusicAssistant(Home):
    """A home whose channel ``ma-api`` says what Music Assistant's own API says to whoever connects."""

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self.commands: list[Message] = []
        """What clients have asked of the API."""

    def _create_session(self, session_id: str) -> None:
        super()._create_session(session_id)
        connection = self.sessions[session_id]
        connection.remove_all_listeners("datachannel")

        def bridge(channel: aiortc.RTCDataChannel) -> None:
            if channel.label == "ma-api":
                channel.add_listener("message", lambda text: self._command(channel, text))
                channel.send(json.dumps(SERVER_INFO))

        connection.add_listener("datachannel", bridge)

    def _command(self, channel: aiortc.RTCDataChannel, text: str) -> None:
        command = json.loads(text)
        self.commands.append(command)
        if command.get("command") == "auth/providers":
            result = [{"provider_id": "builtin", "provider_type": "builtin", "requires_redirect": False}]
            channel.send(json.dumps({"message_id": command["message_id"], "result": result}))
