"""The page of a session in a real browser, where there is no trace to show."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Route

from tests.support.browser_cases import DoctorTestCase
from tests.support.browser_thread import Visit

CASES: dict[str, Callable[[Route], None]] = {
    "The server reports a problem": lambda route: route.fulfill(
        status=502, body="<h1>Bad Gateway</h1>", content_type="text/html"
    ),
    "This network isn't allowed": lambda route: route.fulfill(status=403, json={"error": "Not allowed"}),
    "The server can't be reached": lambda route: route.abort(),
    "Nothing is known about this session": lambda route: route.continue_(),
}


class SessionPageTests(DoctorTestCase):
    """It says why."""

    def test_no_trace(self) -> None:
        def play(visit: Visit) -> None:
            for headline, answer in CASES.items():
                visit.page.route("**/api/sessions/*", answer)
                visit.page.goto(f"{self.server.http}/sessions/%E0%A4%A")
                visit.page.get_by_role("heading", name=headline).wait_for()
                visit.page.unroute("**/api/sessions/*")
            # The browser itself says what it was answered.
            visit.complaints.clear()

        self.visit(play)
