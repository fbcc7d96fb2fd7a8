"""The admin socket, in memory."""
