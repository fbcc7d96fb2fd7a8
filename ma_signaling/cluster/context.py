"""What all parts of a node share: its name and hub, sending messages, and the handlers of received ones."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from ma_signaling.cluster.bus import (
    ALL_NODES,
    Bus,
    Fields,
    home_subject,
    node_subject,
    pack,
    watch_subject,
)
from ma_signaling.config.settings import Settings
from ma_signaling.core.hub import Hub
from ma_signaling.core.peer import Clock


class Context:
    """The shared state of a node's parts; each registers handlers for its own operations with ``on``."""

    hub: Hub
    """Set before anything is received."""

    def __init__(
        self, node: str, bus: Bus, settings: Settings, clock: Clock, wall: Callable[[], float]
    ) -> None:
        self.node = node
        """This node's name."""
        self.bus = bus
        self.settings = settings
        self.clock = clock
        self.wall = wall
        """Returns the calendar time in seconds."""
        self._handlers: dict[str, Callable[[Fields], None]] = {}
        self._numbers = count(1)
        self._questions: dict[int, Callable[[], None]] = {}
        self._subjects: set[str] = set()

    # Received messages

    def on(self, op: str, handle: Callable[[Fields], None]) -> None:
        """Call ``handle`` with the fields of each message with the operation ``op``."""
        assert op not in self._handlers
        self._handlers[op] = handle

    def dispatch(self, op: str, fields: Fields) -> None:
        """Handle a message; an unknown operation is ignored."""
        handle = self._handlers.get(op)
        if handle is not None:
            handle(fields)

    def subscribe(self, subject: str, wanted: bool = True) -> None:
        """Subscribe to a subject if it is ``wanted``, otherwise unsubscribe from it."""
        if wanted and subject not in self._subjects:
            self._subjects.add(subject)
            self.bus.subscribe(subject)
        elif not wanted and subject in self._subjects:
            self._subjects.remove(subject)
            self.bus.unsubscribe(subject)

    # Questions

    def begin_question(self, nobody: Callable[[], None]) -> int:
        """Return a number for a question; ``nobody`` is called if its subject has no subscriber."""
        number = next(self._numbers)
        self._questions[number] = nobody
        return number

    def end_question(self, number: int) -> None:
        """End a question: its ``nobody`` is no longer called."""
        del self._questions[number]

    def no_subscribers(self, reply: str) -> None:
        """Implements ``bus.Listener.no_subscribers``."""
        nobody = self._questions.get(int(reply.rpartition(".")[2]))
        if nobody is not None:
            nobody()

    # Sent messages

    def send(self, node: str, op: str, /, *bodies: bytes, **fields: Any) -> None:
        """Send a message to one node."""
        self.bus.publish(node_subject(node), pack(op, self.node, fields, bodies))

    def send_all(self, node: str, op: str, candidates: list[bytes], places: bytes, **fields: Any) -> None:
        """Send candidates to one node, in several messages if one is too long for the bus.

        ``places`` has one byte for each candidate, or is empty.
        """
        message = pack(op, self.node, {"places": places.hex(), **fields}, candidates)
        half = len(candidates) // 2
        if half and len(message) > self.bus.max_batch_bytes:
            self.send_all(node, op, candidates[:half], places[:half], **fields)
            self.send_all(node, op, candidates[half:], places[half:], **fields)
        else:
            self.bus.publish(node_subject(node), message)

    def send_to_holder(self, remote_id: str, op: str, question: int = 0, /, **fields: Any) -> None:
        """Send a message, or the question with a number, to the nodes that hold, expect or claim a Remote ID."""
        message = pack(op, self.node, {"remote_id": remote_id, "question": question, **fields})
        reply = node_subject(self.node, question) if question else ""
        self.bus.publish(home_subject(remote_id), message, reply)

    def send_to_watchers(self, remote_id: str, op: str, /, **fields: Any) -> None:
        """Send a message to the nodes that have sessions with a home on another node."""
        self.bus.publish(watch_subject(remote_id), pack(op, self.node, {"remote_id": remote_id, **fields}))

    def send_to_all(self, op: str, /, **fields: Any) -> None:
        """Send a message to all nodes."""
        self.bus.publish(ALL_NODES, pack(op, self.node, fields))
