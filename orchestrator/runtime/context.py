"""What a graph is given: the ports of `agents.graphs.ports`, each for one attempt of one session."""

from collections.abc import Sequence
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from agents.graphs.colleagues import Respondent
from agents.graphs.ports import AgentContext
from agents.models import AgentRun, AgentSession
from orchestrator.runtime.brains import EXTRACTIVE, brain_for
from orchestrator.runtime.colleagues import SessionColleagues
from orchestrator.runtime.details import SessionDetails
from orchestrator.runtime.durability import Held
from orchestrator.runtime.guard import Guard
from orchestrator.runtime.inbox import SessionInbox
from orchestrator.runtime.leases import Lease
from orchestrator.runtime.lines import ModelLine
from orchestrator.runtime.recalling import ModelRecall
from orchestrator.runtime.team import Delegation
from orchestrator.runtime.voice import SessionVoice
from orchestrator.runtime.waiting import SessionWaiting
from orchestrator.sources import MissionSources


def context_for(session: AgentSession, run: AgentRun, lease: Lease, held: Held | None = None) -> AgentContext:
    """The context of an attempt. What is `held` of its states is written before it calls a tool."""
    voice = SessionVoice(lease)
    return AgentContext(
        session_id=session.pk,
        mission_id=session.root_id,
        run_started_at=run.created_at,
        think=cache(
            partial(
                brain_for,
                session.metadata.get("model", EXTRACTIVE),
                account=voice,
                line=partial(ModelLine, lease),
                recall=ModelRecall(lease, session.project_id),
            )
        ),
        sources=MissionSources(session.origin_id),
        team=Delegation(session.metadata),
        tools=Guard(lease, held),
        voice=voice,
        inbox=SessionInbox(lease, held),
        waiting=SessionWaiting(lease),
        details=SessionDetails(lease, session),
        colleagues=SessionColleagues(session, lease, held),
        embed=_embed,
    )


def respondent_for(session: AgentSession, context: AgentContext) -> Respondent:
    """What the agent answers others with."""
    return Respondent(context.session_id, context.mission_id, session.name, context.think, context.sources)


def _embed(texts: Sequence[str]) -> NDArray[np.float32]:
    from memory import embedders  # large, and most agents never need one

    return embedders.active().embed(texts)
