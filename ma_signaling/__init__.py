"""Rendezvous server that lets a Music Assistant home and its clients open a WebRTC connection."""

__version__ = "0.1.0"
