"""``ma-signaling admin``: a client for a running server's admin socket. The server imports nothing of it."""
