"""Kills the worker of an imported graph before or after each commit that follows on a person's decision.

The graph is one of LangChain's own making, of tests/graphs/post. Each time it asks whether it may post a letter, and a
person edits the letter and approves. Whoever runs it then is killed, and another process finishes and checks.
"""

import os
import signal
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import count, islice
from pathlib import Path
from uuid import UUID

from django.db.models.functions import Now

from agents.ids import new_id
from agents.lifecycle import FINAL, ApprovalStatus, ExecutionStatus, WaitKind
from agents.models import AgentSession, Approval, Project, SessionLease, ToolExecution, User
from agents.roles import Level
from orchestrator import sweeper
from orchestrator.actions import approvals
from orchestrator.actions.events import verification
from orchestrator.runtime import runner
from tests.agent_types import TRACE
from tests.factories import make_mission
from tests.faults.points import Points, forked, preload

EDITED = {"to": "bob", "text": "hi"}
LETTER = "bob: hi\n"
TURNS = 20


def letters() -> str:
    """All that was posted since the last mission began."""
    return Path(os.environ[TRACE]).read_text()


@dataclass(frozen=True, slots=True)
class Moment:
    """How far the call had come when its worker was killed: what the ledger says of it, and whether it was made."""

    booked: str
    is_posted: bool

    @classmethod
    def of(cls, root: UUID) -> "Moment":
        """Now."""
        row = ToolExecution.objects.filter(session=root).first()
        return cls(str(row.status) if row else "nothing", letters() != "")

    @property
    def is_doubtful(self) -> bool:
        """May it have been made, as far as anybody can tell who does not look into the world?"""
        return self.booked == ExecutionStatus.RUNNING

    def __str__(self) -> str:
        return f"{self.booked}, {'posted' if self.is_posted else 'not posted'}"


def ask(kind: str, root: UUID) -> None:
    """Let a clerk ask, change what it wants to post, and approve that. It is queued then."""
    Path(os.environ[TRACE]).write_text("")
    user = User.objects.get()
    make_mission(
        Project.objects.get(),
        user,
        agent_type=f"graph.{kind}",
        level=Level.WORKER,
        run_input={"messages": [{"role": "user", "content": "Go"}]},
        session_id=root,
    )
    runner.run_next(Level.WORKER)
    approval = Approval.objects.get(session=root)
    approvals.decide(user, approval.pk, verdict="approve", arguments=EDITED, version=approval.version)


def die(kind: str, root: UUID, points: Points) -> None:
    """Ask, then run what was approved until it is time to die."""
    ask(kind, root)
    points.watch()
    runner.run_next(Level.WORKER)


def take_over(root: UUID) -> list[str]:
    """Finish what a dead process began, without waiting for its lease; what is wrong then. Prints when it died."""
    moment = Moment.of(root)
    sys.stdout.write(f"{moment}: ")
    SessionLease.objects.update(until=Now() - timedelta(seconds=1))
    sweeper.requeue_lost()
    for _ in range(TURNS):
        runner.run_next(Level.WORKER)
        _look_whether_it_happened(root)
        if AgentSession.objects.get(pk=root).status in FINAL:
            break
    return faults_of(root, moment)


def _look_whether_it_happened(root: UUID) -> None:
    """Answer what is asked about a call that may have been made. Whoever asks anything else is left to wait."""
    for doubt in Approval.objects.filter(session=root, status=ApprovalStatus.PENDING, kind=WaitKind.UNCERTAIN):
        verdict = "done" if letters() else "again"
        approvals.decide(User.objects.get(), doubt.pk, verdict=verdict, version=doubt.version)


def faults_of(root: UUID, moment: Moment) -> list[str]:
    """What is wrong with a mission, in sentences, of which the worker was killed at a moment."""
    session = AgentSession.objects.select_related("current_run").get(pk=root)
    booked = list(ToolExecution.objects.filter(session=root).values_list("status", "effective_data"))
    asked = Counter(Approval.objects.filter(session=root).values_list("kind", flat=True))
    doubts = {WaitKind.UNCERTAIN: 1} if moment.is_doubtful else {}
    is_right = {
        f"it {session.status} with {session.current_run.output}": session.current_run.output
        == {"text": "It is posted."},
        f"posted: {letters()!r}": letters() == LETTER,
        f"the ledger says {booked}": booked == [(ExecutionStatus.COMPLETED, EDITED)],
        f"asked: {dict(asked)}": asked == {WaitKind.FOREIGN: 1, **doubts},
    }
    return [told for told, is_so in is_right.items() if not is_so] + list(map(str, verification(root).faults()))


def walk(kind: str, side: str, most: int) -> int:
    """Die `side` (before or after) each commit after a decision, with `most` only of the first so many.

    Prints a line a death; how many missions went wrong.
    """
    wrong = 0
    for dies_at in islice(count(1), most or None):
        root = new_id()
        died = forked(partial(die, kind, root, Points(dies_at, side)))
        sys.stdout.write(f"{kind} {side} commit {dies_at}, ")
        finished = forked(partial(take_over, root))
        sys.stdout.write(f"{died}, then {finished}\n")
        wrong += finished != 0 or died not in (0, -signal.SIGKILL)
        if died != -signal.SIGKILL:
            return wrong
    return wrong


def prepare(kind: str) -> None:
    """Load what the processes of every mission would load again."""

    def finish() -> None:
        root = new_id()
        ask(kind, root)
        take_over(root)

    preload(finish, Path(f"{os.environ[TRACE]}.loaded"))
