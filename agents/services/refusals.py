"""Answers that the graph itself did not take: its question is open again, with what was wrong."""

from django.db.models.functions import Now

from agents.actor import agent
from agents.events import store
from agents.events.types import ApprovalUndone
from agents.models import AgentSession, Approval, SessionWait
from agents.services import conclusions, decisions
from agents.storable import storable_text

LONGEST_WHY = 500  # characters
_MARK = "\n\nThe last answer was not taken: "


def ask_again(session: AgentSession, interrupt_id: str, why: str) -> bool:
    """Put what an interrupt asks before people once more; False if nobody answered. The caller holds the session."""
    wait = SessionWait.objects.select_for_update(no_key=True).filter(session=session, interrupt_id=interrupt_id).first()
    asked = list(Approval.objects.select_for_update(no_key=True).filter(wait=wait)) if wait else []
    if wait is None or wait.answered_at is None or not asked:
        return False
    wait.answer = wait.answered_at = None
    wait.save(update_fields=["answer", "answered_at"])
    for approval in asked:
        if approval.status in decisions.DECIDED:
            _open(session, approval, why)
    return True


def _open(session: AgentSession, approval: Approval, why: str) -> None:
    decisions.votes(approval).update(withdrawn_at=Now())
    said = approval.intent.partition(_MARK)[0]
    intent = f"{said}{_MARK}{storable_text(why[:LONGEST_WHY])}"
    Approval.objects.filter(pk=approval.pk).update(**conclusions.REOPENED, dispatched_at=None, intent=intent)
    undone = ApprovalUndone(session_id=session.pk)
    store.record(undone, session, actor=agent(session.pk), aggregate_id=approval.pk)
