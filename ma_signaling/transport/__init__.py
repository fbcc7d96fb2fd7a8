"""WebSocket connections on Twisted, from the first byte to the last."""
