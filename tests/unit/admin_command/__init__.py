"""What ``ma-signaling admin`` makes of answers, without a server."""
