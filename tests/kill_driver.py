"""What `test_kill` does inside a process with the stack's settings."""

from pathlib import Path
from uuid import UUID

from django.db.models import Max, Sum

from agents.lifecycle import ApprovalStatus, SessionStatus
from agents.models import AgentMessage, AgentRun, AgentSession, Approval, Project, ToolExecution, User
from agents.roles import Level
from agents.services import decisions
from agents.services.conclusions import Decision
from orchestrator.conf import breaker_limits
from orchestrator.resilience.breakers import Breaker
from tests.agent_types import Brief
from tests.factories import make_mission


def start(tool: str, below: list[int]) -> str:
    """Start a mission with so many agents below each one, level by level, whose workers each leave one trace."""
    mission = make_mission(
        Project.objects.get(),
        User.objects.get(),
        level=Level.QUEEN,
        run_input=Brief(below=tuple(below), tool=tool).model_dump(mode="json"),
    )
    return str(mission.pk)


def look(mission: str, trace: str) -> dict:
    """How the mission stands. A call that may have happened is decided by whether its trace is there."""
    mission_id = UUID(mission)
    happened = Path(trace).read_text().split()
    for doubt in Approval.objects.filter(status=ApprovalStatus.PENDING, session__root=mission_id):
        verdict = "done" if doubt.proposed["name"] in happened else "again"
        decisions.decide(doubt.pk, Decision(verdict), by=User.objects.get(), version=doubt.version)
    tree = AgentSession.objects.filter(root=mission_id)
    said = list(AgentMessage.objects.filter(session__root=mission_id).values_list("session", "content"))
    return {
        "status": tree.get(pk=mission_id).status,
        "agents": tree.count(),
        "statuses": sorted(set(tree.values_list("status", flat=True))),
        "workers": sorted(tree.filter(level=Level.WORKER).values_list("status", flat=True)),
        "worker_attempts": tree.filter(level=Level.WORKER).aggregate(most=Max("attempt"))["most"],
        "messages": len(said),
        "distinct_messages": len(set(said)),
    }


def resting(mission: str) -> list[str]:
    """The workers that wait for their next try."""
    found = AgentSession.objects.filter(root=UUID(mission), level=Level.WORKER, status=SessionStatus.WAITING_TIMER)
    return [str(pk) for pk in found.values_list("pk", flat=True)]


def tries(mission: str) -> dict[str, int]:
    """How often the call of each worker was begun, as far as that was saved before its worker died."""
    found = ToolExecution.objects.filter(session__root=UUID(mission)).values_list("session", "tries")
    return {str(session): number for session, number in found}


def is_probed(tool: str) -> bool:
    """Is a call of the tool let through as a probe right now?"""
    standing = Breaker(f"tool/{tool}", tool, breaker_limits()).standing()
    return standing is not None and standing.is_probed


def crashes(mission: str) -> int:
    """How many deaths of workers are counted in the mission's runs."""
    return AgentRun.objects.filter(session__root=UUID(mission)).aggregate(all=Sum("crashes"))["all"]
