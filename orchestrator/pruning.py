"""Prunes the states of agents by the rules of their types."""

import logging
from collections import Counter
from dataclasses import dataclass

from agents.checkpoints import deletion
from agents.models import Pruning
from agents.services import prunings
from orchestrator.runtime import agent_types

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Prospect:
    """What would be deleted of the agents of a type."""

    agent_type: str
    sessions: int
    states: int


def run() -> Pruning | None:
    """Do what is due; None when somebody else does it."""
    done = prunings.run(agent_types.retentions())
    if done is not None and (done.states or done.values):
        log.info(
            "Pruned %d states of %d sessions; %d values with %d bytes are free.",
            *(done.states, done.sessions, done.values, done.freed_bytes),
        )
    return done


def prospects() -> list[Prospect]:
    """What a full pass would delete. Nothing is changed."""
    rules = agent_types.retentions()
    sessions: Counter[str] = Counter()
    states: Counter[str] = Counter()
    for one in prunings.due(rules):
        if found := deletion.prunable(one.session_id, rules[one.agent_type]):
            sessions[one.agent_type] += 1
            states[one.agent_type] += found
    return [Prospect(name, sessions[name], states[name]) for name in sorted(states)]
