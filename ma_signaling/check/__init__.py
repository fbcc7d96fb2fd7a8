"""``ma-signaling check``: reaches for a home as the app does, for a terminal or monitoring. Not part of the server."""
