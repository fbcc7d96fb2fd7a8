"""``ma-signaling check``: reach for a home as the app does, from a terminal or monitoring. No part of the server."""
