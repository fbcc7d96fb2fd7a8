"""The admin socket: an operator's views of a running server, and actions, as HTTP with JSON over a Unix socket."""
