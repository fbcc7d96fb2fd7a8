"""What all parts of a node share: its name and hub, sending messages, and the handlers of received ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count
from typing import Any, TypeVar

from ma_signaling.cluster.bus import ALL_NODES, Bus, home_subject, node_subject, watch_subject
from ma_signaling.cluster.messages.base import NodeMessage
from ma_signaling.cluster.messages.claims import Claim
from ma_signaling.cluster.messages.packing import pack
from ma_signaling.cluster.messages.registrations import LookUp
from ma_signaling.cluster.messages.sessions import ToClient, ToHome
from ma_signaling.config.settings import Settings
from ma_signaling.core.hub import Hub
from ma_signaling.core.peer import Clock

AnyMessage = TypeVar("AnyMessage", bound=NodeMessage)


class Context:
    """The shared state of a node's parts; each registers handlers for its own messages."""

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
        self._handlers: dict[type[NodeMessage], Callable[[Any, list[bytes]], None]] = {}
        self._numbers = count(1)
        self._questions: dict[int, Callable[[], None]] = {}
        self._subjects: set[str] = set()

    # Received messages

    def on(self, kind: type[AnyMessage], handle: Callable[[AnyMessage], None]) -> None:
        """Call ``handle`` with each message of the class ``kind``."""
        self.on_bodies(kind, lambda message, _: handle(message))

    def on_bodies(self, kind: type[AnyMessage], handle: Callable[[AnyMessage, list[bytes]], None]) -> None:
        """Call ``handle`` with each message of the class ``kind`` and its bodies."""
        assert kind not in self._handlers
        self._handlers[kind] = handle

    def dispatch(self, message: NodeMessage, bodies: list[bytes]) -> None:
        """Handle a message."""
        self._handlers[type(message)](message, bodies)

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

    def send(self, node: str, message: NodeMessage, *bodies: bytes) -> None:
        """Send a message to one node."""
        self.bus.publish(node_subject(node), self._pack(message, bodies))

    def send_all(self, node: str, message: ToHome | ToClient, candidates: list[bytes]) -> None:
        """Send candidates to one node, in several messages if one is too long for the bus."""
        packed, count = self._pack(message, candidates), len(candidates)
        if count > 1 and len(packed) > self.bus.max_batch_bytes:
            half = count // 2
            self.send_all(node, message.part(0, half), candidates[:half])
            self.send_all(node, message.part(half, count), candidates[half:])
        else:
            self.bus.publish(node_subject(node), packed)

    def send_to_holder(self, remote_id: str, message: NodeMessage, *bodies: bytes) -> None:
        """Send a message to the nodes that hold, expect or claim a Remote ID."""
        self.bus.publish(home_subject(remote_id), self._pack(message, bodies))

    def ask_holder(self, remote_id: str, question: LookUp | Claim) -> None:
        """Ask the nodes that hold, expect or claim a Remote ID."""
        reply = node_subject(self.node, question.question)
        self.bus.publish(home_subject(remote_id), self._pack(question), reply)

    def send_to_watchers(self, remote_id: str, message: NodeMessage, *bodies: bytes) -> None:
        """Send a message to the nodes that have sessions with a home on another node."""
        self.bus.publish(watch_subject(remote_id), self._pack(message, bodies))

    def send_to_all(self, message: NodeMessage) -> None:
        """Send a message to all nodes."""
        self.bus.publish(ALL_NODES, self._pack(message))

    def _pack(self, message: NodeMessage, bodies: Iterable[bytes] = ()) -> bytes:
        message.sender = self.node
        return pack(message, bodies)
