"""What `test_kill` does inside a process with the stack's settings."""

from pathlib import Path
from uuid import UUID

from django.db.models import Max, Sum

from agents.lifecycle import ApprovalStatus
from agents.models import AgentMessage, AgentRun, AgentSession, Approval, Project, User
from agents.roles import Level
from agents.services import approvals
from agents.services.approvals import Decision
from tests.agent_types import Brief
from tests.factories import make_mission


def start() -> str:
    """Start a mission of 1 + 2 + 4 + 8 agents whose workers each leave one trace."""
    mission = make_mission(
        Project.objects.get(),
        User.objects.get(),
        level=Level.QUEEN,
        run_input=Brief(below=(2, 2, 2)).model_dump(mode="json"),
    )
    return str(mission.pk)


def look(mission: str, trace: str) -> dict:
    """How the mission stands. A call that may have happened is decided by whether its trace is there."""
    mission_id = UUID(mission)
    happened = Path(trace).read_text().split()
    for doubt in Approval.objects.filter(status=ApprovalStatus.PENDING, session__root=mission_id):
        verdict = "done" if doubt.proposed["name"] in happened else "again"
        approvals.decide(doubt.pk, Decision(verdict), by=User.objects.get(), version=doubt.version)
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


def crashes(mission: str) -> int:
    """How many deaths of workers are counted in the mission's runs."""
    return AgentRun.objects.filter(session__root=UUID(mission)).aggregate(all=Sum("crashes"))["all"]
