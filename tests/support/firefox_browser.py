"""A released Firefox, controlled by WebDriver BiDi (W3C)."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

import aiohttp

from ma_signaling.testing import eventually

FIREFOX = shutil.which("firefox-esr") or ""
WITHIN = 45.0

_PREFERENCES = {
    "remote.prefs.recommended": True,
    "intl.accept_languages": "en-GB",
    "network.proxy.type": 0,
    # The home of the test can't resolve the names that hide local addresses, and is on loopback only.
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "media.peerconnection.ice.loopback": True,
}


class FirefoxBrowser:
    """A Firefox without a window, with a fresh profile and one page. Use it as a context, on one asyncio loop."""

    def __init__(self, width: int, height: int) -> None:
        """``width`` and ``height`` are those of the page, in CSS pixels."""
        self._size = {"width": width, "height": height}
        self._profile = Path(tempfile.mkdtemp(prefix="ma-signaling-"))
        self._commands = 0
        self.complaints: list[str] = []
        """Errors and warnings on the console."""

    async def __aenter__(self) -> Self:
        self._process = self._start()
        self._http = aiohttp.ClientSession()
        try:
            await self._begin()
        except BaseException:
            self._process.kill()
            await self._end()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        try:
            await self._command("browser.close")
        except BaseException:
            self._process.kill()
            raise
        finally:
            await self._end()

    async def open(self, url: str) -> None:
        """Load a page, and wait until all of it is there."""
        await self._command("browsingContext.navigate", context=self._page, url=url, wait="complete")

    async def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, or what its promise resolves with; it must fit into JSON."""
        found = await self._command(
            "script.evaluate",
            expression=f"Promise.resolve({expression}).then(JSON.stringify)",
            target={"context": self._page},
            awaitPromise=True,
        )
        assert found["type"] == "success", found
        return json.loads(found["result"]["value"])

    def _start(self) -> subprocess.Popen[bytes]:
        preferences = [
            f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in _PREFERENCES.items()
        ]
        (self._profile / "user.js").write_text("".join(preferences))
        return subprocess.Popen(
            [
                FIREFOX,
                "--headless",
                "--no-remote",
                "--remote-debugging-port=0",
                "--profile",
                str(self._profile),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _port(self) -> int:
        """Return the port on which it listens, 0 before it has written it."""
        try:
            return int(json.loads((self._profile / "WebDriverBiDiServer.json").read_text())["ws_port"])
        except (OSError, ValueError):
            return 0

    async def _begin(self) -> None:
        port = await eventually(self._port, "Firefox", WITHIN)
        self._socket = await self._http.ws_connect(f"ws://127.0.0.1:{port}/session", max_msg_size=0)
        await self._command("session.new", capabilities={})
        await self._command("session.subscribe", events=["log.entryAdded"])
        self._page = (await self._command("browsingContext.getTree"))["contexts"][0]["context"]
        await self._command("browsingContext.setViewport", context=self._page, viewport=self._size)

    async def _end(self) -> None:
        await self._http.close()
        try:
            await asyncio.to_thread(self._process.wait, WITHIN)
        finally:
            self._process.kill()
            self._process.wait()
            shutil.rmtree(self._profile, ignore_errors=True)

    async def _command(self, method: str, **parameters: Any) -> Any:
        self._commands += 1
        await self._socket.send_json({"id": self._commands, "method": method, "params": parameters})
        try:
            async with asyncio.timeout(WITHIN):
                return await self._answer(method)
        except TimeoutError:
            raise AssertionError(f"Firefox: nothing to {method} within {WITHIN:g} s") from None

    async def _answer(self, method: str) -> Any:
        while True:
            message = await self._socket.receive_json()
            if message.get("method") == "log.entryAdded":
                if message["params"]["level"] in ("warn", "error"):
                    self.complaints.append(str(message["params"]["text"]))
            elif message.get("id") == self._commands:
                assert message["type"] == "success", (method, message)
                return message["result"]
