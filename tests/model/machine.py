"""What both models' machines are built from: choices among what there is, and how many games are played."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, precondition, run_state_machine_as_test
from hypothesis.strategies import SearchStrategy, runner, sampled_from

T = TypeVar("T")

GAMES = int(os.environ.get("MODEL_GAMES", "0"))
"""How many others to play, instead of those that are always the same."""

KINDS = sampled_from(["offer", "answer", "ice-candidate"])

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
    """Return one of what there is in the machine's match at the moment."""
    return runner().flatmap(lambda machine: sampled_from(choices(machine.match)))


def if_any(choices: Callable[[Any], list[Any]]) -> Callable[[Any], Any]:
    """Leave a rule out while there is nothing to choose from."""
    decorate: Callable[[Any], Any] = precondition(lambda machine: bool(choices(machine.match)))
    return decorate


def play(machine: type[RuleBasedStateMachine], examples: int, steps: int) -> None:
    """Play so many games of so many steps, the same each time; MODEL_GAMES says how many others to play instead."""
    bounds = settings(
        max_examples=GAMES or examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=not GAMES,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=bounds)
