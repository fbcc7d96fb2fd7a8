"""WebSocket connections on Twisted, from the first byte to the last."""

import os

# Autobahn's native code comes with a parser of C, which is a fourteenth of the start. ``payloads`` does without.
os.environ.setdefault("AUTOBAHN_USE_NVX", "0")
