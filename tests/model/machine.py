"""The base of both models' machines: choices from the current state, and how games are played."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, precondition, run_state_machine_as_test
from hypothesis.strategies import SearchStrategy, runner, sampled_from

T = TypeVar("T")

KINDS = sampled_from(["offer", "answer", "ice-candidate"])

SHORTENING = (Phase.generate, Phase.shrink)
"""Play, and shorten a failing game. The phase that explains it would trace hundreds of games by line, for minutes."""

UNLIMITED: dict[str, Any] = dict.fromkeys(
    (
        "connections_per_minute",
        "silent_connections_per_address",
        "lookups_per_minute",
        "connect_requests_per_minute",
        "guesses_per_minute",
        "message_rate",
        "message_bytes_rate",
        "control_rate",
        "home_sessions_per_minute",
        "home_sessions",
        "proofs_per_minute",
    ),
    0,
)


def one_of_the(choices: Callable[[Any], list[T]]) -> SearchStrategy[T]:
    """Return a strategy that picks one of the current choices in the machine's match."""
    return runner().flatmap(lambda machine: sampled_from(choices(machine.match)))


def if_any(choices: Callable[[Any], list[Any]]) -> Callable[[Any], Any]:
    """Return a precondition that leaves a rule out while there is nothing to choose from."""
    decorate: Callable[[Any], Any] = precondition(lambda machine: bool(choices(machine.match)))
    return decorate


class Machine(RuleBasedStateMachine):
    """Plays one kind of game."""

    steps: int
    """How many rules a game takes."""


def play(
    machine: type[Machine], games: int, *, is_same: bool = True, phases: Collection[Phase] = SHORTENING
) -> None:
    """Play a number of games; ``is_same``: the same ones each time."""
    bounds = settings(
        max_examples=games,
        stateful_step_count=machine.steps,
        derandomize=is_same,
        database=None,
        phases=phases,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=bounds)
