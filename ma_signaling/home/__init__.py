"""``ma-signaling home``: give an unmodified Music Assistant a Remote ID at a signaling server of one's own.

No part of the server. It does what Music Assistant's own remote access does, from a program beside it.
"""
