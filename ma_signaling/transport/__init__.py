"""WebSocket connections on Twisted, from the first byte to the last."""

import os

# Autobahn's native code imports a C parser, which takes a fourteenth of the start. ``payloads`` does without it.
os.environ.setdefault("AUTOBAHN_USE_NVX", "0")
