"""A real browser and real homes for tests, each in a thread of its own, since neither works with Twisted's reactor."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self, TypeVar

from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from ma_signaling.testing import loopback_only

T = TypeVar("T")

CHROMIUM = Path("/usr/bin/chromium")
WITHIN = 60.0
FLAGS = [
    "--no-sandbox",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    # The home of the test can't resolve the names that hide local addresses, and may be on loopback only.
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--allow-loopback-in-peer-connection",
]


class BrowserThread:
    """Chromium, controlled from one thread."""

    def __init__(self, *flags: str) -> None:
        """``flags`` are further options of the browser's command line."""
        self._flags = flags
        self._thread = ThreadPoolExecutor(1, "browser")
        self._playwright: Playwright
        self._browser: Browser

    def start(self) -> None:
        """Start the browser."""

        def start() -> None:
            self._playwright = sync_playwright().start()
            self._browser = self._playwright.chromium.launch(
                executable_path=str(CHROMIUM), args=[*FLAGS, *self._flags]
            )

        self._thread.submit(start).result(WITHIN)

    def stop(self) -> None:
        """End the browser."""

        def stop() -> None:
            self._browser.close()
            self._playwright.stop()

        self._thread.submit(stop).result(WITHIN)
        self._thread.shutdown()

    def visit(self, play: Callable[[Visit], T], **options: Any) -> T:
        """Run `play` with a fresh page; `options` are those of a browser context."""

        def visit() -> T:
            context = self._browser.new_context(**options)
            try:
                return play(Visit(context))
            finally:
                context.close()

        return self._thread.submit(visit).result(2 * WITHIN)


class Visit:
    """A page, with everything that it requested and complained about."""

    def __init__(self, context: BrowserContext) -> None:
        context.set_default_timeout(1000 * WITHIN)
        self.page: Page = context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("websocket", lambda socket: self.requests.append(socket.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))


class HomeThread:
    """An asyncio loop on which homes live, with loopback as their only network."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._loop = self._runner.get_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="homes", daemon=True)

    def __enter__(self) -> Self:
        self._loopback = loopback_only()
        self._loopback.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WITHIN)
        self._runner.close()
        self._loopback.__exit__(*error)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there, and return what it returns."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(WITHIN)
