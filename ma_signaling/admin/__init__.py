"""The admin socket: what an operator sees of a running server, and does, as HTTP with JSON over a Unix socket."""
