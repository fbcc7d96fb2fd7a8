"""``ma-signaling admin``: asks a running server over its admin socket. The server imports nothing of it."""
