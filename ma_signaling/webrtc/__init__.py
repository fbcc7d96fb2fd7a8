"""WebRTC connections to homes, for ``ma-signaling check`` and for the child process that asks for proofs."""
