"""``ma-signaling home``: give an unmodified Music Assistant a Remote ID at a signaling server of one's own.

It is not part of the server: it does the same as Music Assistant's own remote access, in a program beside it.
"""
