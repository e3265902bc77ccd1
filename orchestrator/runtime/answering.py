"""Answers what other agents ask of one that is claimed: from its latest state, outside of its graph.

Nothing of its graph is run or changed for it, so an agent that waits for its children, for a person or for an answer
of its own answers meanwhile, and two that ask each other do not wait for each other.
"""

import logging
from collections.abc import Mapping
from typing import Any

from django.db import connection

from agents.checkpoints.connections import DATABASE_AWAY, scoped
from agents.errors import DomainError, Fenced, HandedBack
from agents.graphs.colleagues import PassOn, Respondent
from agents.models import AgentCommunication, AgentSession
from agents.services import communications, requests
from agents.services.requests import Decline
from orchestrator.runtime.agent_types import agent_type
from orchestrator.runtime.colleagues import told
from orchestrator.runtime.leases import Lease

log = logging.getLogger(__name__)


def answer_open(session: AgentSession, lease: Lease, respondent: Respondent, state: Mapping[str, Any]) -> None:
    """Answer each open request to `session`, the most urgent first, once. Those that come meanwhile are found later.

    One that is left open because the agent is to stop is answered by the next attempt. Raises Fenced.
    """
    with scoped():
        found = requests.open_to(session.pk)
    if found:
        connection.close()  # nothing is kept open while the agent thinks
    for request in found:
        if lease.control.drain_requested:
            return
        try:
            given = _answer(session.agent_type, request, respondent, state)
        except HandedBack:
            return
        with scoped():
            requests.answer(lease.holding, request.pk, given)


def _answer(
    name: str, request: AgentCommunication, respondent: Respondent, state: Mapping[str, Any]
) -> Mapping[str, Any] | PassOn | Decline:
    """What the agent's type answers. An error of its own is told to who asked, and stops nobody."""
    answers = agent_type(name).answers
    if answers is None:
        return Decline("it answers no requests")
    try:
        given = answers(respondent, told(request), state)
        if not isinstance(given, PassOn):
            communications.check_content(given)
    except (Fenced, HandedBack, *DATABASE_AWAY):
        raise
    except Exception as error:
        if not isinstance(error, DomainError):
            log.exception("%s could not answer.", respondent.session_id)
        return Decline(f"it could not answer: {error}")
    return given
