"""Lets ``twistd`` know of ``ma-signaling``."""

from twisted.application.service import ServiceMaker

ma_signaling = ServiceMaker(
    "ma-signaling",
    "ma_signaling.options",
    "Rendezvous server for Music Assistant's remote access: WebRTC signaling over WebSocket.",
    "ma-signaling",
)
