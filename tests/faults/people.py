"""The person who answers the agents: lets them act, and looks whether what is in doubt has happened."""

from uuid import UUID

from agents.errors import AlreadyDecided, StaleVersion
from agents.lifecycle import ApprovalStatus, WaitKind
from agents.models import Approval, User
from orchestrator.actions import approvals
from tests.faults.agents import World
from tests.stack import is_alive


def answer(mission_id: UUID, *, is_calm: bool) -> int:
    """Decide what is pending in a mission; how many calls that may have happened are among it.

    Whoever asks in the middle of a call, of a process that is frozen or still at it, is told nothing yet: a person
    would see the machine hang and wait, too.
    """
    world, doubts = World.read(), 0
    for approval in Approval.objects.filter(session__root=mission_id, status=ApprovalStatus.PENDING):
        verdict = "approve"
        if approval.kind == WaitKind.UNCERTAIN:
            verdict = _verdict(world, approval.execution_id, is_calm=is_calm)
            if verdict is None:
                continue
            doubts += 1
        try:
            approvals.decide(User.objects.get(), approval.pk, verdict=verdict, version=approval.version)
        except (AlreadyDecided, StaleVersion):  # the agent has found out by itself
            continue
    return doubts


def _verdict(world: World, call: UUID, *, is_calm: bool) -> str | None:
    if world.effects[call]:
        return "done"
    began = world.began.get(call)
    is_at_it = began is not None and is_alive(began)
    return None if is_at_it or not is_calm else "again"
